//! Whether an entity passes a filter, by the three-valued logic of SQL.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde_json::Value;

use super::decimal::decimal;
use super::tables::{Key, Tables};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Null,
    Text(String),
    Number(Decimal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Operator {
    pub(super) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "lt" => Self::Lt,
            "le" => Self::Le,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            _ => return None,
        })
    }

    /// With left and right exchanged.
    pub(super) fn turned(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            same => same,
        }
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Ne => ordering.is_ne(),
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    Start,
    End,
    Within,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    Any(Vec<Self>),
    All(Vec<Self>),
    Not(Box<Self>),
    Compare(String, Operator, Literal),
    Properties(String, Operator, String),
    Search(Search, String, String),
}

/// What a filter looks at: a property's value, its default if it has none.
pub(super) type Values<'a> = &'a dyn Fn(&str) -> Value;

impl Filter {
    /// Whether an entity passes; `None` where a null leaves it open.
    pub(super) fn passes(&self, values: Values<'_>, ignore_case: bool) -> Option<bool> {
        match self {
            Self::Any(filters) => {
                let mut open = false;
                for filter in filters {
                    match filter.passes(values, ignore_case) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => open = true,
                    }
                }
                if open { None } else { Some(false) }
            }
            Self::All(filters) => {
                let mut open = false;
                for filter in filters {
                    match filter.passes(values, ignore_case) {
                        Some(false) => return Some(false),
                        Some(true) => {}
                        None => open = true,
                    }
                }
                if open { None } else { Some(true) }
            }
            Self::Not(filter) => filter.passes(values, ignore_case).map(|passes| !passes),
            Self::Compare(name, operator, Literal::Null) => {
                let null = values(name).is_null();
                match operator {
                    Operator::Eq => Some(null),
                    Operator::Ne => Some(!null),
                    _ => None,
                }
            }
            Self::Compare(name, operator, Literal::Number(number)) => {
                Some(operator.holds(decimal(&values(name))?.cmp(number)))
            }
            Self::Compare(name, operator, Literal::Text(text)) => {
                Some(operator.holds(texts(values(name).as_str()?, text, ignore_case)))
            }
            Self::Properties(left, operator, right) => {
                Some(operator.holds(compare(&values(left), &values(right), ignore_case)?))
            }
            Self::Search(search, name, sought) => {
                let (text, sought) = match ignore_case {
                    true => (values(name).as_str()?.to_lowercase(), sought.to_lowercase()),
                    false => (values(name).as_str()?.to_owned(), sought.clone()),
                };
                Some(match search {
                    Search::Start => text.starts_with(&sought),
                    Search::End => text.ends_with(&sought),
                    Search::Within => text.contains(&sought),
                })
            }
        }
    }

    /// The texts that a property is said to be equal to.
    pub(super) fn texts_of(&self, property: &str) -> BTreeSet<&str> {
        match self {
            Self::Compare(name, Operator::Eq, Literal::Text(text)) if name == property => {
                BTreeSet::from([text.as_str()])
            }
            Self::Any(filters) | Self::All(filters) => {
                filters.iter().flat_map(|filter| filter.texts_of(property)).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// Keys among which all that pass are, where an index tells; `None` where all must be looked at.
    pub(super) fn candidates(&self, tables: &Tables, set: &str) -> Option<BTreeSet<Key>> {
        match self {
            Self::Compare(name, Operator::Eq, Literal::Text(text)) => tables.under(set, name, text),
            Self::Any(filters) => {
                let mut keys = BTreeSet::new();
                for filter in filters {
                    keys.extend(filter.candidates(tables, set)?);
                }
                Some(keys)
            }
            Self::All(filters) => filters.iter().find_map(|filter| filter.candidates(tables, set)),
            _ => None,
        }
    }
}

fn texts(left: &str, right: &str, ignore_case: bool) -> Ordering {
    if ignore_case { left.to_lowercase().cmp(&right.to_lowercase()) } else { left.cmp(right) }
}

/// How two values of the same property are ordered; `None` if either is null.
pub(super) fn compare(left: &Value, right: &Value, ignore_case: bool) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(texts(left, right, ignore_case)),
        (left, right) => Some(decimal(left)?.cmp(&decimal(right)?)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::check::Names;
    use super::super::error::Refusal;
    use super::super::filter_parser::parse;
    use super::super::schema::schema;

    fn passes(filter: &str) -> Result<Option<bool>, Refusal> {
        let order = json!({
            "DocEntry": 7, "CardCode": "c'1", "NumAtCard": "Web-10 (ü)", "DocTotal": 12.50, "DocDate": "2014-04-23",
            "DocTime": "18:38:00", "DocumentStatus": "bost_Open", "Comments": null, "DocNum": 7,
        });
        let of = schema().type_named("Document").unwrap();
        let filter = parse(filter, of, &Names { user_fields: &[] })?;
        Ok(filter.passes(&|name| order.get(name).cloned().unwrap_or_default(), false))
    }

    #[test]
    fn filters() {
        for (filter, expected) in [
            ("DocEntry eq 7", Some(true)),
            ("7 lt DocEntry", Some(false)),
            ("DocEntry eq '7'", Some(true)),
            ("DocTotal eq 12.5 and DocTotal ge 12.50", Some(true)),
            ("CardCode eq 'c''1'", Some(true)),
            ("NumAtCard eq 'web-10 (ü)'", Some(false)),
            ("startswith(NumAtCard,'Web-') and endswith( NumAtCard , '(ü)' )", Some(true)),
            ("substringof('10',NumAtCard) and contains(NumAtCard,'10')", Some(true)),
            ("not (DocEntry eq 7)", Some(false)),
            ("not startswith(NumAtCard,'x')", Some(true)),
            ("DocDate eq '20140423' and DocDate eq datetime'2014-04-23T10:00:00'", Some(true)),
            ("DocDate lt '2014-04-24'", Some(true)),
            ("DocTime eq '1838' and DocTime eq '18:38:00'", Some(true)),
            ("DocumentStatus eq 'bost_Open' and DocumentStatus eq 'O'", Some(true)),
            ("Comments eq null and NumAtCard ne null", Some(true)),
            ("Comments eq 'x'", None),
            ("Comments ne 'x' or DocEntry eq 7", Some(true)),
            ("Comments ne 'x' and DocEntry eq 7", None),
            ("DocEntry eq 1 or DocEntry eq 7 and DocTotal gt 100", Some(false)),
            ("(DocEntry eq 1 or DocEntry eq 7) and DocTotal lt 100", Some(true)),
            ("DocEntry eq DocNum", Some(true)),
        ] {
            assert_eq!(passes(filter), Ok(expected), "{filter}");
        }
    }

    #[test]
    fn what_it_does_not_have() {
        for filter in [
            "",
            "DocEntry",
            "DocEntry eq",
            "DocEntry eq 7 and",
            "(DocEntry eq 7",
            "DocEntry eq 7)",
            "1 eq 1",
            "eq",
            "DocEntry eq 'x'",
            "CardCode eq 7",
            "CardCode eq 'x",
            "DocDate eq '23.04.2014'",
            "DocEntry add 1 eq 8",
            "DocStatus eq 'O'",
            "toupper(CardCode) eq 'C1'",
            "year(DocDate) eq 2014",
            "startswith(DocEntry,'7')",
            "DocumentStatus eq 'open'",
            "DocumentLines eq 'x'",
            "NumAtCard in ('a','b')",
            "U_Other eq 'x'",
            "''",
            "-",
            "DocEntry eq 99999999999999999999999999999999",
            "DocEntry eq 7 DocEntry",
        ] {
            assert!(passes(filter).is_err(), "{filter}");
        }
        let deep = format!("{}DocEntry eq 7{}", "(".repeat(5000), ")".repeat(5000));
        assert!(passes(&deep).is_err());
        let long = vec!["NumAtCard eq 'x'"; 5000].join(" or ");
        assert_eq!(passes(&long), Ok(Some(false)));
    }
}
