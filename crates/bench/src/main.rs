//! The program `bench`.

use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use bench::args::{Arguments, Command, IdleArguments, LimitArguments, StartArguments, Target};
use bench::compare::{self, pass::Pass};
use bench::error::{Result, Tried};
use bench::limit::Server;
use bench::load::{Load, Site};
use bench::process::{MachineTime, Process};
use bench::starts;
use clap::Parser;

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Produce(arguments) => passes(&arguments.load(), &arguments.target),
        Command::Fetch(arguments) => passes(&arguments.load(), &arguments.target),
        Command::EndToEnd(arguments) => passes(&arguments.load(), &arguments.target),
        Command::Start(arguments) => start(&arguments),
        Command::Starts(arguments) => starts::starts(&arguments).map(|report| print!("{report}")),
        Command::Idle(arguments) => idle(&arguments),
        Command::Compare(arguments) => compare::compare(&arguments).map(|report| print!("{report}")),
        Command::Limit(arguments) => limit(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn passes(load: &Load, target: &Target) -> Result<()> {
    let site = Site { address: target.address, process: target.pid.map(Process), dir: None };
    for number in 1..=target.passes {
        let name = format!("bench-{}-{number}", std::process::id());
        let topic = load.prepare(target.address, &name)?;
        let pass = Pass::measure(load, &site, &topic)?;
        println!("{pass}");
        load.clean(target.address, &topic)?;
    }
    Ok(())
}

fn start(arguments: &StartArguments) -> Result<()> {
    for number in 1..=arguments.passes {
        let broker = arguments.contender.start(&arguments.dir.join(format!("start-{number}")))?;
        println!("{}: first ack after {:.1} ms", broker.name, broker.first_ack.as_secs_f64() * 1e3);
    }
    Ok(())
}

fn idle(arguments: &IdleArguments) -> Result<()> {
    let process = Process(arguments.pid);
    let (cpu, machine) = (process.cpu_of_living_threads()?, MachineTime::now()?);
    thread::sleep(arguments.seconds);
    let used = process.cpu_of_living_threads()?.saturating_sub(cpu);
    let idle = MachineTime::now()?.idle_since(machine);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let memory = process.memory()?;
    println!(
        "resident {:.1} MiB (peak {:.1}), {:.3} % of a core; machine {:.0} % idle",
        mib(memory.resident),
        mib(memory.peak),
        100.0 * share(used, arguments.seconds),
        100.0 * idle
    );
    Ok(())
}

fn share(part: Duration, whole: Duration) -> f64 {
    part.as_secs_f64() / whole.as_secs_f64()
}

fn limit(arguments: &LimitArguments) -> Result<()> {
    let server = Server::bind(arguments.address, &arguments.dir)
        .tried(|| format!("listen on {}", arguments.address))?;
    server.run(io::stdin()).tried(|| "the bare loop".to_owned())
}
