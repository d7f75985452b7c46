//! What serde says about a wrong value, without the value.

/// Takes the value out of a message of serde: `invalid type: string "Smith", expected a map` becomes `is a string,
/// should be a map`. Other messages name keys only and stay.
pub(crate) fn without_values(message: &str) -> String {
    let end = |text: &str| text.rfind(" at line ").map_or(text.len(), |at| at);
    for prefix in ["invalid type: ", "invalid value: "] {
        let Some(rest) = message.strip_prefix(prefix) else { continue };
        let kind = rest.split(['"', '`', ',']).next().unwrap_or_default().trim();
        // The last `expected` is serde's own: a value stands before it.
        let expected = rest.rfind(", expected ").map(|at| &rest[at + ", expected ".len()..]);
        let kind = match kind {
            "null" | "unit value" | "Option value" => "is null".to_owned(),
            "map" => "is an object".to_owned(),
            "sequence" => "is a list".to_owned(),
            kind => format!("is a wrong {kind}"),
        };
        return match expected {
            Some(expected) => format!("{kind}, should be {}", &expected[..end(expected)]),
            None => kind,
        };
    }
    message[..end(message)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn values_are_taken_out() {
        let cases = [
            (
                r#"invalid type: string "Smith, expected John at line", expected a map at line 1 column 2"#,
                "is a wrong string, should be a map",
            ),
            ("invalid type: integer `5`, expected a string", "is a wrong integer, should be a string"),
            ("invalid type: map, expected a sequence at line 3 column 4", "is an object, should be a sequence"),
            ("missing field `token`", "missing field `token`"),
        ];
        for (message, wanted) in cases {
            assert_eq!(without_values(message), wanted);
        }
    }
}
