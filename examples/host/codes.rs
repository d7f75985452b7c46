//! Whether SAP B1 has the codes and names that the rules write: one that it does not have would fail every order that needs it.

use std::collections::BTreeSet;

use datawald_core::Result;
use datawald_core::model::Money;
use sapb1_connector::settings::NameMap;
use sapb1_connector::{B1Absent, B1Agency, B1Codes, B1Settings};

use crate::company::{Remark, patiently};
use crate::health::PATIENCE;
use crate::sides::{cx, part};

/// What is there, so that whoever mistyped a name sees it: as many as fit into a line.
const SHOWN: usize = 12;

/// A code or name that the rules write, and the key that it stands at.
struct Written<'a> {
    key: String,
    code: &'a str,
}

/// What the rules write that SAP B1 does not have.
pub(crate) async fn examine(name: &str, erp: &B1Agency) -> Vec<Remark> {
    let mut told = Told { part: part(name), remarks: Vec::new() };
    let (api, rules) = (erp.api(), erp.settings());
    if let Some(codes) = told.answer("names and codes", patiently(api.codes(&cx(name))).await) {
        names(rules, &codes, &mut told);
        rates(rules, &codes, &mut told);
    }
    let (customers, items) = (customers(rules), items(rules));
    let set = |written: &[Written<'_>]| written.iter().map(|it| it.code.to_owned()).collect::<BTreeSet<_>>();
    let wanted = B1Absent { customers: set(&customers), items: set(&items) };
    if wanted == B1Absent::default() {
        return told.remarks;
    }
    match told.answer("customers and items", patiently(api.absent(&cx(name), &wanted)).await) {
        Some(Some(absent)) => {
            told.missing("customer", &customers, |code| !absent.customers.contains(code), &[]);
            told.missing("item", &items, |code| !absent.items.contains(code), &[]);
        }
        Some(None) => {
            let by = api.capabilities().name;
            told.say(
                format!("cannot tell whether there are the customers and items of the rules: {by} does not"),
                false,
            );
        }
        None => {}
    }
    told.remarks
}

/// What is said of a connection.
struct Told {
    part: String,
    remarks: Vec<Remark>,
}

impl Told {
    fn say(&mut self, text: String, wrong: bool) {
        self.remarks.push(Remark { part: self.part.clone(), text, wrong });
    }

    fn answer<T>(&mut self, what: &str, answer: Option<Result<T>>) -> Option<T> {
        match answer {
            Some(Ok(answer)) => return Some(answer),
            Some(Err(error)) => self.say(format!("cannot tell which {what} there are: {error}"), true),
            None => self.say(format!("no answer within {} s about {what}", PATIENCE.as_secs()), true),
        }
        None
    }

    fn missing(&mut self, what: &str, written: &[Written<'_>], is_there: impl Fn(&str) -> bool, there: &[&str]) {
        for Written { key, code } in written.iter().filter(|written| !is_there(written.code)) {
            let more = if there.len() > SHOWN { ", …" } else { "" };
            let has = match there {
                [] => String::new(),
                some => format!("; it has: {}{more}", some.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ")),
            };
            self.say(format!("SAP B1 has no {what} `{code}` (`{key}`): add it there, or correct the rules{has}"), true);
        }
    }
}

fn one<'a>(key: &str, code: &'a Option<String>) -> Option<Written<'a>> {
    code.as_deref().map(|code| Written { key: key.to_owned(), code })
}

fn names(rules: &B1Settings, codes: &B1Codes, told: &mut Told) {
    let map = |key: &str, map: &'_ NameMap| -> Vec<(String, String)> {
        let names = map.names.iter().map(|(shop, name)| (format!("{key}.names.{shop}"), name.clone()));
        names.chain(map.default.iter().map(|name| (format!("{key}.default"), name.clone()))).collect()
    };
    let texts = |there: &'_ [String]| -> Vec<String> { there.to_vec() };
    let freight: Vec<_> = one("freight.expense_name", &rules.freight.expense_name)
        .map(|written| (written.key, written.code.to_owned()))
        .into_iter()
        .collect();
    let tables = [
        ("freight", freight, texts(&codes.expenses)),
        ("way of transport", map("transport", &rules.transport), texts(&codes.transports)),
        ("way of payment", map("payment", &rules.payment), texts(&codes.payments)),
    ];
    for (what, written, there) in &tables {
        let written: Vec<_> = written.iter().map(|(key, code)| Written { key: key.clone(), code }).collect();
        let there: Vec<&str> = there.iter().map(String::as_str).collect();
        told.missing(what, &written, |code| there.contains(&code), &there);
    }
    let mut taxes: Vec<_> = one("exempt_code", &rules.exempt_code).into_iter().collect();
    let table = rules.tax.iter().enumerate();
    taxes.extend(table.map(|(at, rule)| Written { key: format!("tax[{at}].code"), code: &rule.code }));
    let there: Vec<&str> = codes.taxes.keys().map(String::as_str).collect();
    told.missing("tax code", &taxes, |code| codes.taxes.contains_key(code), &there);
}

/// SAP B1 reckons by its own rates, so every order of a code with another comes to another total.
fn rates(rules: &B1Settings, codes: &B1Codes, told: &mut Told) {
    let exempt = rules.exempt_code.as_ref().map(|code| (code, Money::ZERO, "exempt_code".to_owned()));
    let table = rules.tax.iter().enumerate().map(|(at, rule)| (&rule.code, rule.rate, format!("tax[{at}].rate")));
    for (code, rate, key) in exempt.into_iter().chain(table) {
        if let Some(own) = codes.taxes.get(code).filter(|own| **own != rate) {
            let (own, rate) = (own.normalize(), rate.normalize());
            told.say(
                format!("the tax code `{code}` has {own} % in SAP B1 and {rate} % in the settings (`{key}`)"),
                true,
            );
        }
    }
}

fn customers(rules: &B1Settings) -> Vec<Written<'_>> {
    let rule = &rules.customer;
    let groups = rule.by_group.iter().map(|(group, code)| Written { key: format!("customer.by_group.{group}"), code });
    // The keys are emails, which are nobody's business here.
    let emails = rule.by_email.values().map(|code| Written { key: "customer.by_email".to_owned(), code });
    one("customer.default", &rule.default).into_iter().chain(groups).chain(emails).collect()
}

fn items(rules: &B1Settings) -> Vec<Written<'_>> {
    let codes = [("freight.item_code", &rules.freight.item_code), ("reconcile.item_code", &rules.reconcile.item_code)];
    codes.into_iter().filter_map(|(key, code)| one(key, code)).collect()
}
