//! A copy of the workspace.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Makes `to` a copy of the workspace `from`, with `changed` instead of the files of these names. What is the same already is
/// left as it is, so that cargo builds no more than it has to.
///
/// # Errors
/// Of the file system.
pub fn copy(from: &Path, to: &Path, changed: &BTreeMap<String, String>) -> io::Result<()> {
    for (file, text) in changed {
        write(&to.join(file), text.as_bytes())?;
    }
    folder(from, to, "", changed)
}

fn folder(from: &Path, to: &Path, below: &str, changed: &BTreeMap<String, String>) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.') && *name != "target") else { continue };
        let path = format!("{below}{name}");
        if entry.file_type()?.is_dir() {
            folder(&entry.path(), &to.join(name), &format!("{path}/"), changed)?;
        } else if !changed.contains_key(&path) {
            write(&to.join(name), &std::fs::read(entry.path())?)?;
        }
    }
    // What is gone here is gone there too.
    for entry in std::fs::read_dir(to)? {
        let entry = entry?;
        if !from.join(entry.file_name()).exists() {
            if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, bytes)
}
