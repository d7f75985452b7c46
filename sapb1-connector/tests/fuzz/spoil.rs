//! Spoiling good inputs.

/// Bytes that mean something in one of the formats, or are no text.
const BYTES: &[u8] = b"'(),=-:;/$%?\r\n\\\"{}[] \0\xFF\xC3\xA0a019.eE+";

/// Texts that are hard to take: huge and odd numbers, deep nesting, odd words.
const TEXTS: &[&str] = &[
    "99999999999999999999999999999999999999999999",
    "-9223372036854775809",
    "1e999999999",
    "1E-999999999",
    "0.00000000000000000000000000000000000000001",
    "18446744073709551616",
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "\\u0000",
    "\\ud800",
    "--b",
    "--b--",
    "HTTP/1.1 99999 \r\n",
    "Content-Type: multipart/mixed;boundary=b\r\n\r\n",
    "Content-ID: 18446744073709551616\r\n",
    "/b1s/v1/",
    "../",
    "//",
    "\u{202e}ä\u{1F600}",
];

/// The most bytes that one input is made to have.
const MOST: usize = 16 << 10;

/// Numbers that look random and are the same each time (SplitMix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % end.max(1) as u64).unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        BYTES[self.below(BYTES.len())]
    }

    /// One of `good`, spoilt once or a few times.
    pub(crate) fn spoilt(&mut self, good: &[&[u8]]) -> Vec<u8> {
        let mut bytes = good[self.below(good.len())].to_vec();
        // Most a little, since that leads deepest.
        for _ in 0..=self.below(6).min(self.below(6)) {
            self.spoil(&mut bytes, good);
        }
        bytes.truncate(MOST);
        bytes
    }

    fn spoil(&mut self, bytes: &mut Vec<u8>, good: &[&[u8]]) {
        let at = self.below(bytes.len() + 1);
        match self.below(64) {
            // Flipped bits, bytes changed, put in and taken out.
            0..16 => {
                let bit = 1 << self.below(8);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= bit);
            }
            16..24 => {
                let other = self.byte();
                bytes.get_mut(at).into_iter().for_each(|byte| *byte = other);
            }
            24..32 => bytes.insert(at, self.byte()),
            32..40 if at < bytes.len() => {
                bytes.remove(at);
            }
            // Cut at either end, or with the ends exchanged.
            40 => bytes.truncate(at),
            41 => drop(bytes.drain(..at)),
            42 => bytes.rotate_left(at),
            // The head of one and the tail of another.
            43..48 => {
                let other = good[self.below(good.len())];
                let from = self.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            // A part again and again.
            48..54 => {
                let end = (at + 1 + self.below(40)).min(bytes.len());
                let part = bytes[at.min(end)..end].to_vec();
                let many = MOST / part.len().max(1);
                let times = if self.below(50) == 0 { many } else { 1 + self.below(4) };
                bytes.splice(end..end, part.repeat(times));
            }
            // In the place of a word: numbers, mostly.
            54..62 => {
                let text = TEXTS[self.below(TEXTS.len())];
                let ends = |byte: &u8| !byte.is_ascii_alphanumeric() && !b".-+_".contains(byte);
                let start = bytes[..at].iter().rposition(ends).map_or(0, |place| place + 1);
                let end = bytes[at..].iter().position(ends).map_or(bytes.len(), |place| at + place);
                bytes.splice(start..end, text.bytes());
            }
            // Deep nesting and long lines, seldom, since they are long.
            62 if self.below(8) == 0 => {
                let open = [&b"["[..], b"{\"a\":", b"(", b"\""][self.below(4)];
                bytes.splice(at..at, open.repeat(100 + self.below(2_000)));
            }
            63 if self.below(8) == 0 => {
                let long = vec![self.byte(); 1_000 + self.below(8_000)];
                bytes.splice(at..at, long);
            }
            _ => {}
        }
    }
}
