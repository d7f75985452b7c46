//! Whatever stands in whichever field: an order or a refusal, never a panic, and nothing personal in the reason.

use datawald_core::Disposition;
use datawald_frontend::{Frontend, RawDoc};
use serde_json::{Value, json};

use crate::common::*;

/// Every place in a document.
fn places(tree: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match tree {
        Value::Object(map) => map.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), found)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, value)| places(value, &format!("{at}/{n}"), found));
        }
        _ => {}
    }
}

#[tokio::test]
async fn any_value_anywhere() {
    let agency = offline();
    // As text: no tree of values holds each of these numbers.
    let odd = [
        "null",
        "true",
        "-1",
        r#""""#,
        r#""\u0000@Testwell\u007f""#,
        "[]",
        "[null, [1]]",
        "{}",
        r#"{"a": {"b": []}}"#,
        "1e400",
        "-79228162514264337593543950335",
        "0.00000000000000000000000000000000000000001",
    ];
    let (mut mapped, mut refused) = (0, 0);
    for name in ["simple-two-lines", "bundle-priced-by-parts"] {
        let mut whole = tree(name);
        // The repetition of the items is not read.
        whole["extension_attributes"]["shipping_assignments"][0]["items"] = json!([]);
        let mut found = Vec::new();
        places(&whole, "", &mut found);
        for place in found {
            for value in &odd {
                let mut tree = whole.clone();
                *tree.pointer_mut(&place).unwrap() = json!("odd value");
                let raw = RawDoc::new(tree.to_string().replace(r#""odd value""#, value));
                if let Err(error) = agency.identify_order(&cx(), &raw).await {
                    assert_eq!(error.disposition(), Disposition::Rejected);
                    assert_no_personal_data(&error);
                }
                let error = match agency.map_order(&cx(), &raw).await {
                    Ok(order) => {
                        agency.decide_order(&cx(), &order).await.unwrap();
                        agency.validate_order(&cx(), &order).await.err()
                    }
                    Err(error) => Some(error),
                };
                match error {
                    None => mapped += 1,
                    Some(error) => {
                        refused += 1;
                        assert_eq!(error.disposition(), Disposition::Rejected, "{place} {value}");
                        // An increment id of our making is named as it is.
                        if !place.ends_with("increment_id") {
                            assert_no_personal_data(&error);
                        }
                    }
                }
            }
        }
    }
    assert!(mapped > 500 && refused > 500, "{mapped} mapped, {refused} refused");
}
