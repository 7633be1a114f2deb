//! `mesh`: a network to test on. Real nodes on hosts of their own, hostile peers, and one row of figures
//! for each scenario.
//!
//! A node is the process `mesh timecoin start ...`, which runs the same code as the program `timecoin`;
//! `--timecoin PATH` takes that program instead. A hostile peer is the process `mesh hostile`. So one
//! `cargo run` builds everything that takes part.
mod attack;
mod command;
mod ground;
mod host;
mod net;
mod node;
mod outcome;
mod payments;
mod process;
mod row;
mod scenarios;
mod watch;

use crate::{
    ground::Ground,
    node::Program,
    outcome::Outcome,
    row::Row,
    scenarios::{ALL, Scenario, run::Run},
};
use clap::{Args, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode, time::Instant};

#[derive(Parser)]
#[command(name = "mesh", about = "Runs real nodes and hostile peers on a network of its own")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the scenarios.
    List,
    /// Run scenarios one after the other; exit code 1 if a bound is broken.
    Run(RunArgs),
}

#[derive(Args)]
struct RunArgs {
    /// Names of scenarios, or `all`, or `quick`: all of them with short attacks and small networks.
    #[arg(required = true)]
    names: Vec<String>,
    /// Short attacks and small networks.
    #[arg(long)]
    quick: bool,
    /// How many nodes, where the scenario leaves it open.
    #[arg(long, value_parser = clap::value_parser!(u8).range(6..=120))]
    nodes: Option<u8>,
    /// How long attacks last.
    #[arg(long)]
    seconds: Option<u64>,
    /// The program that runs a node; without it, this one does.
    #[arg(long, value_name = "PATH")]
    timecoin: Option<PathBuf>,
    /// Use loopback addresses, as on a machine without network namespaces.
    #[arg(long)]
    loopback: bool,
    /// Set by the program when it starts itself again.
    #[arg(long, hide = true)]
    inside: bool,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let ended = match words.get(1).map(String::as_str) {
        Some("timecoin") => timecoin::cli::Cli::parse_from(&words[1..]).run().map_err(Into::into),
        Some("hostile") => attack::main(),
        _ => match Cli::parse().command {
            Command::List => list(),
            Command::Run(args) => return run(args),
        },
    };
    end(ended.map(|()| true))
}

fn end(ended: Outcome<bool>) -> ExitCode {
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn list() -> Outcome<()> {
    for Scenario { name, about, .. } in ALL {
        println!("{name:<14} {about}");
    }
    Ok(())
}

fn run(args: RunArgs) -> ExitCode {
    if !args.inside && !args.loopback {
        let why = ground::enter_namespaces();
        println!(
            "no network namespaces ({why}): nodes are on loopback addresses, without netgroups, links and firewalls"
        );
    }
    process::end_all_when_interrupted();
    end(chosen(&args).and_then(|scenarios| run_all(&args, &scenarios)))
}

fn chosen(args: &RunArgs) -> Outcome<Vec<&'static Scenario>> {
    let mut chosen = Vec::new();
    for name in &args.names {
        let is_all = name == "all" || name == "quick";
        let found: Vec<_> = ALL.iter().filter(|scenario| is_all || scenario.name == name).collect();
        if found.is_empty() {
            let text = format!("there is no scenario {name}\n  next: mesh list");
            return Err(outcome::failed(text));
        }
        chosen.extend(found);
    }
    Ok(chosen)
}

fn run_all(args: &RunArgs, scenarios: &[&Scenario]) -> Outcome<bool> {
    if let Some(path) = args.timecoin.as_ref().filter(|path| !path.is_file()) {
        let text = format!("{} is no file\n  next: cargo build --release", path.display());
        return Err(outcome::failed(text));
    }
    let ground = Ground::new(args.inside)?;
    let run = Run {
        ground: &ground,
        program: &Program(args.timecoin.clone()),
        is_quick: args.quick || args.names.iter().any(|name| name == "quick"),
        nodes: args.nodes,
        seconds: args.seconds,
    };
    let mut all_good = true;
    for scenario in scenarios {
        let begun = Instant::now();
        let row = match scenario.needs_namespaces && !ground.has_namespaces() {
            true => Row::NotRun("it needs network namespaces".into()),
            false => match (scenario.run)(&run) {
                Ok(figures) => Row::Ran(figures),
                Err(error) => Row::Broken(error.to_string()),
            },
        };
        all_good &= row.is_good();
        println!("{:<14} {row} [{} s]", scenario.name, begun.elapsed().as_secs());
    }
    Ok(all_good)
}
