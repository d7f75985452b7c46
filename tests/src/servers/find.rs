//! Where the programs are.

use std::path::{Path, PathBuf};

/// The program `name`: the first of the folders `before`, those of `PATH`, and the folders `after` that has it.
pub(super) fn program(name: &str, before: &[&Path], after: &[&Path]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<_> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
    let folders = before.iter().copied().chain(on_path.iter().map(PathBuf::as_path)).chain(after.iter().copied());
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Where `./scripts/test` puts the programs that it builds.
pub(super) fn built_folder() -> PathBuf {
    workspace().join(".cache/bin")
}

/// The program `schemathesis`, on `PATH` or where `./scripts/test` puts it.
pub fn schemathesis() -> Option<PathBuf> {
    program("schemathesis", &[&workspace().join(".cache/schemathesis/bin")], &[])
}

/// The root of the workspace.
pub(super) fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}
