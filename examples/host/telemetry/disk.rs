//! How much room the store takes, and how much there is.

use std::path::Path;

use metrics::{Unit, describe_gauge, gauge};

const SIZE: &str = "datawald_store_bytes";
const FREE: &str = "datawald_store_disk_free_bytes";

pub(super) fn describe() {
    describe_gauge!(SIZE, Unit::Bytes, "What the store's file takes, with its log");
    describe_gauge!(FREE, Unit::Bytes, "What is free for this process on the disk of the store's file");
}

/// Measures the disk of a store's file. A store on another machine tells of itself there.
pub(super) fn measure(file: &Path) {
    let size = |suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        std::fs::metadata(Path::new(&name)).map_or(0, |data| data.len())
    };
    gauge!(SIZE).set((size("") + size("-wal")) as f64);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(disk) = rustix::fs::statvfs(folder) {
        gauge!(FREE).set(disk.f_bavail.saturating_mul(disk.f_frsize) as f64);
    }
}
