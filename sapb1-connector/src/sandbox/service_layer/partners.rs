//! Business partners and items.

use serde_json::{Map, Value, json};

use super::documents::objects;
use super::error::Refusal;
use super::filter::Filter;
use super::lines::text;
use super::state::Work;
use super::tables::{Key, Part};

/// Adds a business partner; its key.
pub(super) fn add_partner(work: &mut Work<'_>, mut values: Map<String, Value>) -> Result<Key, Refusal> {
    let code = text(&values, "CardCode").to_owned();
    if code.is_empty() {
        return Err(Refusal::data("Code undefined  [OCRD.CardCode]"));
    }
    let key = vec![Part::Text(code.clone())];
    if work.store.tables.get("BusinessPartners", &key).is_some() {
        let text = format!(
            "1320000140 - Business partner code '{code}' already assigned to a business partner; enter a unique business \
             partner code"
        );
        return Err(Refusal::new(400, -10, text));
    }
    for (name, value) in [("GroupCode", json!(100)), ("Currency", json!("##")), ("Valid", json!("tYES"))] {
        values.entry(name).or_insert(value);
    }
    complete_partner(work, &code, &mut values);
    work.store.tables.put("BusinessPartners", key.clone(), &values);
    Ok(key)
}

/// Where the company has any customer, or any item, the one that is asked for is there.
pub(super) fn any(work: &mut Work<'_>, set: &str, key: Key) {
    let options = &work.state.options;
    let (set, takes_any) = match set {
        "BusinessPartners" => ("BusinessPartners", options.customers.is_none()),
        "Items" => ("Items", options.items.is_none()),
        _ => return,
    };
    let [Part::Text(code)] = key.as_slice() else { return };
    if !takes_any || work.store.tables.get(set, &key).is_some() {
        return;
    }
    let values = match set {
        "Items" => json!({ "ItemCode": code, "ItemName": code }),
        _ => json!({ "CardCode": code, "CardName": code, "CardType": "cCustomer", "Currency": "##" }),
    };
    let mut values = values.as_object().cloned().unwrap_or_default();
    if set == "BusinessPartners" {
        complete_partner(work, code, &mut values);
    }
    work.store.tables.put(set, key, &values);
}

/// As [`any`], of those that a filter asks for by their codes.
pub(super) fn any_named(work: &mut Work<'_>, set: &str, filter: Option<&Filter>) {
    let property = if set == "Items" { "ItemCode" } else { "CardCode" };
    for code in filter.map(|filter| filter.texts_of(property)).unwrap_or_default() {
        any(work, set, vec![Part::Text(code.to_owned())]);
    }
}

/// Numbers contact persons and addresses that are new.
pub(super) fn complete_partner(work: &mut Work<'_>, code: &str, values: &mut Map<String, Value>) {
    let mut contacts = objects(values, "ContactEmployees");
    for contact in &mut contacts {
        contact.insert("CardCode".into(), json!(code));
        if !contact.contains_key("InternalCode") {
            work.store.contacts += 1;
            contact.insert("InternalCode".into(), json!(work.store.contacts));
        }
    }
    let mut addresses = objects(values, "BPAddresses");
    for (at, address) in addresses.iter_mut().enumerate() {
        address.insert("BPCode".into(), json!(code));
        address.entry("RowNum").or_insert_with(|| json!(at));
    }
    values.insert("ContactEmployees".into(), contacts.into_iter().map(Value::Object).collect());
    values.insert("BPAddresses".into(), addresses.into_iter().map(Value::Object).collect());
}

/// Adds an item; its key.
pub(super) fn add_item(work: &mut Work<'_>, values: &Map<String, Value>) -> Result<Key, Refusal> {
    let code = text(values, "ItemCode").to_owned();
    if code.is_empty() {
        return Err(Refusal::data("Item number is missing  [OITM.ItemCode]"));
    }
    let key = vec![Part::Text(code.clone())];
    if work.store.tables.get("Items", &key).is_some() {
        return Err(Refusal::new(400, -10, format!("Item code '{code}' already exists")));
    }
    work.store.tables.put("Items", key.clone(), values);
    Ok(key)
}
