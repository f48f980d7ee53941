//! Brokers started for a measurement, and stopped after it.
//!
//! Three kinds: a command that stays in the foreground, an oracle script that starts Apache Kafka, and the bare loop of this
//! program. Invariant: what was started here is stopped when its [`Broker`] goes, also after an error and
//! when this program is killed.

pub mod files;
mod stop;

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use base::uuid::Uuid;

use self::stop::Stop;
use crate::batch;
use crate::control::Control;
use crate::error::{Error, Result, Tried};
use crate::load::VALUE_SIZE;
use crate::process::Process;

/// What a started process prints goes to this file in its directory.
const PRINTED: &str = "bench.out";
/// And what it complains about to this one.
const ERRORS: &str = "bench.err";

/// Which broker, as the command line names it: `NAME=COMMAND` or `NAME=oracle:SCRIPT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contender {
    /// What it is called in the report.
    pub name: String,
    /// How it is started.
    pub launch: Launch,
    /// Broker configs beside the usual ones.
    pub settings: Vec<(String, String)>,
}

/// How a broker is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Launch {
    /// A program with arguments that stays in the foreground. `{dir}`, `{port}` and `{properties}` (a file for a
    /// combined node) are filled in.
    Command(Vec<String>),
    /// A script that is called `SCRIPT start DIR PORT KEY=VALUE…`, prints a process id when the broker listens, and stops it on
    /// `SCRIPT stop DIR`.
    Oracle(PathBuf),
    /// This program's bare loop.
    Limit,
}

/// A running broker.
pub struct Broker {
    /// What it is called in the report.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub process: Process,
    /// Its files are below.
    pub dir: PathBuf,
    /// From its start to the ack of its first produce.
    pub first_ack: Duration,
    _stop: Stop,
}

impl FromStr for Contender {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let Some((name, how)) =
            text.split_once('=').filter(|(name, how)| !name.is_empty() && !how.trim().is_empty())
        else {
            return Err("expected NAME=COMMAND or NAME=oracle:SCRIPT".to_owned());
        };
        let launch = match how.strip_prefix("oracle:") {
            Some(script) => Launch::Oracle(script.into()),
            None => Launch::Command(command_words(how)),
        };
        Ok(Self { name: name.to_owned(), launch, settings: Vec::new() })
    }
}

impl Contender {
    /// The bare loop.
    pub fn limit() -> Self {
        Self { name: "limit".to_owned(), launch: Launch::Limit, settings: Vec::new() }
    }

    /// Starts the broker on an empty directory `dir`, which is made, and waits for the ack of a first produce of one record.
    pub fn start(&self, dir: &Path) -> Result<Broker> {
        if dir.exists() {
            fs::remove_dir_all(dir).tried(|| format!("empty {}", dir.display()))?;
        }
        fs::create_dir_all(dir).tried(|| format!("make {}", dir.display()))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        self.launch(dir, address, |control| control.create_topic("first", 1, &[]).map(|topic| (topic, 0)))
    }

    /// Starts the broker on what an earlier one left in `dir`, at the same address, and waits for the ack of a produce of
    /// one record to a partition that is there.
    pub fn start_again(&self, dir: &Path, address: SocketAddr, partition: (Uuid, i32)) -> Result<Broker> {
        self.launch(dir, address, |_| Ok(partition))
    }

    fn launch(
        &self,
        dir: &Path,
        address: SocketAddr,
        partition: impl FnOnce(&mut Control) -> Result<(Uuid, i32)>,
    ) -> Result<Broker> {
        let dir = dir.canonicalize().tried(|| format!("find {}", dir.display()))?;
        let mut command = self.command(&dir, address.port())?;
        let batch = batch::prebuilt(1, VALUE_SIZE);

        let begin = Instant::now();
        let child = command.spawn().tried(|| format!("start {:?}", command.get_program()))?;
        let mut stop = Stop::of(child, &self.launch, &dir)?;
        let mut control = Control::connect_when_up(address, || is_coming(&mut stop, &self.launch, &dir))
            .map_err(|error| {
                Error::Usage(format!("{} does not come up ({error}); {}", self.name, last_words(&dir)))
            })?;
        let (topic, index) = partition(&mut control)?;
        control.produce(topic, index, &batch)?;
        let first_ack = begin.elapsed();

        let process = process_of(&mut stop, &self.launch, &dir)?;
        Ok(Broker { name: self.name.clone(), address, process, dir, first_ack, _stop: stop })
    }

