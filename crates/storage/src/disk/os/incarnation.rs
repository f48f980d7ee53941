//! Whether what was written to a directory can have been lost: not while the same kernel runs on the same mount.
//!
//! The kernel keeps what was written and not synced until it has written it back itself. Only a stop of the kernel takes
//! that away, or a file system that is taken down and mounted again, as after a failure of its disk. Numbers of mounts that
//! are given out once in the life of a kernel tell the latter (Linux 6.8); where there are none, nothing is promised.

use std::io;
use std::path::Path;

/// `<boot id> <mount> <directory's inode>`.
#[cfg(target_os = "linux")]
pub(super) fn of(dir: &Path) -> io::Result<Option<String>> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

    /// `STATX_MNT_ID_UNIQUE`
    const UNIQUE_MOUNT: StatxFlags = StatxFlags::from_bits_retain(0x4000);
    let Some(boot) = read("/proc/sys/kernel/random/boot_id")? else { return Ok(None) };
    let found = match statx(CWD, dir, AtFlags::empty(), StatxFlags::INO | UNIQUE_MOUNT) {
        Ok(found) if found.stx_mask & UNIQUE_MOUNT.bits() != 0 => found,
        Ok(_) | Err(rustix::io::Errno::NOSYS) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(mounts) = read("/proc/self/mountinfo")? else { return Ok(None) };
    if has_mount_below(&mounts, &dir.canonicalize()?) {
        return Ok(None);
    }
    Ok(Some(format!("{} {} {}", boot.trim(), found.stx_mnt_id, found.stx_ino)))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn of(_dir: &Path) -> io::Result<Option<String>> {
    Ok(None)
}

#[cfg(target_os = "linux")]
fn read(path: &str) -> io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether something inside of `dir` is a mount of its own. The fifth field of a line is where it is mounted; what would
/// end the field early stands there as an octal number.
#[cfg(target_os = "linux")]
fn has_mount_below(mounts: &str, dir: &Path) -> bool {
    let dir = dir.to_string_lossy();
    let escape = |text: &str| {
        text.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011").replace('\n', "\\012")
    };
    let below = format!("{}/", escape(dir.trim_end_matches('/')));
    mounts.lines().filter_map(|line| line.split(' ').nth(4)).any(|point| point.starts_with(&below))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_as_long_as_the_kernel_runs() {
        let dir = tempfile::tempdir().unwrap();
        let Some(first) = of(dir.path()).unwrap() else {
            println!("SKIPPED: this kernel does not number its mounts once and for all");
            return;
        };
        assert_eq!(of(dir.path()).unwrap().as_deref(), Some(first.as_str()));
        let other = tempfile::tempdir().unwrap();
        assert_ne!(of(other.path()).unwrap(), Some(first), "another directory is not the same");
        assert_eq!(of(Path::new("/")).unwrap(), None, "there are mounts below, of which nothing is said");
    }

    #[test]
    fn mounts_inside_are_seen() {
        let check = |dir: &str, expect: bool| {
            let mounts = "21 1 8:1 / / rw - ext4 /dev/a rw\n\
                          22 21 8:2 / /data/t-0 rw - ext4 /dev/b rw\n\
                          23 21 8:3 / /my\\040data/x rw - xfs /dev/c rw\n";
            assert_eq!(has_mount_below(mounts, Path::new(dir)), expect, "{dir}");
        };
        check("/data", true);
        check("/data/", true);
        check("/data/t-0", false);
        check("/dat", false);
        check("/my data", true);
        check("/", true);
    }
}
