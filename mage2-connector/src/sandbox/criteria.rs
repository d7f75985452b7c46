//! Reads `searchCriteria` out of a query, as Magento does: names in camelCase or snake_case, groups by any key.

use serde_json::{Value, json};

use super::answer::Answer;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Eq,
    Neq,
    Gt,
    Gteq,
    Lt,
    Lteq,
    In,
    Nin,
    Like,
    Nlike,
    Null,
    NotNull,
    Finset,
    From,
    To,
}

impl Compare {
    /// What Magento does not know becomes equality, without a word: `gte`, `GTEQ`, and `moreq`, which its documentation has.
    fn from_name(name: &str) -> Self {
        match name {
            "neq" => Self::Neq,
            "gt" => Self::Gt,
            "gteq" => Self::Gteq,
            "lt" => Self::Lt,
            "lteq" => Self::Lteq,
            "in" => Self::In,
            "nin" => Self::Nin,
            "like" => Self::Like,
            "nlike" => Self::Nlike,
            "null" => Self::Null,
            "notnull" => Self::NotNull,
            "finset" => Self::Finset,
            "from" => Self::From,
            "to" => Self::To,
            _ => Self::Eq,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) field: String,
    pub(super) value: String,
    pub(super) compare: Compare,
    condition: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sort {
    pub(super) field: String,
    pub(super) ascending: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Criteria {
    /// All groups must hold; in each, one filter.
    pub(super) groups: Vec<Vec<Filter>>,
    pub(super) sorts: Vec<Sort>,
    /// Without it, or with 0, everything comes, whatever the page.
    pub(super) page_size: Option<usize>,
    pub(super) current_page: usize,
}

type Keyed<T> = Vec<(String, T)>;

#[derive(Default)]
struct RawFilter {
    field: Option<String>,
    value: Option<String>,
    condition: Option<String>,
}

impl Criteria {
    pub(super) fn parse(query: &str) -> Result<Self, Answer> {
        let mut given = false;
        let mut groups: Keyed<Keyed<RawFilter>> = Vec::new();
        let mut sorts: Keyed<(Option<String>, Option<String>)> = Vec::new();
        let mut criteria = Criteria { current_page: 1, ..Criteria::default() };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let parts: Vec<&str> = name.split('[').map(|part| part.trim_end_matches(']')).collect();
            let ("searchCriteria" | "search_criteria", rest) = (parts[0], &parts[1..]) else { continue };
            given = true;
            let value = value.into_owned();
            match rest {
                ["filter_groups" | "filterGroups", group, "filters", filter, part] => {
                    let filter = entry(entry(&mut groups, group), filter);
                    match *part {
                        "field" => filter.field = Some(value),
                        "value" => filter.value = Some(value),
                        "condition_type" | "conditionType" => filter.condition = Some(value),
                        _ => {}
                    }
                }
                ["sortOrders" | "sort_orders", sort, part] => {
                    let sort = entry(&mut sorts, sort);
                    match *part {
                        "field" => sort.0 = Some(value),
                        "direction" => sort.1 = Some(value),
                        _ => {}
                    }
                }
                ["pageSize" | "page_size"] => {
                    criteria.page_size = Some(number(&value, "pageSize")?).filter(|size| *size > 0);
                }
                ["currentPage" | "current_page"] => criteria.current_page = number(&value, "currentPage")?.max(1),
                _ => {}
            }
        }
        if !given {
            return Err(Answer::required("searchCriteria"));
        }
        for (_, group) in groups {
            let filters = group.into_iter().map(|(_, filter)| filter.check()).collect::<Result<_, _>>()?;
            criteria.groups.push(filters);
        }
        for (_, (field, direction)) in sorts {
            criteria.sorts.push(sort(field, direction)?);
        }
        Ok(criteria)
    }

    /// As Magento repeats it in its answer.
    pub(super) fn echo(&self) -> Value {
        let groups: Vec<Value> = self
            .groups
            .iter()
            .map(|group| {
                let filters: Vec<Value> = group
                    .iter()
                    .map(|filter| {
                        json!({"field": filter.field, "value": filter.value, "condition_type": filter.condition})
                    })
                    .collect();
                json!({ "filters": filters })
            })
            .collect();
        let sorts: Vec<Value> = self
            .sorts
            .iter()
            .map(|sort| json!({"field": sort.field, "direction": if sort.ascending { "ASC" } else { "DESC" }}))
            .collect();
        json!({
            "filter_groups": groups, "sort_orders": sorts, "page_size": self.page_size, "current_page": self.current_page
        })
    }
}

impl RawFilter {
    fn check(self) -> Result<Filter, Answer> {
        let field = self.field.ok_or_else(|| Answer::required("field"))?;
        let condition = self.condition.unwrap_or_else(|| "eq".to_owned());
        let compare = Compare::from_name(&condition);
        let needs_value = !matches!(compare, Compare::Null | Compare::NotNull);
        let value = match self.value {
            None if needs_value => return Err(Answer::required("value")),
            value => value.unwrap_or_default(),
        };
        Ok(Filter { field, value, compare, condition })
    }
}

fn sort(field: Option<String>, direction: Option<String>) -> Result<Sort, Answer> {
    let field = field.ok_or_else(|| Answer::required("field"))?;
    // Magento sorts downwards if it is not told to sort upwards.
    let ascending = match direction.as_deref().map(str::to_ascii_uppercase).as_deref() {
        Some("ASC") => true,
        Some("DESC") | None => false,
        Some(_) => {
            return Err(Answer::error(400, "The sort order has to be specified as ASC or DESC.", Value::Null));
        }
    };
    Ok(Sort { field, ascending })
}

fn number(text: &str, field: &str) -> Result<usize, Answer> {
    match text.parse::<usize>() {
        Ok(number) => Ok(number),
        Err(_) => Err(Answer::error(
            400,
            "The \"%value\" value's type is invalid. The \"%type\" type was expected. Verify and try again.",
            json!({ "value": text, "type": "int", "field": field }),
        )),
    }
}

fn entry<'a, T: Default>(list: &'a mut Keyed<T>, key: &str) -> &'a mut T {
    let at = match list.iter().position(|(name, _)| name == key) {
        Some(at) => at,
        None => {
            list.push((key.to_owned(), T::default()));
            list.len() - 1
        }
    };
    &mut list[at].1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Condition, Direction, SearchCriteria};

    #[test]
    fn reads_what_the_client_writes() {
        let query = SearchCriteria::new()
            .and("updated_at", Condition::Gteq, "2020-04-24 17:05:45")
            .and_any([
                ("status".to_owned(), Condition::Eq, "a&b".to_owned()),
                ("sku".to_owned(), Condition::In, "x,y".to_owned()),
            ])
            .sort("updated_at", Direction::Ascending)
            .page_size(3)
            .current_page(1)
            .to_query();
        let criteria = Criteria::parse(&query).unwrap();
        assert_eq!(criteria.groups.len(), 2);
        assert_eq!(criteria.groups[1][0].value, "a&b");
        assert_eq!(criteria.groups[1][1].compare, Compare::In);
        assert_eq!(criteria.sorts, [Sort { field: "updated_at".into(), ascending: true }]);
        assert_eq!((criteria.page_size, criteria.current_page), (Some(3), 1));
    }

    #[test]
    fn refuses_what_magento_refuses() {
        for query in [
            "",
            "other=1",
            "searchCriteria[pageSize]=x",
            "searchCriteria[filter_groups][0][filters][0][field]=a",
            "searchCriteria[sortOrders][0][field]=a&searchCriteria[sortOrders][0][direction]=up",
        ] {
            assert_eq!(Criteria::parse(query).unwrap_err().status, 400, "{query}");
        }
        assert!(Criteria::parse("searchCriteria=&unknown=1&searchCriteria[unknown]=2").is_ok());
    }

    #[test]
    fn what_magento_does_not_know_it_takes_for_equality() {
        let filter = "searchCriteria[filter_groups][0][filters][0]";
        for (name, compare) in
            [("gte", Compare::Eq), ("GTEQ", Compare::Eq), ("moreq", Compare::Eq), ("gteq", Compare::Gteq)]
        {
            let query = format!("{filter}[field]=a&{filter}[value]=1&{filter}[condition_type]={name}");
            assert_eq!(Criteria::parse(&query).unwrap().groups[0][0].compare, compare, "{name}");
        }
        let query = format!("{filter}[field]=a&{filter}[condition_type]=null&searchCriteria[pageSize]=0");
        let criteria = Criteria::parse(&query).unwrap();
        assert_eq!((criteria.groups[0][0].compare, criteria.page_size), (Compare::Null, None));
    }
}