    fn command(&self, dir: &Path, port: u16) -> Result<Command> {
        let mut command = match &self.launch {
            Launch::Command(words) => {
                let properties = dir.join("server.properties");
                let data = dir.join("data");
                let text = properties_text(port, &data) + &self.settings_text();
                fs::write(&properties, text).tried(|| format!("write {}", properties.display()))?;
                let fill = |word: &String| {
                    word.replace("{dir}", &data.to_string_lossy())
                        .replace("{port}", &port.to_string())
                        .replace("{properties}", &properties.to_string_lossy())
                };
                let mut command = Command::new(&words[0]);
                command.args(words[1..].iter().map(fill)).stdin(Stdio::null());
                command
            }
            Launch::Oracle(script) => {
                let mut command = Command::new(script);
                command.arg("start").arg(dir).arg(port.to_string()).stdin(Stdio::null());
                command.args(self.settings.iter().map(|(key, value)| format!("{key}={value}")));
                command
            }
            Launch::Limit => {
                let own = std::env::current_exe().tried(|| "find this program".to_owned())?;
                let mut command = Command::new(own);
                command.arg("limit").arg(format!("127.0.0.1:{port}")).arg(dir).stdin(Stdio::piped());
                command
            }
        };
        let log = |name: &str| File::create(dir.join(name)).tried(|| format!("write in {}", dir.display()));
        command.stdout(log(PRINTED)?).stderr(log(ERRORS)?);
        Ok(command)
    }

    fn settings_text(&self) -> String {
        self.settings.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
    }
}

impl Broker {
    /// Stops it as its operator would; how long that took.
    pub fn stop(self) -> Duration {
        let begin = Instant::now();
        drop(self);
        begin.elapsed()
    }

    /// Ends its process at once, whatever it does.
    pub fn kill(self) -> Result<()> {
        self.process.kill()
    }

    /// Bytes of the logs of a topic.
    pub fn log_bytes(&self, topic: &str) -> u64 {
        files::log_bytes(&self.dir, topic)
    }

