//! No input breaks what reads filters, paths, batches and bodies.

use serde_json::Value;

use super::check::Names;
use super::envelope;
use super::error::Version;
use super::filter_parser;
use super::path::Target;
use super::schema::{Type, schema};

const FILTER: &str = "not (startswith(NumAtCard,'ü''x') or DocEntry eq -7) and DocDate lt datetime'20260131' or \
                      Comments eq null";
const PATH: &str = "UserFieldsMD(TableName='O''ü',FieldID=0)/Name";
const BATCH: &str = "--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\n\
                     Content-Transfer-Encoding:binary\r\nContent-ID: 1\r\n\r\nPOST /b1s/v1/Orders HTTP/1.1\r\nPrefer: a\r\n\r\n\
                     {}\r\n--c--\r\n--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding:binary\r\n\r\n\
                     GET Items('i')\r\n\r\n\r\n--b--\r\n";
const BODY: &str =
    r#"{"DocDate":"20260131","DocTime":"1838","DocTotal":"1e2","DocType":"I","DocumentLines":[{"LineNum":-1}]}"#;

/// Numbers that look random and are the same each time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % end.max(1) as u64).unwrap_or_default()
    }

    /// `text` with some bytes changed, dropped, doubled or moved.
    fn spoil(&mut self, text: &str) -> Vec<u8> {
        const BYTES: &[u8] = b"'(),=-:;/$%\r\n\\\"{}[] \0\xFF\xC3a0";
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 if !bytes.is_empty() => {
                    bytes[at] = BYTES[self.below(BYTES.len())];
                }
                1 => bytes.insert(at, BYTES[self.below(BYTES.len())]),
                2 if !bytes.is_empty() => {
                    bytes.remove(at);
                }
                3 => bytes.truncate(at),
                _ => {
                    let tail = bytes.split_off(at);
                    bytes.splice(0..0, tail);
                }
            }
        }
        bytes
    }
}

fn read_all(document: &Type, bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes);
    let names = Names { user_fields: &[] };
    let filter = filter_parser::parse(&text, document, &names).map(|filter| filter.passes(&|_| Value::Null, true));
    let path = Target::parse(&text).and_then(|target| target.key(document));
    let batch = envelope::read("multipart/mixed;boundary=b", bytes, Version::V1);
    let body = serde_json::from_slice::<Value>(bytes).ok().and_then(|body| names.read(document, body).ok());
    usize::from(filter.is_ok()) + usize::from(path.is_ok()) + usize::from(batch.is_ok()) + usize::from(body.is_some())
}

#[test]
fn no_input_breaks_it() {
    let mut numbers = Numbers(1);
    let document = schema().type_named("Document").unwrap();
    let mut understood = 0;
    for _ in 0..10_000 {
        for text in [FILTER, PATH, BATCH, BODY] {
            understood += read_all(document, &numbers.spoil(text));
        }
    }
    assert!(understood > 100, "some are still understood: {understood}");
}
