//! The two things every `build.rs` does: read a table, write a source file.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

use crate::error::Error;

/// Reads the table at `path` and asks cargo to run the build script again when it changes.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> Result<String, Error> {
    println!("cargo:rerun-if-changed={}", path.display());
    fs::read_to_string(path).map_err(|error| Error::new(path, 0, error.to_string()))
}

/// The `.def` files of a folder, sorted by name. Cargo runs the build script again when one is added.
///
/// # Errors
/// When the folder cannot be read.
pub fn tables(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    println!("cargo:rerun-if-changed={}", folder.display());
    let fail = |error: std::io::Error| Error::new(folder, 0, error.to_string());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|extension| extension == "def") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Writes `source` as `name` into the build's output folder, or prints the mistake and ends the build.
pub fn write(name: &str, source: Result<String, Error>) {
    let source = source.unwrap_or_else(|error| fail(&error.to_string()));
    let folder = env::var_os("OUT_DIR").unwrap_or_else(|| fail("OUT_DIR is not set: not in a build script"));
    let path = Path::new(&folder).join(name);
    if let Err(error) = fs::write(&path, source) {
        fail(&format!("{}: {error}", path.display()));
    }
}

fn fail(message: &str) -> ! {
    eprintln!("error: {message}");
    process::exit(1)
}