    /// Waits until nothing of a deleted topic is left in the broker's directory: ten seconds at most.
    pub fn await_deletion(&self, topic: &str) {
        let begin = Instant::now();
        while holds(&self.dir, topic, 3) && begin.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until its disk has no work left, so that one run does not pay for another.
    pub fn quiet_disk(&self) -> Result<()> {
        let dir = File::open(&self.dir).tried(|| format!("open {}", self.dir.display()))?;
        rustix::fs::syncfs(dir).tried(|| "syncfs".to_owned())
    }

    /// Has the kernel forget the contents of its files, which must be on the disk, see [`Broker::quiet_disk`].
    pub fn drop_pages(&self) -> Result<()> {
        files::drop_pages(&self.dir).tried(|| format!("drop the pages of {}", self.dir.display()))
    }

    /// Reads the segments of a topic from start to end; how long that takes.
    pub fn read_raw(&self, topic: &str) -> Result<Duration> {
        let begin = Instant::now();
        files::read_raw(&self.dir, topic).tried(|| format!("read the segments of {topic}"))?;
        Ok(begin.elapsed())
    }
}

/// Whether what was started may still come up. The script of an oracle ends when its broker listens, or when it has lost
/// patience with one that still starts.
fn is_coming(stop: &mut Stop, launch: &Launch, dir: &Path) -> bool {
    let ended = stop.child().try_wait().ok().flatten();
    ended.is_none_or(|status| {
        matches!(launch, Launch::Oracle(_))
            && (status.success() || noted_process(dir).is_some_and(Process::is_alive))
    })
}

/// The process of a broker that listens.
fn process_of(stop: &mut Stop, launch: &Launch, dir: &Path) -> Result<Process> {
    let Launch::Oracle(script) = launch else { return Ok(Process(stop.child().id())) };
    stop.child().wait().tried(|| format!("wait for {}", script.display()))?;
    let printed = dir.join(PRINTED);
    let text = fs::read_to_string(&printed).tried(|| format!("read {}", printed.display()))?;
    let id = text.split_whitespace().last().and_then(|word| word.parse().ok()).map(Process);
    let silent = || Error::Usage(format!("{} printed no process id", script.display()));
    id.or_else(|| noted_process(dir)).ok_or_else(silent)
}

/// The process id that a script may leave in its directory.
fn noted_process(dir: &Path) -> Option<Process> {
    fs::read_to_string(dir.join("pid")).ok()?.trim().parse().ok().map(Process)
}

/// A combined node of a cluster of one, as Kafka's own configuration says it.
fn properties_text(port: u16, data: &Path) -> String {
    let controller = port + 1000;
    format!(
        "process.roles=broker,controller\nnode.id=1\nlog.dirs={}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         controller.listener.names=CONTROLLER\ncontroller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n",
        data.display()
    )
}

/// The last line that a process wrote before it ended, for whoever wonders why.
fn last_words(dir: &Path) -> String {
    let text = [ERRORS, PRINTED].map(|name| fs::read_to_string(dir.join(name)).unwrap_or_default());
    let last = text.iter().find_map(|text| text.lines().rfind(|line| !line.trim().is_empty()));
    last.map_or("it says nothing".to_owned(), |line| format!("it says: {line}"))
}

/// A command without a place to fill in is Ottla's binary, which is given a properties file.
fn command_words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if !text.contains('{') {
        words.extend(["server", "{properties}"].map(str::to_owned));
    }
    words
}

/// A port that is free, and 1,000 above it another, which is the controller's.
fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let probe =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).tried(|| "look for a free port".to_owned())?;
        let port = probe.local_addr().tried(|| "look for a free port".to_owned())?.port();
        if port
            .checked_add(1000)
            .is_some_and(|second| TcpListener::bind((Ipv4Addr::LOCALHOST, second)).is_ok())
        {
            return Ok(port);
        }
    }
    Err(Error::Usage("no free port".to_owned()))
}

/// Whether some directory below `dir` has a name that begins with `topic`.
fn holds(dir: &Path, topic: &str, depth: u32) -> bool {
    let Ok(entries) = fs::read_dir(dir) else { return false };
    entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).any(|entry| {
        entry.file_name().to_string_lossy().starts_with(topic)
            || (depth > 1 && holds(&entry.path(), topic, depth - 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contender_is_a_name_and_how_to_start_it() {
        let check = |text: &str, expect: Option<(&str, Launch)>| {
            let settings = Vec::new();
            let expect = expect.map(|(name, launch)| Contender { name: name.to_owned(), launch, settings });
            assert_eq!(text.parse::<Contender>().ok(), expect, "{text}");
        };
        let words = |words: &[&str]| Launch::Command(words.iter().map(|word| (*word).to_owned()).collect());
        check("ottla=./ottla", Some(("ottla", words(&["./ottla", "server", "{properties}"]))));
        check("k=run --port {port} {dir}", Some(("k", words(&["run", "--port", "{port}", "{dir}"]))));
        check("kafka=oracle:./apache-kafka", Some(("kafka", Launch::Oracle("./apache-kafka".into()))));
        check("./ottla", None);
        check("=x", None);
        check("a= ", None);
    }

    #[test]
    fn settings_are_lines_of_a_properties_file() {
        let mut contender: Contender = "a=x".parse().expect("a contender");
        assert_eq!(contender.settings_text(), "");
        contender.settings = vec![("a.b".into(), "1".into()), ("c".into(), "2".into())];
        assert_eq!(contender.settings_text(), "a.b=1\nc=2\n");
    }
}
