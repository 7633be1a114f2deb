//! The safety record of a consensus key: every key begins with one, and it moves with the key.
//!
//! Never goes backwards: a record that knows less than the one here is refused, because signing with it
//! could sign twice.
use super::{config_args::ConfigArgs, guard_file};
use crate::{
    durable, genesis_file, keys,
    terminal::{CliError, Exit, output},
};
use clap::Subcommand;
use serde::Serialize;
use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};
use timecoin_chain::{
    crypto::{PublicKey, Signer},
    engine::{Recovered, SafetyRecord, Stop},
    genesis::GenesisHash,
    types::{Height, Round},
};
use timecoin_store::{SAFETY_FILE, SafetyFile, Store, StoreOptions};

/// The safety record of a stopped node.
#[derive(Debug, Subcommand)]
pub(super) enum GuardCommand {
    /// What the key signed last.
    Show {
        #[command(flatten)]
        node: ConfigArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write the record to a file, to move it to another host with the key. This directory stops signing.
    Export {
        /// The file, which must not exist.
        file: PathBuf,
        #[command(flatten)]
        node: ConfigArgs,
    },
    /// Read the record from an exported file. A record that knows less than the one here is refused.
    Import {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        node: ConfigArgs,
    },
    /// Begin a new record after the old one is lost for good, or correct the height of one that signed nothing yet.
    Reset {
        /// The first height that may be signed: higher than every height that the key ever signed, and at most the next
        /// one of the blocks here.
        #[arg(long, value_name = "HEIGHT")]
        first_height: u64,
        /// Accept the risk: if the key signed at this height or later, it signs twice and is punished.
        #[arg(long)]
        accept_double_sign_risk: bool,
        #[command(flatten)]
        node: ConfigArgs,
    },
}

pub(super) fn run(command: GuardCommand) -> Result<(), CliError> {
    let (GuardCommand::Show { node, .. }
    | GuardCommand::Export { node, .. }
    | GuardCommand::Import { node, .. }
    | GuardCommand::Reset { node, .. }) = &command;
    let place = RecordOf::of(node.clone())?;
    output::note(format_args!("data directory {}", place.data_dir.display()));
    match command {
        GuardCommand::Show { json, .. } => show(&place, json),
        GuardCommand::Export { file, .. } => export(&place, &file),
        GuardCommand::Import { file, .. } => import(&place, &file),
        GuardCommand::Reset { first_height, accept_double_sign_risk, .. } => {
            reset(&place, Height(first_height), accept_double_sign_risk)
        }
    }
}

/// The place of a node's record, and the key that it must belong to.
struct RecordOf {
    data_dir: PathBuf,
    genesis_file: PathBuf,
    options: StoreOptions,
    genesis: GenesisHash,
    key: PublicKey,
    node: ConfigArgs,
}

impl RecordOf {
    fn of(node: ConfigArgs) -> Result<Self, CliError> {
        let config = node.load([])?;
        let chain = genesis_file::load_chain(&config.genesis)?;
        let Some(path) = &config.keys.consensus_key else {
            let what = format!(
                "{} names no consensus key: this node signs nothing",
                node.config.display()
            );
            return Err(CliError::new(Exit::Config, what).next("timecoin keys new consensus.key"));
        };
        let key = keys::load(path)?.public_key();
        let options = config.store.options();
        let (data_dir, genesis_file) = (config.data_dir, config.genesis);
        Ok(Self { data_dir, genesis_file, options, genesis: chain.hash, key, node })
    }

    /// The height after the last block of this node.
    fn next_height(&self) -> Result<Height, CliError> {
        let chain = genesis_file::load_chain(&self.genesis_file)?;
        let store = Store::open(&self.data_dir, &chain, self.options)?;
        let tip = store.tip_certificate()?;
        Ok(tip.map_or(Height::GENESIS, |tip| tip.height).next())
    }

    fn open(&self) -> Result<SafetyFile, CliError> {
        Ok(SafetyFile::open(&self.data_dir, &self.genesis)?)
    }

