//! Seven orders of a batch of fifty that SAP B1 takes for seven different reasons not.

use std::sync::Arc;

use async_trait::async_trait;
use datawald_backoffice::{Backoffice, NativeLine, NativeOrder};
use datawald_core::model::TxStatus::{Failed, Success};
use datawald_core::model::{FlowId, Order, Table};
use datawald_core::{Cx, Result};
use sapb1_connector::sandbox::service_layer::Faults;
use sapb1_connector::{B1Agency, B1Api};
use serde_json::json;

use crate::world::{ROOTS, Setup, World, id, order};

/// An agent that fills further fields, of two orders not as SAP B1 wants them.
struct Agent(B1Agency);

#[async_trait]
impl Backoffice for Agent {
    fn base(&self) -> &dyn Backoffice {
        &self.0
    }

    async fn extend_order(&self, _: &Cx, order: &Order, doc: &mut NativeOrder) -> Result<()> {
        if order.fe_order_id == id(31) {
            doc.set("NumAtCard", "PO-77");
        }
        if order.fe_order_id == id(38) {
            doc.set("Confirmed", true);
        }
        Ok(())
    }
}

/// Somebody at the ERP has entered an order under the customer's own number.
async fn enter_by_hand(world: &mut World, number: &str) {
    let mut doc = NativeOrder { reference: number.to_owned(), ..NativeOrder::default() };
    let header = json!({ "CardCode": "C20000", "DocDueDate": "2026-02-07", "NumAtCard": number });
    doc.header = header.as_object().unwrap().clone();
    let line = json!({ "ItemCode": "SKU-1", "Quantity": "1", "UnitPrice": "10", "TaxCode": "EX" });
    doc.lines.push(NativeLine { fields: line.as_object().unwrap().clone() });
    let cx = Cx::new(FlowId::new(Table::Orders, "mage2"));
    world.client.insert(&cx, &[doc]).await.unwrap().remove(0).unwrap();
    world.by_hand += 1;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_batch_of_fifty_seven_fail_for_seven_reasons_and_hold_nobody_up() {
    for root in ROOTS {
        let mut setup = Setup::new(root, 50);
        setup.rules.reference.udf = Some("U_WebOrder".into());
        setup.rules.customer.by_email.insert("buyer10@example.com".into(), "C99999".into());
        for rule in setup.rules.tax.iter_mut().filter(|rule| rule.code == "VA") {
            rule.code = "VA-2027".into();
        }
        setup.agent = |agency| Arc::new(Agent(agency));
        let mut world = World::start(setup).await;
        enter_by_hand(&mut world, "PO-77").await;

        let mut bad = order(3);
        bad["items"][0]["sku"] = "GHOST".into();
        world.edit(3, &json!({ "items": bad["items"] }));
        let mut bad = order(17);
        bad["items"][0]["tax_amount"] = json!(1.06);
        bad["extension_attributes"]["shipping_assignments"][0]["shipping"]["address"]["region_code"] = "VA".into();
        let changes = json!({
            "items": bad["items"], "extension_attributes": bad["extension_attributes"], "tax_amount": 1.06,
            "grand_total": 21.06,
        });
        world.edit(17, &changes);
        let mut bad = order(45);
        bad["billing_address"]["postcode"] = "49628 (back door, ring twice)".into();
        world.edit(45, &json!({ "billing_address": bad["billing_address"] }));
        world.faults(Faults {
            refuse_numbers: [id(24)].into(),
            refusal_code: -1116,
            block_duplicates: true,
            ..Faults::default()
        });

        world.run().await.unwrap();
        world.ends(&[(Success, 43), (Failed, 7)], &format!("{root:?}")).await;
        assert_eq!(
            world.most_attempts().await,
            1,
            "good orders went in the first attempt, bad ones were not tried again"
        );
        for (number, parts) in [
            (3, ["DocumentLines[0].ItemCode: SAP B1 has no item `GHOST`", "correct the SKU", "[-2028]"]),
            (10, ["CardCode: SAP B1 has no customer `C99999`", "add it there", "[-2028]"]),
            (17, ["DocumentLines[0].TaxCode", "`VA-2027`", "SAP B1"]),
            (24, ["SAP B1 refuses", "(1) This order breaks a rule of the company", "[-1116]"]),
            (31, ["SAP B1 refuses", "Customer reference number already exists  [ORDR.NumAtCard]", "[-10]"]),
            (38, ["SAP B1 refuses", "Invalid value for property 'Confirmed' of 'Document'", "[-1000]"]),
            (45, ["SAP B1 refuses", "Value too long in property 'BillToZipCode'", "[-1004]"]),
        ] {
            let entity = world.entity(number).await;
            assert_eq!(entity.status, Failed, "{number}: {}", entity.note);
            for part in parts {
                assert!(entity.note.contains(part), "{number}: `{part}` is not in: {}", entity.note);
            }
            assert!(!entity.note.contains("ring twice") && !entity.note.contains("Ada"), "{}", entity.note);
        }
    }
}
