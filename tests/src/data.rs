//! The reference data: payloads that nobody in this project wrote, read in place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folder of the reference data, if it is there: the variable `DATAWALD_DATA`, else `../shared/data` beside the
/// workspace. Where it is absent, this says so.
pub fn data_folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("DATAWALD_DATA").map_or_else(beside, PathBuf::from);
    let found = folder.is_dir();
    if !found {
        #[allow(clippy::print_stderr, reason = "for whoever reads the test's output")]
        {
            eprintln!(
                "the reference data is not at {} (set DATAWALD_DATA): nothing is checked against it",
                folder.display()
            );
        }
    }
    found.then_some(folder)
}

/// The folder of the Service Layer's reference data, if it is there.
pub fn service_layer_folder() -> Option<PathBuf> {
    data_folder().map(|data| data.join("sapb1-service-layer"))
}

/// The elements of an XML text, with their attributes: enough of XML for `metadata.xml`.
pub fn elements(xml: &str) -> impl Iterator<Item = (&str, BTreeMap<&str, String>)> {
    xml.split('<').filter_map(|element| {
        let (inside, _) = element.split_once('>')?;
        let (name, mut rest) = inside.split_once(' ')?;
        let mut attributes = BTreeMap::new();
        while let Some((key, after)) = rest.split_once("=\"") {
            let (value, after) = after.split_once('"')?;
            let value = value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
            attributes.insert(key.trim(), value);
            rest = after;
        }
        Some((name, attributes))
    })
}
