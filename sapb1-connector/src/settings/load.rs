//! Reading settings from TOML, with errors that name the key.

use datawald_core::{Error, Result};
use rust_decimal::Decimal;

use super::tax::postcode_mistake;
use super::{B1Settings, ReconcileMode};
use crate::fields::is_udf;

const OPERATION: &str = "read SAP B1 settings";

impl B1Settings {
    /// Reads settings from TOML and checks them.
    ///
    /// # Errors
    /// Of kind `Config`, with the path of the key (`tax[1].rate`) as its field.
    pub fn from_toml(text: &str) -> Result<Self> {
        let document = toml::Deserializer::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text.get(..span.start).unwrap_or("").lines().count().max(1));
            Error::config(OPERATION, format!("line {line}: {}", error.message()))
        })?;
        let settings: Self = serde_path_to_error::deserialize(document).map_err(|error| {
            let path = error.path().to_string();
            // The keys below are emails, and no business of an error's text.
            let path = if path.starts_with("customer.by_email") { "customer.by_email".to_owned() } else { path };
            let message = error.inner().message().to_owned();
            let error = Error::config(OPERATION, message);
            if path == "." { error } else { error.field(path) }
        })?;
        settings.check()?;
        Ok(settings)
    }

    /// Checks what types cannot tell. [`B1Settings::from_toml`] has done so; call it for settings made in code.
    ///
    /// # Errors
    /// Of kind `Config`, naming the key.
    pub fn check(&self) -> Result<()> {
        let wrong = |key: &str, message: &str| Err(Error::config(OPERATION, message).field(key));
        if !is_currency(&self.company_currency) {
            return wrong("company_currency", "must be three capital letters, as \"USD\"");
        }
        for (currency, decimals) in &self.currency_decimals {
            let key = format!("currency_decimals.{currency}");
            if !is_currency(currency) {
                return wrong(&key, "must be named by three capital letters, as \"JPY\"");
            }
            // SAP B1 keeps amounts to six decimals at most.
            if *decimals > 6 {
                return wrong(&key, "must be 0 to 6");
            }
        }
        if self.freight.expense_name.is_some() && self.freight.item_code.is_some() {
            return wrong("freight", "has both `expense_name` and `item_code`; freight is charged by one of them");
        }
        let codes = [
            ("customer.default", &self.customer.default),
            ("freight.expense_name", &self.freight.expense_name),
            ("freight.item_code", &self.freight.item_code),
            ("freight.tax_code", &self.freight.tax_code),
            ("exempt_code", &self.exempt_code),
            ("transport.default", &self.transport.default),
            ("payment.default", &self.payment.default),
            ("reconcile.item_code", &self.reconcile.item_code),
        ];
        for (key, code) in codes {
            if code.as_ref().is_some_and(|code| code.trim().is_empty()) {
                return wrong(key, "is empty; leave the key out instead");
            }
        }
        let tables = [
            ("customer.by_email", &self.customer.by_email),
            ("customer.by_group", &self.customer.by_group),
            ("transport.names", &self.transport.names),
            ("payment.names", &self.payment.names),
        ];
        for (table, entries) in tables {
            if entries.iter().any(|(key, value)| key.trim().is_empty() || value.trim().is_empty()) {
                return wrong(table, "has an entry whose key or value is empty");
            }
        }
        if let Some(make) = &self.customer.make {
            if !self.customer.search {
                return wrong("customer.make", "needs `customer.search`, so that nobody is made who is there");
            }
            if make.prefix.len() > 5 || !make.prefix.chars().all(|c| c.is_ascii_alphanumeric()) {
                return wrong("customer.make.prefix", "must be at most five letters and digits, as \"W\"");
            }
        }
        self.check_tax()?;
        if self.freight.tax_code.as_ref().is_some_and(|code| !self.tax.iter().any(|rule| rule.code == *code)) {
            return wrong("freight.tax_code", "is not in the tax table");
        }
        if self.reference.udf.as_ref().is_some_and(|udf| !is_udf(udf)) {
            return wrong("reference.udf", "must be the name of a user-defined field, as \"U_WebOrder\"");
        }
        if let Some(mark) = &self.reference.mark {
            if !is_udf(mark) {
                return wrong("reference.mark", "must be the name of a user-defined field, as \"U_DatawaldKey\"");
            }
            if self.reference.udf.as_ref().is_some_and(|udf| udf.eq_ignore_ascii_case(mark)) {
                return wrong("reference.mark", "must be another field than `reference.udf`, which holds the number");
            }
        }
        for (frontend, prefix) in &self.reference.prefix {
            if prefix.is_empty() || !prefix.chars().all(|c| c.is_ascii_graphic()) {
                return wrong(
                    &format!("reference.prefix.{frontend}"),
                    "must be visible ASCII characters without blanks, as \"B-\"",
                );
            }
            if prefix.ends_with(|c: char| c.is_ascii_alphanumeric()) {
                return wrong(
                    &format!("reference.prefix.{frontend}"),
                    "must end in a character that is neither letter nor digit, as \"B-\": else it and a number may be another \
                     order's number",
                );
            }
            let others = self.reference.prefix.iter().filter(|(other, _)| *other != frontend);
            if let Some((other, _)) = others.into_iter().find(|(_, other)| other.starts_with(prefix.as_str())) {
                return wrong(
                    &format!("reference.prefix.{frontend}"),
                    &format!("is how the prefix of {other} begins, so that their orders may have the same reference"),
                );
            }
        }
        if let Some(country) = self.states_countries.iter().find(|country| !is_country(country)) {
            return wrong("states_countries", &format!("`{country}` is no two-letter country code, as \"US\""));
        }
        match self.reconcile.mode {
            ReconcileMode::Reject => {}
            _ if self.reconcile.max_cents == 0 => {
                return wrong("reconcile.max_cents", "must be 1 or more for this mode");
            }
            ReconcileMode::RoundingLine if self.reconcile.item_code.is_none() => {
                return wrong("reconcile.item_code", "is missing; a rounding line needs an item");
            }
            ReconcileMode::RoundingLine if self.exempt_code.is_none() => {
                return wrong("exempt_code", "is missing; a rounding line is not taxed");
            }
            _ => {}
        }
        self.check_requests()
    }

    fn check_tax(&self) -> Result<()> {
        for (i, rule) in self.tax.iter().enumerate() {
            let wrong =
                |key: &str, message: &str| Err(Error::config(OPERATION, message).field(format!("tax[{i}].{key}")));
            if rule.code.trim().is_empty() {
                return wrong("code", "is empty");
            }
            if rule.rate < Decimal::ZERO || rule.rate > Decimal::ONE_HUNDRED {
                return wrong("rate", "must be a percentage between 0 and 100");
            }
            if rule.country.as_ref().is_some_and(|country| !is_country(country)) {
                return wrong("country", "must be a two-letter country code, as \"US\"");
            }
            if let Some((k, mistake)) =
                rule.postcodes.iter().enumerate().find_map(|(k, text)| Some((k, postcode_mistake(text)?)))
            {
                return wrong(&format!("postcodes[{k}]"), mistake);
            }
        }
        Ok(())
    }

    fn check_requests(&self) -> Result<()> {
        let requests = &self.requests;
        let bounds = [
            ("write_batch", requests.write_batch as u64, 1, 1000),
            ("lookup_batch", requests.lookup_batch as u64, 1, 100),
            ("concurrency", requests.concurrency as u64, 1, 64),
            ("write_timeout_s", requests.write_timeout_s, 1, 3600),
            ("read_timeout_s", requests.read_timeout_s, 1, 3600),
            ("lease_margin_s", requests.lease_margin_s, 0, 3600),
            ("codes_fresh_s", requests.codes_fresh_s, 1, 86_400),
            ("token_life_s", requests.token_life_s, 10, 86_400),
        ];
        match bounds.into_iter().find(|(_, value, least, most)| value < least || value > most) {
            None => Ok(()),
            Some((key, _, least, most)) => {
                Err(Error::config(OPERATION, format!("must be {least} to {most}")).field(format!("requests.{key}")))
            }
        }
    }
}

/// Whether it looks like a code of ISO 4217.
pub(crate) fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}
