//! The decimals of amounts, as a company sets them for each of its currencies.

use std::collections::BTreeMap;

/// What companies usually set: as many as there are coins for. Two for a currency that is not here.
pub(super) fn usual() -> BTreeMap<String, u32> {
    let without = ["CLP", "ISK", "JPY", "KRW", "PYG", "VND", "XAF", "XOF"].map(|currency| (currency, 0));
    let three = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"].map(|currency| (currency, 3));
    without.into_iter().chain(three).map(|(currency, decimals)| (currency.to_owned(), decimals)).collect()
}

/// Those of one currency.
pub(super) fn of(decimals: &BTreeMap<String, u32>, currency: &str) -> u32 {
    decimals.get(currency).copied().unwrap_or(2)
}