    /// The file and the key's record in it; an error if there is none.
    fn load(&self) -> Result<(SafetyFile, Recovered), CliError> {
        let path = self.data_dir.join(SAFETY_FILE);
        let missing = || {
            let what = format!("{} holds no record of key {}", path.display(), self.key);
            CliError::new(Exit::Failure, what)
                .why("the record is lost, or the key never signed here")
                .next("timecoin keys guard import FILE, or timecoin keys guard reset --help")
        };
        if !path.exists() {
            return Err(missing());
        }
        let file = self.open()?;
        let found = file.load()?.filter(|found| found.record.key == self.key);
        Ok((file, found.ok_or_else(missing)?))
    }
}

#[derive(Serialize)]
struct View {
    data_dir: PathBuf,
    key: String,
    height: u64,
    round: u32,
    signed: Vec<&'static str>,
    locked_round: Option<u32>,
    locked_block: Option<String>,
    stopped: Option<&'static str>,
    foreign_height: Option<u64>,
    foreign_round: Option<u32>,
}

impl View {
    fn of(place: &RecordOf, record: &SafetyRecord) -> Self {
        let signed = [
            ("proposal", record.proposal.is_some()),
            ("prevote", record.prevote.is_some()),
            ("precommit", record.precommit.is_some()),
        ];
        let (stopped, foreign) = match record.stopped {
            Some(Stop::Foreign(height, round)) => (Some("foreign"), Some((height.0, round.0))),
            Some(Stop::Exported) => (Some("exported"), None),
            None => (None, None),
        };
        Self {
            data_dir: place.data_dir.clone(),
            key: record.key.to_string(),
            height: record.height.0,
            round: record.round.0,
            signed: signed.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect(),
            locked_round: record.locked.map(|(round, _)| round.0),
            locked_block: record.locked.map(|(_, block)| block.to_string()),
            stopped,
            foreign_height: foreign.map(|(height, _)| height),
            foreign_round: foreign.map(|(_, round)| round),
        }
    }
}

fn show(place: &RecordOf, json: bool) -> Result<(), CliError> {
    let (_, Recovered { record, .. }) = place.load()?;
    let view = View::of(place, &record);
    if json {
        return output::json(&view);
    }
    output::line(format_args!("key      {}", view.key));
    output::line(format_args!("height   {}", view.height));
    output::line(format_args!("round    {}", view.round));
    let signed = if view.signed.is_empty() { "nothing".into() } else { view.signed.join(", ") };
    output::line(format_args!("signed   {signed}"));
    if let (Some(round), Some(block)) = (view.locked_round, view.locked_block) {
        output::line(format_args!("locked   on block {block} since round {round}"));
    }
    match record.stopped {
        Some(Stop::Foreign(height, round)) => output::line(format_args!(
            "stopped  the key signed at height {height} round {round}, and not with this record"
        )),
        Some(Stop::Exported) => {
            output::line("stopped  this record was exported: the key signs where it is imported");
        }
        None => {}
    }
    Ok(())
}

fn export(place: &RecordOf, path: &Path) -> Result<(), CliError> {
    let (file, Recovered { record, blocks }) = place.load()?;
    match record.stopped {
        Some(Stop::Foreign(height, round)) => {
            let what = format!(
                "the key signed at height {height} round {round}, and not with the record here"
            );
            return Err(CliError::new(Exit::Failure, what)
                .why("to sign with this older record elsewhere could sign twice")
                .next("timecoin keys guard export FILE on the host where the key ran last"));
        }
        Some(Stop::Exported) => {
            output::note(
                "it was exported before: of all files with this record, import only one, on one host",
            );
        }
        None => {}
    }
    if path.exists() {
        return Err(CliError::new(Exit::Failure, format!("{} exists", path.display()))
            .why("nothing was changed")
            .next(format!("timecoin keys guard export ANOTHER_FILE {}", place.node)));
    }
    let copy = Recovered { record: SafetyRecord { stopped: None, ..record }, blocks };
    let text = guard_file::encode(&place.genesis, &copy)
        .map_err(|error| CliError::new(Exit::Failure, format!("the record: {error}")))?;
    // Marks the record here first. A crash before the file is written leaves a record that can be exported
    // again; a file without the mark here would let two hosts sign.
    let Recovered { record, blocks } = copy;
    file.replace(&SafetyRecord { stopped: Some(Stop::Exported), ..record.clone() }, &blocks)?;
    durable::create(path, &text, 0o600).map_err(|error| {
        CliError::new(Exit::Failure, format!("{}: {error}", path.display()))
            .why("this directory signs no more: it was stopped before the file was written")
            .why("nothing is lost: export again, and to sign here after all, import that file here")
            .next(format!("timecoin keys guard export ANOTHER_FILE {}", place.node))
    })?;
    let file = path.display();
    output::line(format_args!(
        "exported height {} round {} to {file}",
        record.height, record.round
    ));
    output::note(
        "this directory signs no more; `timecoin keys guard import` of the same file undoes that",
    );
    output::line(format_args!(
        "next, where the key goes: timecoin keys guard import {file} --config CONFIG"
    ));
    Ok(())
}

fn import(place: &RecordOf, path: &Path) -> Result<(), CliError> {
    let Recovered { record, blocks } = read(place, path)?;
    let file = place.open()?;
    let here = file.load()?.map(|here| here.record).filter(|here| here.key == record.key);
    if let Some(here) = here.filter(|here| knows_less(&record, here)) {
        let (height, round) = last_known(&here);
        let what = format!(
            "{} ends at height {} round {}, and this key signed at height {height} round {round}{}",
            path.display(),
            record.height,
            record.round,
            if matches!(here.stopped, Some(Stop::Foreign(..))) { " elsewhere" } else { "" },
        );
        return Err(CliError::new(Exit::Failure, what)
            .why("to sign with the older record could sign twice; nothing was changed")
            .next("timecoin keys guard export FILE on the host where the key ran last"));
    }
    file.replace(&record, &blocks)?;
    output::line(format_args!("imported height {} round {}", record.height, record.round));
    output::line(format_args!("next: timecoin start {}", place.node));
    Ok(())
}

/// Whether a record may lack a signature that the one here knows.
fn knows_less(given: &SafetyRecord, here: &SafetyRecord) -> bool {
    match here.stopped {
        // Importing the same record again only removes the mark.
        Some(Stop::Foreign(..)) => {
            given.place() <= here.place() || (given.height, given.round) < last_known(here)
        }
        Some(Stop::Exported) | None => given.place() < here.place(),
    }
}

/// The last height and round that the record knows to be signed, here or elsewhere.
fn last_known(record: &SafetyRecord) -> (Height, Round) {
    let own = (record.height, record.round);
    match record.stopped {
        Some(Stop::Foreign(height, round)) => own.max((height, round)),
        Some(Stop::Exported) | None => own,
    }
}

fn read(place: &RecordOf, path: &Path) -> Result<Recovered, CliError> {
    let refuse = |why: String| {
        CliError::new(Exit::Failure, format!("{} is no record for this node", path.display()))
            .why(why)
            .next("timecoin keys guard export FILE on the host where the key ran last")
    };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(guard_file::EXPORT_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| refuse(error.to_string()))?;
    guard_file::decode(&text, &place.genesis, &place.key).map_err(refuse)
}

fn reset(place: &RecordOf, first: Height, is_accepted: bool) -> Result<(), CliError> {
    if !is_accepted {
        let what = "a new record forgets what the key signed";
        return Err(CliError::new(Exit::Usage, what)
            .why(format!("if the key signed at height {first} or later, it would sign twice and be punished"))
            .next("timecoin keys guard reset with --accept-double-sign-risk, if there is no other way"));
    }
    let next = place.next_height()?;
    let file = place.open()?;
    let here = file.load()?.map(|here| here.record).filter(|here| here.key == place.key);
    let foreign = here.as_ref().filter(|here| matches!(here.stopped, Some(Stop::Foreign(..))));
    let highest = foreign.map_or(next, |here| next.max(last_known(here).0.next()));
    if first > highest {
        return Err(too_high(place, first, highest));
    }
    // A record that signed nothing and was not moved knows only what an earlier reset said.
    let knows = |here: &SafetyRecord| !here.is_blank() || here.stopped.is_some();
    if let Some(here) = here.filter(|here| knows(here) && first <= last_known(here).0) {
        return Err(refuse_reset(place, &here));
    }
    file.replace(&SafetyRecord::blank(place.key, first, Round(0)), &[])?;
    output::line(format_args!("the key signs from height {first} on, and nothing before"));
    output::line(format_args!("next: timecoin start {}", place.node));
    Ok(())
}

/// The error if the network may wait for this key at a height at which it would not sign.
fn too_high(place: &RecordOf, first: Height, highest: Height) -> CliError {
    let what = format!("height {first} is too high: the blocks here end at {}", highest.0 - 1);
    CliError::new(Exit::Usage, what)
        .why(format!("the key would sign nothing from height {highest} to {}", first.0 - 1))
        .why("if the network has more blocks, let this node fetch them first: it observes without a record")
        .next(format!("timecoin start {}", place.node))
}

/// The error if the record here knows a signature that a new record would forget.
fn refuse_reset(place: &RecordOf, here: &SafetyRecord) -> CliError {
    let (height, node) = (last_known(here).0, &place.node);
    let refused = |what: String| CliError::new(Exit::Failure, what);
    match here.stopped {
        Some(Stop::Foreign(..)) => {
            refused(format!("the key signed at height {height}, and not with the record here"))
                .why("what it signed after that is not known here; nothing was changed")
                .next(format!(
                    "timecoin keys guard reset --first-height {} --accept-double-sign-risk {node}",
                    height.next()
                ))
        }
        Some(Stop::Exported) => refused(format!(
            "the record here ends at height {height} and was exported: nothing is lost"
        ))
        .next(format!("timecoin keys guard import FILE {node}")),
        None => refused(format!("the record here ends at height {height}: nothing is lost"))
            .next(format!("timecoin start {node}")),
    }
}
