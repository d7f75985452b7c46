//! What `--check` tells of a file that is complete, without asking anybody: what works, and may not be what was meant.

use std::time::Duration;

use crate::company::Remark;
use crate::config::{Config, Connection};
use crate::sides::part;

/// What there is to say of a file.
pub(crate) fn of(config: &Config) -> Vec<Remark> {
    let mut remarks = settle_delays(config);
    remarks.extend(fields(config));
    remarks.extend(shops(config));
    remarks
}

fn remark(part: String, text: String) -> Remark {
    Remark { part, text, wrong: false }
}

/// A write may go on as long as its caller waits, and longer.
fn settle_delays(config: &Config) -> Vec<Remark> {
    let told = config.flows.iter().filter_map(|flow| {
        let Some(Connection::SapB1 { rules, .. }) = config.connections.get(&flow.backoffice) else { return None };
        let (waits, write) = (Duration::from_millis(flow.engine.settle_delay_ms), rules.requests.write_timeout());
        (waits < write).then(|| {
            let text = format!(
                "`engine.settle_delay_ms` ({}) is shorter than a write to {} may take (`requests.write_timeout_s`, {}): a write that \
                 SAP B1 carries out late is doubled the sooner; give it no less than {}",
                flow.engine.settle_delay_ms,
                flow.backoffice,
                write.as_secs(),
                write.as_millis(),
            );
            remark(format!("flow {}", flow.id), text)
        })
    });
    told.collect()
}

/// SAP B1's own refusal of a second document goes by the field that this one replaces.
fn fields(config: &Config) -> Vec<Remark> {
    let told = config.connections.iter().filter_map(|(name, connection)| {
        let Connection::SapB1 { rules, .. } = connection else { return None };
        let field = rules.reference.udf.as_ref()?;
        let text = format!(
            "numbers of orders stand in {field} (`reference.udf`), which SAP B1's own refusal of a customer's reference that is \
             there already does not look at: it refuses no second document of an order. Leave `reference.udf` out, or have a \
             transaction notification refuse it"
        );
        Some(remark(part(name), text))
    });
    told.collect()
}

/// Two connections to one shop that take the same orders, into different ERPs.
fn shops(config: &Config) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for (at, flow) in config.flows.iter().enumerate() {
        for other in config.flows.iter().take(at) {
            let shop = |name: &str| match config.connections.get(name) {
                Some(Connection::Magento2(settings)) => Some(settings),
                _ => None,
            };
            let (Some(one), Some(two)) = (shop(&other.id.frontend), shop(&flow.id.frontend)) else { continue };
            if one.takes_orders_of(two) {
                let text = format!(
                    "take the same orders of one Magento, into {} and {}: is each of these orders to stand in both? `orders.stores` \
                     limits a connection to its stores",
                    other.backoffice, flow.backoffice
                );
                remarks.push(remark(format!("connections {} and {}", other.id.frontend, flow.id.frontend), text));
            }
        }
    }
    remarks
}
