//! The list of mutations.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// All mutations.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// In the order of the file.
    #[serde(rename = "mutation")]
    pub mutations: Vec<Mutation>,
}

/// The code with a rule removed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    /// What it is called on the command line.
    pub name: String,
    /// The rule, in plain words.
    pub rule: String,
    /// What is changed.
    #[serde(rename = "edit")]
    pub edits: Vec<Edit>,
}

/// A change of one place.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The file, from the root of the workspace.
    pub file: String,
    /// A piece of it that says which place is meant, where `find` stands in it more than once.
    #[serde(default)]
    pub within: Option<String>,
    /// What stands there.
    pub find: String,
    /// What stands there without the rule.
    pub replace: String,
}

impl List {
    /// The workspace that this crate is part of: the one that cargo runs it in, else the one that it was built in.
    pub fn workspace() -> PathBuf {
        let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").into());
        let here = PathBuf::from(here);
        here.parent().unwrap_or(&here).to_owned()
    }

    /// Reads `tests/mutations.toml` of a workspace.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(workspace: &Path) -> Result<Self, String> {
        let path = workspace.join("tests/mutations.toml");
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(&error))?;
        let list: Self = toml::from_str(&text).map_err(|error| wrong(&error))?;
        let mut names = BTreeSet::new();
        match list.mutations.iter().find(|mutation| !names.insert(&mutation.name)) {
            Some(twice) => Err(wrong(&format!("{} is there twice", twice.name))),
            None => Ok(list),
        }
    }

    /// The mutations with these names; all if none is given.
    ///
    /// # Errors
    /// Of a name that is not in the list.
    pub fn named(&self, names: &[String]) -> Result<Vec<&Mutation>, String> {
        let find = |name: &String| {
            let found = self.mutations.iter().find(|mutation| mutation.name == *name);
            found.ok_or_else(|| format!("there is no mutation {name} in tests/mutations.toml"))
        };
        if names.is_empty() { Ok(self.mutations.iter().collect()) } else { names.iter().map(find).collect() }
    }
}
