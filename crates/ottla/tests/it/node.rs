//! A running binary on a port of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long a start may take on a loaded machine.
const START: Duration = Duration::from_secs(60);

pub struct Node {
    child: Child,
    pub address: String,
    log: Receiver<String>,
}

/// A port that nobody listens on at the moment, kept over restarts.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The binary with the overrides of a one-node cluster.
pub fn command(dir: &Path, port: u16, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.arg("server");
    let own = [
        format!("log.dirs={}", dir.display()),
        format!("listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:9093"),
        "ottla.http.address=127.0.0.1:0".to_owned(),
    ];
    for setting in own.iter().map(String::as_str).chain(more.iter().copied()) {
        command.args(["--override", setting]);
    }
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Node {
    /// Starts the binary and waits until it says that it serves.
    pub fn start(dir: &Path, port: u16, more: &[&str]) -> Self {
        let mut child = command(dir, port, more).spawn().expect("the binary starts");
        let lines = BufReader::new(child.stderr.take().expect("it is piped"));
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut said = Vec::new();
        loop {
            let line = log.recv_timeout(START).unwrap_or_else(|_| panic!("it never served: {said:#?}"));
            if line.contains("serving") {
                break;
            }
            said.push(line);
        }
        Self { child, address: format!("127.0.0.1:{port}"), log }
    }

    /// Waits until it ends by itself, which is no success; what it said.
    pub fn wait_for_end(mut self) -> String {
        let said: Vec<String> = std::iter::from_fn(|| self.log.recv_timeout(START).ok()).collect();
        assert!(!self.child.wait().unwrap().success(), "it should have failed: {said:#?}");
        said.join("\n")
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the exit status.
    pub fn stop(mut self) -> bool {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap().success()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a binary that must not start says on its standard error.
pub fn refusal(mut command: Command) -> String {
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!child.wait().unwrap().success(), "it should not have started: {said}");
    said
}
