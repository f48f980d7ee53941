//! How what was started comes to its end, also when this program is killed.
//!
//! A started process has a ward: a shell in a group of its own that waits for the end of its input. Only this program holds
//! the other end, so the ward acts when this program ends, however that happens. The bare loop needs none: it ends with
//! its own input.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Launch;
use crate::error::{Result, Tried};

/// How long a process may take to stop before it is killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What must be stopped. Dropping it does so and waits for the end.
pub(super) struct Stop {
    child: Child,
    ward: Option<Child>,
    /// Whether the ward stops the broker, or only stands by.
    ward_stops: bool,
}

impl Stop {
    /// Takes charge of a child that was just spawned with its files in `dir`.
    pub(super) fn of(mut child: Child, launch: &Launch, dir: &Path) -> Result<Self> {
        let ward = match launch {
            Launch::Limit => Ok(None),
            Launch::Command(_) => {
                ward("kill \"$0\" 2>/dev/null", child.id().to_string().as_ref(), dir).map(Some)
            }
            Launch::Oracle(script) => ward("exec \"$0\" stop \"$1\" >/dev/null", script, dir).map(Some),
        };
        if ward.is_err() {
            stop_child(&mut child);
        }
        Ok(Self { child, ward: ward?, ward_stops: matches!(launch, Launch::Oracle(_)) })
    }

    /// The spawned process: the broker itself or the script that starts it.
    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        match &mut self.ward {
            Some(ward) if self.ward_stops => {
                stop_child(&mut self.child);
                drop(ward.stdin.take());
            }
            // It must not meet the process id when that belongs to somebody else.
            Some(ward) => {
                let _ = ward.kill();
                stop_child(&mut self.child);
            }
            None => stop_child(&mut self.child),
        }
        let ended = self.ward.as_mut().map(Child::wait);
        if self.ward_stops && !ended.is_some_and(|ended| ended.is_ok_and(|status| status.success())) {
            eprintln!("bench: the script did not stop its broker");
        }
    }
}

fn ward(act: &str, first: &Path, second: &Path) -> Result<Child> {
    Command::new("sh")
        .args(["-c", &format!("cat >/dev/null; {act}")])
        .args([first, second])
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()
        .tried(|| "start sh".to_owned())
}

fn stop_child(child: &mut Child) {
    drop(child.stdin.take());
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    // It may end by itself at this moment; then there is nothing to signal.
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
    let begin = Instant::now();
    while matches!(child.try_wait(), Ok(None)) {
        if begin.elapsed() > PATIENCE {
            eprintln!("bench: process {} does not stop, killed", child.id());
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_script_is_asked_to_stop_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("oracle");
        fs::write(&script, "#!/bin/sh\necho \"$1\" >\"$2/called\"\n").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let child = Command::new("true").spawn().unwrap();
        drop(Stop::of(child, &Launch::Oracle(script), dir.path()).unwrap());
        assert_eq!(fs::read_to_string(dir.path().join("called")).unwrap(), "stop\n");
    }

    #[test]
    fn a_command_is_stopped_whoever_ends_first() {
        let spawn = || {
            Command::new("sh").args(["-c", "exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
        };
        let command = Launch::Command(Vec::new());
        let here = Path::new(".");

        let mut child = spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        drop(Stop::of(child, &command, here).unwrap());
        assert_eq!(output.read(&mut [0]).unwrap(), 0, "its output is closed, so it has ended");

        // As if this program were killed: only the ward's input closes.
        let mut stop = Stop::of(spawn().unwrap(), &command, here).unwrap();
        let mut output = stop.child.stdout.take().unwrap();
        drop(stop.ward.as_mut().unwrap().stdin.take());
        assert_eq!(output.read(&mut [0]).unwrap(), 0, "the ward has ended it");
    }
}
