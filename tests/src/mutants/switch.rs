//! From a file to the same file with all its mutations, each behind its switch.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Edit, List, Mutation};

/// What the switches ask; it is added to each crate that has some.
const SWITCH: &str = r#"

/// Which rule is removed.
#[doc(hidden)]
pub mod mutant {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
    static TOLD: AtomicBool = AtomicBool::new(false);

    pub fn on(name: &str) -> bool {
        let chosen = CHOSEN.get_or_init(|| std::env::var("DATAWALD_MUTANT").ok());
        let on = chosen.as_deref() == Some(name);
        if on && !TOLD.swap(true, Ordering::Relaxed) {
            eprintln!("a mutation was reached");
        }
        on
    }
}
"#;

/// Mutations of one place of a file.
struct Place<'a> {
    from: usize,
    find: &'a str,
    /// By the name of the mutation.
    replace: Vec<(&'a str, &'a str)>,
}

impl List {
    /// The files that mutations change, by their path from the workspace, each with all mutations behind their switches.
    ///
    /// # Errors
    /// Names the mutation that does not fit its file.
    pub fn switched(&self, workspace: &Path) -> Result<BTreeMap<String, String>, String> {
        let mut edits: BTreeMap<&str, Vec<(&Mutation, &Edit)>> = BTreeMap::new();
        for mutation in &self.mutations {
            for edit in &mutation.edits {
                edits.entry(&edit.file).or_default().push((mutation, edit));
            }
        }
        let mut files = BTreeMap::new();
        let mut roots = BTreeMap::new();
        for (file, edits) in edits {
            let text = read(workspace, file)?;
            files.insert(file.to_owned(), switched(file, &text, &edits)?);
            let root = file.split('/').next().map(|folder| format!("{folder}/src/lib.rs")).unwrap_or_default();
            let text = read(workspace, &root)?;
            roots.insert(root, text);
        }
        for (root, text) in roots {
            files.entry(root).or_insert(text).push_str(SWITCH);
        }
        Ok(files)
    }
}

fn read(workspace: &Path, file: &str) -> Result<String, String> {
    std::fs::read_to_string(workspace.join(file)).map_err(|error| format!("{file}: {error}"))
}

fn switched(file: &str, text: &str, edits: &[(&Mutation, &Edit)]) -> Result<String, String> {
    let mut places: Vec<Place<'_>> = Vec::new();
    for (Mutation { name, .. }, Edit { within, find, replace, .. }) in edits {
        let of_this = |error: String| format!("{name}: {error} of {file}");
        let whole = within.as_deref().unwrap_or(text);
        let begin = if within.is_some() { only(text, whole).map_err(of_this)? } else { 0 };
        let from = begin + only(whole, find).map_err(of_this)?;
        match places.iter_mut().find(|place| place.from == from && place.find == find) {
            Some(place) => place.replace.push((name, replace)),
            None => places.push(Place { from, find, replace: vec![(name, replace)] }),
        }
    }
    places.sort_by_key(|place| place.from);
    let mut switched = String::with_capacity(text.len() * 2);
    let mut at = 0;
    for place in &places {
        let Some(between) = text.get(at..place.from) else {
            let names: Vec<_> = place.replace.iter().map(|(name, _)| *name).collect();
            return Err(format!("{}: changes in {file} a part of what another mutation changes", names.join(", ")));
        };
        switched.push_str(between);
        switched.push_str(&place.switched());
        at = place.from + place.find.len();
    }
    switched.push_str(text.get(at..).unwrap_or_default());
    Ok(switched)
}

/// Where `find` stands in `text`, which it does once.
fn only(text: &str, find: &str) -> Result<usize, String> {
    let mut found = text.match_indices(find);
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Ok(at),
        _ => Err(format!(
            "what it changes stands {} times, not once, in its place\n{find}\n",
            text.matches(find).count()
        )),
    }
}

impl Place<'_> {
    fn switched(&self) -> String {
        let mut chain = String::new();
        for (name, replace) in &self.replace {
            chain.push_str(&format!("if crate::mutant::on(\"{name}\") {{ {replace} }} else "));
        }
        let statements = self.find.ends_with([';', '}']);
        chain.push_str(&format!("{{ {} }}", self.find));
        if statements { chain } else { format!("({chain})") }
    }
}
