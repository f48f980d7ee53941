//! Kafka's names for this program: `kafka-topics.sh` and the others as symlinks.

use std::io;
use std::path::{Path, PathBuf};

use crate::console::Console;
use crate::tools;

/// Makes `DIR/kafka-topics.sh` and one such link for every tool, all pointing to this program. Links that are there are
/// replaced; a file of that name that is no link is left alone and is an error. Gives the links made.
///
/// # Errors
/// When the directory or a link cannot be made.
pub fn install_aliases(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let program = std::env::current_exe()?;
    std::fs::create_dir_all(directory)?;
    let mut made = Vec::new();
    for tool in tools::ALL {
        let link = directory.join(format!("{}.sh", tool.name));
        match std::fs::symlink_metadata(&link) {
            Ok(found) if found.is_symlink() => std::fs::remove_file(&link)?,
            Ok(_) => {
                let text = format!("{} is there and is no link", link.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
            }
            Err(_) => {}
        }
        std::os::unix::fs::symlink(&program, &link)?;
        made.push(link);
    }
    Ok(made)
}

/// `install-aliases DIR`.
pub(crate) fn run(arguments: &[String], console: &mut Console) -> u8 {
    let [directory] = arguments else {
        console.error(format_args!("install-aliases needs a directory: install-aliases DIR"));
        return 1;
    };
    match install_aliases(Path::new(directory)) {
        Ok(links) => {
            for link in links {
                console.line(format_args!("{}", link.display()));
            }
            0
        }
        Err(error) => {
            console.error(format_args!("The aliases cannot be made in {directory}: {error}"));
            1
        }
    }
}
