//! Halves of characters. JSON can write half of a surrogate pair (`\ud83d` without the other half), which is no character: no
//! text can hold it, and what reads the document later would refuse all of it.

use datawald_frontend::RawDoc;

/// An order's document from its JSON text, with U+FFFD in the place of halves of characters, which the log tells.
pub(super) fn document(text: &str) -> RawDoc {
    let Some((mended, count)) = replaced(text) else { return RawDoc::new(text) };
    tracing::warn!(
        entity_id = entity_id(&mended),
        count,
        "an order of Magento holds halves of characters (surrogates without the other); U+FFFD stands in their place"
    );
    RawDoc::new(mended)
}

fn entity_id(text: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Head<'a> {
        #[serde(borrow)]
        entity_id: &'a serde_json::value::RawValue,
    }
    serde_json::from_str::<Head<'_>>(text).ok().map(|head| head.entity_id.get().to_owned())
}

/// The JSON text with U+FFFD in the place of each half, and how many there were; `None` if there are none.
fn replaced(text: &str) -> Option<(String, usize)> {
    if !text.contains("\\ud") && !text.contains("\\uD") {
        return None;
    }
    let (mut out, mut copied, mut count, mut at) = (String::new(), 0, 0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        at += found;
        match unit(text, at) {
            // An escape of another kind: `\\` before a `u` among them.
            None => at += 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
            Some(0xD800..=0xDBFF) if matches!(unit(text, at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => {
                out.push_str(&text[copied..at]);
                out.push_str("\\ufffd");
                at += 6;
                copied = at;
                count += 1;
            }
            Some(_) => at += 6,
        }
    }
    out.push_str(&text[copied..]);
    (count > 0).then_some((out, count))
}

/// The code unit of an escape `\uXXXX` at `at`.
fn unit(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_replaced_and_pairs_stay() {
        let mend = replaced;
        assert_eq!(mend(r#"{"a":"\ud83d"}"#), Some((r#"{"a":"\ufffd"}"#.to_owned(), 1)));
        assert_eq!(
            mend(r#""\uDE00x\ud83d\ud83d\ude00\ud83d""#),
            Some((r#""\ufffdx\ufffd\ud83d\ude00\ufffd""#.to_owned(), 3))
        );
        for whole in [r#""\ud83d\uDE00""#, r#""\\ud83d""#, r#""é\u00e9\n""#, "{}", "\"\\"] {
            assert_eq!(mend(whole), None, "{whole}");
        }
    }

    #[test]
    fn texts_that_are_no_json_do_no_harm() {
        for text in ["\\", "\\u", "\\ud8", "\\é", "\\ud83dé", "é\\"] {
            let _ = replaced(text);
        }
    }
}
