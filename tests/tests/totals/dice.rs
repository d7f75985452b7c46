//! Numbers that look random and depend on the order's number alone (SplitMix64).

use rust_decimal::Decimal;

pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn of(number: u64) -> Self {
        Self(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x0070_7A15)
    }

    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    /// Whether something happens that happens so often in a hundred.
    pub(crate) fn percent(&mut self, often: u64) -> bool {
        self.roll(100) < often
    }

    pub(crate) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.roll(list.len() as u64) as usize]
    }

    /// A number of `decimals` decimals, from the smallest one up to about `most`.
    pub(crate) fn amount(&mut self, most: u64, decimals: u32) -> Decimal {
        let all = most * 10_u64.pow(decimals);
        Decimal::new(1 + self.roll(all) as i64, decimals)
    }
}
