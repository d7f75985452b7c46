//! The list of mutations fits the code.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use datawald_tests::mutants::List;

/// Each mutation finds its place, exactly once. Whether each is caught is for the program `mutants` to say.
#[test]
fn each_mutation_finds_its_place() {
    let workspace = List::workspace();
    let list = List::read(&workspace).unwrap();
    assert!(list.mutations.len() >= 30, "{} mutations", list.mutations.len());
    let files = list.switched(&workspace).unwrap_or_else(|error| panic!("{error}"));
    for mutation in &list.mutations {
        let switch = format!("crate::mutant::on(\"{}\")", mutation.name);
        let switches: usize = files.values().map(|text| text.matches(&switch).count()).sum();
        assert_eq!(switches, mutation.edits.len(), "{}", mutation.name);
    }
}
