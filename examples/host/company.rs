//! What `--check --connect` tells of the companies behind the ERPs' connections: whether two are one, whether their documents
//! show whose they are, and whether they have the codes that the rules write.

use std::sync::Arc;

use datawald_core::Result;
use sapb1_connector::{B1Agency, B1Info};

use crate::codes;
use crate::config::Config;
use crate::health::{Answer, PATIENCE};
use crate::sides::{Sides, cx, part};

/// What is said of a part of the host.
pub(crate) struct Remark {
    /// The part, or several.
    pub(crate) part: String,
    /// What there is to say.
    pub(crate) text: String,
    /// Whether it has to be mended.
    pub(crate) wrong: bool,
}

/// A company that has answered.
struct Company<'a> {
    name: &'a str,
    erp: &'a B1Agency,
    info: B1Info,
}

/// Asks the ERPs that have answered who they are, and whether they have the fields that the rules name.
pub(crate) async fn examine(sides: &Sides, config: &Config, answers: &[(String, Answer)]) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut companies: Vec<Company<'_>> = Vec::new();
    let answered = |name: &str| answers.iter().any(|(of, answer)| *of == part(name) && answer.is_ok());
    for (name, erp) in sides.erps().filter(|(name, _)| answered(name)) {
        let Some(Ok(info)) = patiently(erp.api().info(&cx(name))).await else { continue };
        remarks.extend(fields(name, erp).await);
        remarks.extend(codes::examine(name, erp).await);
        for other in &companies {
            if is_same(other, erp, &info) {
                remarks.push(same(config, other, name, erp, &info));
            }
        }
        companies.push(Company { name, erp, info });
    }
    remarks
}

/// Asks, but does not wait for ever.
pub(crate) async fn patiently<T>(asked: impl Future<Output = Result<T>>) -> Option<Result<T>> {
    tokio::time::timeout(PATIENCE, asked).await.ok()
}

/// Whether the fields for number and mark are there.
async fn fields(name: &str, erp: &Arc<B1Agency>) -> Vec<Remark> {
    let rule = &erp.settings().reference;
    let mut remarks = Vec::new();
    let mut say = |text: String, wrong: bool| remarks.push(Remark { part: part(name), text, wrong });
    for (key, field) in [("reference.udf", &rule.udf), ("reference.mark", &rule.mark)] {
        let Some(field) = field else { continue };
        match patiently(erp.api().has_field(&cx(name), field)).await {
            Some(Ok(true)) if key == "reference.mark" => {
                say(
                    format!(
                        "documents bear our mark in {field}: see that SAP B1 refuses a second one of the same mark"
                    ),
                    false,
                );
            }
            Some(Ok(true)) => {}
            Some(Ok(false)) => {
                let text = format!(
                    "orders have no field {field} (`{key}`): add it to the header of marketing documents, alphanumeric, of 100 \
                     characters; the Service Layer knows it once it is restarted"
                );
                say(text, true);
            }
            Some(Err(error)) => say(format!("cannot tell whether there is a field {field} (`{key}`): {error}"), true),
            None => say(format!("no answer within {} s about the field {field} (`{key}`)", PATIENCE.as_secs()), true),
        }
    }
    if rule.mark.is_none() {
        let how = if erp.api().capabilities().marks {
            "`reference.mark` names a field for it"
        } else {
            "SAP B1 RESTful writes none, the Service Layer does"
        };
        let text = format!(
            "documents bear no mark of ours ({how}): known are those that agree in total, currency and customer"
        );
        say(text, false);
    }
    remarks
}

/// Whether two connections lead to one company. Two ways into one name their servers differently.
fn is_same(one: &Company<'_>, erp: &B1Agency, info: &B1Info) -> bool {
    let alike = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    let two_ways = one.erp.api().capabilities().name != erp.api().capabilities().name;
    alike(&one.info.company_db, &info.company_db)
        && (alike(&one.info.server, &info.server) || (two_ways && alike(&one.info.company_name, &info.company_name)))
}

/// What it means that two connections are one company: their shops must not use the same references.
fn same(config: &Config, one: &Company<'_>, name: &str, erp: &B1Agency, info: &B1Info) -> Remark {
    let shops = |backoffice: &str, erp: &B1Agency| -> Vec<(String, String)> {
        let flows = config.flows.iter().filter(|flow| flow.backoffice == backoffice);
        let prefixes = &erp.settings().reference.prefix;
        let shops = flows.map(|flow| flow.id.frontend.clone());
        shops.map(|shop| (prefixes.get(&shop).cloned().unwrap_or_default(), shop)).collect()
    };
    let one_field = one.erp.settings().reference.udf == erp.settings().reference.udf;
    let collide =
        |a: &str, b: &str| a == b || (!a.is_empty() && !b.is_empty() && (a.starts_with(b) || b.starts_with(a)));
    let theirs = shops(name, erp);
    let clash = shops(one.name, one.erp).into_iter().filter(|_| one_field).find_map(|(prefix, shop)| {
        let (_, other) = theirs.iter().find(|(other, _)| collide(&prefix, other))?;
        Some(format!(
            ", and orders of {shop} and {other} may have the same references there: give one of the shops a prefix of its own \
             (`reference.prefix`)"
        ))
    });
    Remark {
        part: format!("connections {} and {name}", one.name),
        text: format!(
            "are the same company ({} on {}){}",
            info.company_db,
            info.server,
            clash.as_deref().unwrap_or_default()
        ),
        wrong: clash.is_some(),
    }
}
