//! What a process and the machine have used, as `/proc` tells it.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::error::{Error, Result, Tried};

/// A process, by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(pub u32);

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident now.
    pub resident: u64,
    /// The most that was ever resident.
    pub peak: u64,
}

/// CPU time of the whole machine since it started, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MachineTime {
    /// Idle, or waiting for a disk.
    pub idle: u64,
    /// All.
    pub total: u64,
}

impl Process {
    /// This process.
    pub fn own() -> Self {
        Self(std::process::id())
    }

    /// CPU time of all its threads, also of those that have ended; in steps of 10 ms on most machines.
    pub fn cpu(self) -> Result<Duration> {
        let stat = self.read("stat")?;
        let ticks = cpu_ticks(&stat).ok_or_else(|| self.strange("stat"))?;
        Ok(of_ticks(ticks))
    }

    /// CPU time of the threads that live, to the nanosecond: for a process that does next to nothing.
    pub fn cpu_of_living_threads(self) -> Result<Duration> {
        let folder = format!("/proc/{}/task", self.0);
        let mut nanos = 0;
        for thread in fs::read_dir(&folder).tried(|| folder.clone())? {
            let path = thread.tried(|| folder.clone())?.path().join("schedstat");
            // A thread may end between the listing and the reading.
            let Ok(text) = fs::read_to_string(path) else { continue };
            nanos += text.split_whitespace().next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Its memory.
    pub fn memory(self) -> Result<Memory> {
        let status = self.read("status")?;
        let field = |name| status_bytes(&status, name).ok_or_else(|| self.strange("status"));
        Ok(Memory { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
    }

    /// Its open descriptors.
    pub fn descriptors(self) -> Result<usize> {
        let folder = format!("/proc/{}/fd", self.0);
        Ok(fs::read_dir(&folder).tried(|| folder)?.count())
    }

    /// Whether it has not ended.
    pub fn is_alive(self) -> bool {
        self.pid().is_some_and(|pid| test_kill_process(pid).is_ok())
    }

    /// Ends it at once.
    pub fn kill(self) -> Result<()> {
        let pid = self.pid().ok_or_else(|| Error::Usage(format!("{} is no process id", self.0)))?;
        kill_process(pid, Signal::KILL).tried(|| format!("kill {}", self.0))
    }

    fn pid(self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.0).ok()?)
    }

    fn read(self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&path).tried(|| path)
    }

    fn strange(self, file: &str) -> Error {
        Error::Answer(format!("/proc/{}/{file} has another form", self.0))
    }
}

impl MachineTime {
    /// Up to now.
    pub fn now() -> Result<Self> {
        let path = "/proc/stat";
        let text = fs::read_to_string(path).tried(|| path.to_owned())?;
        Self::parse(&text).ok_or_else(|| Error::Answer(format!("{path} has another form")))
    }

    /// How much of the machine was idle since `earlier`, 0 to 1.
    pub fn idle_since(self, earlier: Self) -> f64 {
        let total = self.total.saturating_sub(earlier.total).max(1);
        self.idle.saturating_sub(earlier.idle) as f64 / total as f64
    }

    /// CPU time that was used since `earlier`, over all cores.
    pub fn busy_since(self, earlier: Self) -> Duration {
        let busy = |time: Self| time.total.saturating_sub(time.idle);
        of_ticks(busy(self).saturating_sub(busy(earlier)))
    }

    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
        // user nice system idle iowait irq softirq steal; guest times are part of user.
        let fields: Vec<u64> =
            line.split_whitespace().take(8).map_while(|field| field.parse().ok()).collect();
        (fields.len() >= 5).then(|| Self { idle: fields[3] + fields[4], total: fields.iter().sum() })
    }
}

fn of_ticks(ticks: u64) -> Duration {
    Duration::from_nanos(ticks * (1_000_000_000 / rustix::param::clock_ticks_per_second()))
}

/// utime + stime of `/proc/PID/stat`. The name in parentheses may hold anything, so counting begins behind it.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn status_bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_proc_are_read_by_their_fields() {
        let stat = "7 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 1 0 99 0 0";
        assert_eq!(cpu_ticks(stat), Some(175));
        assert_eq!(cpu_ticks("7 (x) S 1"), None);
        assert_eq!(status_bytes("VmPeak:\t 9 kB\nVmRSS:\t    20 kB\n", "VmRSS:"), Some(20 << 10));
        assert_eq!(status_bytes("VmRSS:\t 20 pages\n", "VmRSS:"), None);
        let time = MachineTime::parse("cpu  1 2 3 40 5 6 7 8 9 9\ncpu0 1 1 1 1\n");
        assert_eq!(time, Some(MachineTime { idle: 45, total: 72 }));
        assert_eq!(MachineTime::parse("cpu 1 2\n"), None);
    }

    #[test]
    fn half_of_what_passed_is_half() {
        let later = MachineTime { idle: 150, total: 400 };
        assert_eq!(later.idle_since(MachineTime { idle: 50, total: 200 }), 0.5);
        assert_eq!(later.idle_since(later), 0.0);
        let earlier = MachineTime { idle: 150, total: 300 };
        assert_eq!(later.busy_since(earlier), of_ticks(100));
    }

    #[test]
    fn this_process_has_used_memory() {
        if !std::path::Path::new("/proc/self/stat").exists() {
            println!("SKIPPED: no /proc here");
            return;
        }
        let memory = Process::own().memory().unwrap();
        assert!(memory.resident > 0 && memory.peak >= memory.resident);
        Process::own().cpu().unwrap();
        assert!(Process::own().is_alive() && Process::own().descriptors().unwrap() > 2);
        assert!(Process::own().cpu_of_living_threads().unwrap() > Duration::ZERO);
    }
}
