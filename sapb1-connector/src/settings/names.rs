//! Maps from the shop's codes to SAP B1's names.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A map from the shop's codes to SAP B1's names: the exact code first, then the longest key that is part of the code,
/// then the default.
///
/// ```
/// use sapb1_connector::settings::NameMap;
/// let map = NameMap {
///     names: [("ups".into(), "UPS".into()), ("ups_air".into(), "UPS Air".into())].into(),
///     default: Some("Pickup".into()),
/// };
/// assert_eq!(map.get("ups_air"), Some("UPS Air"));
/// assert_eq!(map.get("premium_ups_ground"), Some("UPS"));
/// assert_eq!(map.get("flatrate_flatrate"), Some("Pickup"));
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NameMap {
    /// SAP B1's name of what stands nowhere in `names`; without it, the field is left out.
    pub default: Option<String>,
    /// SAP B1's names by the shop's codes; case does not matter.
    pub names: BTreeMap<String, String>,
}

impl NameMap {
    /// SAP B1's name for the shop's `code`.
    pub fn get(&self, code: &str) -> Option<&str> {
        let code = code.to_lowercase();
        let exact = self.names.iter().find(|(key, _)| key.to_lowercase() == code);
        let part = || {
            let parts = self.names.iter().filter(|(key, _)| !code.is_empty() && code.contains(&key.to_lowercase()));
            // Of keys of the same length the first in the alphabet, so that the choice never depends on the file.
            parts.reduce(|best, next| if next.0.len() > best.0.len() { next } else { best })
        };
        exact.or_else(part).map(|(_, name)| name.as_str()).or(self.default.as_deref())
    }
}
