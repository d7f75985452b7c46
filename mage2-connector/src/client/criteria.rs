//! `searchCriteria`: how Magento is asked for a part of a collection.
//!
//! Filters within a group are alternatives (OR); groups must all hold (AND). See Adobe Commerce's guide *Search using
//! REST endpoints*.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// RFC 3986's unreserved characters stay; everything else is encoded. That is also what an OAuth signature is made of
/// (RFC 5849 §3.6), so that the request and its signature agree: brackets in names as `%5B`, a blank as `%20`.
pub(crate) const RFC3986: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes by RFC 3986.
pub(crate) fn encode(text: &str) -> String {
    percent_encode(text.as_bytes(), RFC3986).to_string()
}

/// One part of a path, as a SKU: `MH/09` becomes `MH%2F09`, and does not open another level.
///
/// ```
/// assert_eq!(mage2_connector::path_segment("24/WG 02+"), "24%2FWG%2002%2B");
/// ```
pub fn path_segment(text: &str) -> String {
    encode(text)
}

/// How a filter compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Equal.
    Eq,
    /// Not equal.
    Neq,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gteq,
    /// Less.
    Lt,
    /// Less or equal.
    Lteq,
    /// One of a list, separated by commas.
    In,
    /// None of a list, separated by commas.
    Nin,
    /// SQL's `LIKE`, with `%` as the wildcard.
    Like,
    /// Not `LIKE`.
    Nlike,
    /// Null; the value does not count.
    Null,
    /// Not null; the value does not count.
    NotNull,
    /// Among the comma-separated values of the field.
    Finset,
    /// At least. Within a group, together with [`Condition::To`].
    From,
    /// At most.
    To,
}

impl Condition {
    /// Magento's name of it. It takes any other for equality, without a word.
    pub fn name(self) -> &'static str {
        match self {
            Condition::Eq => "eq",
            Condition::Neq => "neq",
            Condition::Gt => "gt",
            Condition::Gteq => "gteq",
            Condition::Lt => "lt",
            Condition::Lteq => "lteq",
            Condition::In => "in",
            Condition::Nin => "nin",
            Condition::Like => "like",
            Condition::Nlike => "nlike",
            Condition::Null => "null",
            Condition::NotNull => "notnull",
            Condition::Finset => "finset",
            Condition::From => "from",
            Condition::To => "to",
        }
    }
}

/// Which way to sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Greatest first.
    Descending,
}

/// Builds `searchCriteria`.
///
/// ```
/// use mage2_connector::{Condition, Direction, SearchCriteria};
/// let query = SearchCriteria::new()
///     .and("updated_at", Condition::Gteq, "2020-04-24 17:05:45")
///     .sort("updated_at", Direction::Ascending)
///     .page_size(50)
///     .to_query();
/// assert!(query.starts_with("searchCriteria%5Bfilter_groups%5D%5B0%5D%5Bfilters%5D%5B0%5D%5Bfield%5D=updated_at&"));
/// assert!(query.contains("=2020-04-24%2017%3A05%3A45&"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchCriteria {
    groups: Vec<Vec<(String, Condition, String)>>,
    sorts: Vec<(String, Direction)>,
    page_size: Option<usize>,
    current_page: Option<usize>,
    fields: Option<String>,
}

impl SearchCriteria {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// And this filter must hold, too.
    #[must_use]
    pub fn and(self, field: impl Into<String>, condition: Condition, value: impl Into<String>) -> Self {
        self.and_any([(field.into(), condition, value.into())])
    }

    /// And one of these filters must hold, too.
    #[must_use]
    pub fn and_any(mut self, filters: impl IntoIterator<Item = (String, Condition, String)>) -> Self {
        self.groups.push(filters.into_iter().collect());
        self
    }

    /// Then sorted by `field`.
    #[must_use]
    pub fn sort(mut self, field: impl Into<String>, direction: Direction) -> Self {
        self.sorts.push((field.into(), direction));
        self
    }

    /// At most so many.
    #[must_use]
    pub fn page_size(mut self, size: usize) -> Self {
        self.page_size = Some(size);
        self
    }

    /// The page by number, from 1. Past the end, versions up to 2.3 answer with the **last** page again, later ones with none; do
    /// not use it to go through something that changes.
    #[must_use]
    pub fn current_page(mut self, page: usize) -> Self {
        self.current_page = Some(page);
        self
    }

    /// Only these parts of the answer, as `items[entity_id,status],total_count`: letters, digits, `_`, `[`, `]` and `,`. Magento
    /// answers `[]` if there is anything else.
    #[must_use]
    pub fn fields(mut self, fields: impl Into<String>) -> Self {
        self.fields = Some(fields.into());
        self
    }

    /// The names and values, not encoded.
    pub fn to_pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for (g, group) in self.groups.iter().enumerate() {
            for (f, (field, condition, value)) in group.iter().enumerate() {
                let name = |part: &str| format!("searchCriteria[filter_groups][{g}][filters][{f}][{part}]");
                pairs.push((name("field"), field.clone()));
                pairs.push((name("value"), value.clone()));
                pairs.push((name("condition_type"), condition.name().to_owned()));
            }
        }
        for (s, (field, direction)) in self.sorts.iter().enumerate() {
            let direction = match direction {
                Direction::Ascending => "ASC",
                Direction::Descending => "DESC",
            };
            pairs.push((format!("searchCriteria[sortOrders][{s}][field]"), field.clone()));
            pairs.push((format!("searchCriteria[sortOrders][{s}][direction]"), direction.to_owned()));
        }
        if let Some(size) = self.page_size {
            pairs.push(("searchCriteria[pageSize]".to_owned(), size.to_string()));
        }
        if let Some(page) = self.current_page {
            pairs.push(("searchCriteria[currentPage]".to_owned(), page.to_string()));
        }
        if pairs.is_empty() {
            // Magento refuses a search without any criteria, but takes empty ones.
            pairs.push(("searchCriteria".to_owned(), String::new()));
        }
        pairs.extend(self.fields.iter().map(|fields| ("fields".to_owned(), fields.clone())));
        pairs
    }

    /// The query part of an address, encoded.
    pub fn to_query(&self) -> String {
        let mut query = String::new();
        for (name, value) in self.to_pairs() {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(&encode(&name));
            query.push('=');
            query.push_str(&encode(&value));
        }
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_encoded_and_come_back() {
        let criteria = SearchCriteria::new()
            .and("sku", Condition::In, "a&b=c,d+e é%")
            .and_any([
                ("status".to_owned(), Condition::Eq, "pending".to_owned()),
                ("status".to_owned(), Condition::Like, "hold%".to_owned()),
            ])
            .sort("entity_id", Direction::Descending)
            .page_size(7)
            .current_page(1);
        let query = criteria.to_query();
        assert!(query.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%&=".contains(&b)), "{query}");
        let back: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!(back, criteria.to_pairs());
        assert!(back.contains(&("searchCriteria[filter_groups][1][filters][1][field]".into(), "status".into())));
    }

    #[test]
    fn everything_is_asked_for_with_empty_criteria() {
        assert_eq!(SearchCriteria::new().to_query(), "searchCriteria=");
    }
}
