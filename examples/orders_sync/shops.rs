//! Which shops the orders of a folder come from.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use datawald_core::{Error, Result};
use serde_json::Value;

/// The order files of one shop: names and JSON texts.
pub(crate) type Files = Vec<(String, String)>;

/// Reads the order files (`*.json`) of a folder and sorts them into shops.
///
/// A shop gives a number and an id to one order only. Where two files bear the same one, they come from different shops, or
/// are the same order at two times; so that every file is synced for itself, each further one goes to a further shop.
pub(crate) fn read(folder: &Path) -> Result<Vec<Files>> {
    let operation = "read order files";
    let name = folder.display().to_string();
    let entries = fs::read_dir(folder).map_err(|error| {
        Error::config(operation, format!("{name} cannot be read: is it a folder?")).caused_by(error)
    })?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json") && path.is_file());
    paths.sort();
    if paths.is_empty() {
        return Err(Error::config(operation, format!("{name} holds no .json files")));
    }
    let mut shops: Vec<(HashSet<String>, Files)> = Vec::new();
    for path in paths {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).map_err(|error| {
            Error::config(operation, format!("{file} is not readable as UTF-8 text")).caused_by(error)
        })?;
        let ids = ids(&text);
        let place = shops.iter().position(|(taken, _)| taken.is_disjoint(&ids)).unwrap_or_else(|| {
            shops.push(Default::default());
            shops.len() - 1
        });
        if let Some((taken, files)) = shops.get_mut(place) {
            taken.extend(ids);
            files.push((file, text));
        }
    }
    Ok(shops.into_iter().map(|(_, files)| files).collect())
}

/// What a shop gives to one order only: its number, and its id in the database.
fn ids(text: &str) -> HashSet<String> {
    let order: Value = serde_json::from_str(text).unwrap_or_default();
    ["increment_id", "entity_id"].iter().filter_map(|name| Some(format!("{name} {}", order.get(name)?))).collect()
}

/// The order's number.
pub(crate) fn number(text: &str) -> Option<String> {
    let order: Value = serde_json::from_str(text).ok()?;
    Some(order.get("increment_id")?.as_str()?.to_owned())
}
