//! The reference data: payloads that nobody in this project wrote, read in place.

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
