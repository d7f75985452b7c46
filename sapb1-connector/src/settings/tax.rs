//! The table of tax codes: rate and area of each.

use rust_decimal::Decimal;
use serde::Deserialize;

/// A tax code of SAP B1 with its rate and the area that it is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxRule {
    /// The code.
    pub code: String,
    /// Its rate in percent. Write it as text (`"8.25"`).
    pub rate: Decimal,
    /// The country (ISO 3166, two letters); without it everywhere.
    #[serde(default)]
    pub country: Option<String>,
    /// The region as the shop has it (`CA`); without it the whole country.
    #[serde(default)]
    pub region: Option<String>,
    /// Postcodes: each one code (`"90089"`), the start of codes (`"902*"`) or a range (`"90000..96199"`); none for all.
    #[serde(default)]
    pub postcodes: Vec<String>,
}

/// The part of an address that tax depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaxArea<'a> {
    /// The country.
    pub country: &'a str,
    /// The region.
    pub region: &'a str,
    /// The postcode.
    pub postcode: &'a str,
}

impl TaxRule {
    /// Whether its area holds `area`.
    pub fn holds(&self, area: TaxArea<'_>) -> bool {
        self.country.as_ref().is_none_or(|country| country.eq_ignore_ascii_case(area.country.trim()))
            && self.region.as_ref().is_none_or(|region| region.eq_ignore_ascii_case(area.region.trim()))
            && (self.postcodes.is_empty() || {
                let postcode = squeeze(area.postcode);
                self.postcodes.iter().any(|pattern| postcode_matches(pattern, &postcode))
            })
    }
}

/// Postcodes are compared without blanks and case: `1017 AB` is `1017ab`.
fn squeeze(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_uppercase).collect()
}

/// Whether a squeezed `postcode` is one of those that `pattern` tells of. Longer codes count by their start, so that
/// `90089-0001` lies in `90000..96199` and is `90089`.
fn postcode_matches(pattern: &str, postcode: &str) -> bool {
    let pattern = squeeze(pattern);
    if let Some((from, to)) = pattern.split_once("..") {
        let start: String = postcode.chars().take(from.chars().count()).collect();
        return start.chars().count() == from.chars().count() && from <= start.as_str() && start.as_str() <= to;
    }
    match pattern.strip_suffix('*') {
        Some(start) => postcode.starts_with(start),
        None => postcode.strip_prefix(pattern.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')),
    }
}

/// What is wrong with a pattern of postcodes, if anything.
pub(super) fn postcode_mistake(pattern: &str) -> Option<&'static str> {
    let pattern = squeeze(pattern);
    match pattern.split_once("..") {
        _ if pattern.is_empty() => Some("is empty"),
        Some((from, to)) if from.chars().count() != to.chars().count() || from.is_empty() => {
            Some("is a range whose ends differ in length; write it as \"90000..96199\"")
        }
        Some((from, to)) if from > to => Some("is a range whose end comes before its start"),
        Some((from, to)) if from.contains('*') || to.contains('*') => Some("is a range with a `*`"),
        Some(_) => None,
        None if pattern.trim_end_matches('*').contains('*') => Some("has a `*` elsewhere than at its end"),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(postcodes: &[&str]) -> TaxRule {
        TaxRule {
            code: "X".into(),
            rate: Decimal::ONE,
            country: Some("US".into()),
            region: None,
            postcodes: postcodes.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    fn holds(rule: &TaxRule, postcode: &str) -> bool {
        rule.holds(TaxArea { country: "us", region: "CA", postcode })
    }

    #[test]
    fn postcodes_by_code_start_and_range() {
        let table = rule(&["90089", "902*", "95000..96199"]);
        for inside in ["90089", "90089-0001", "90210", "95000", "96199", "96199-1234", " 950 00 "] {
            assert!(holds(&table, inside), "{inside}");
        }
        for outside in ["90088", "900890", "96200", "94999", "95", ""] {
            assert!(!holds(&table, outside), "{outside}");
        }
    }

    #[test]
    fn country_region_and_whole_areas() {
        let mut table = rule(&[]);
        assert!(holds(&table, "anything"));
        assert!(!table.holds(TaxArea { country: "DE", region: "", postcode: "10115" }));
        table.region = Some("ca".into());
        assert!(holds(&table, ""));
        assert!(!table.holds(TaxArea { country: "US", region: "NV", postcode: "" }));
        table.region = None;
        table.country = None;
        assert!(table.holds(TaxArea { country: "DE", region: "", postcode: "" }));
    }

    #[test]
    fn letters_in_postcodes() {
        let table = rule(&["SW1*", "1017AB"]);
        assert!(holds(&table, "sw1a 1aa"));
        assert!(holds(&table, "1017 ab"));
    }

    #[test]
    fn mistakes_in_patterns() {
        assert!(postcode_mistake("90000..9619").is_some());
        assert!(postcode_mistake("96199..90000").is_some());
        assert!(postcode_mistake("9*0").is_some());
        assert!(postcode_mistake("").is_some());
        assert!(postcode_mistake("902*").is_none());
    }
}
