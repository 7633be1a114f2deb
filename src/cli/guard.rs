//! The safety record of a consensus key: every key begins with one, and it goes where the key goes.
//!
//! Never goes backwards: a record that knows less than the one in its place is refused, because to sign
//! with it could sign twice.
use super::{
    config_args::ConfigArgs,
    error::{CliError, Exit},
    output,
};
use crate::{durable, genesis_file, keys};
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};
use timecoin_chain::{
    codec,
    crypto::{PublicKey, Signer},
    engine::{Recovered, SafetyRecord},
    genesis::GenesisHash,
    types::{Block, Height, Round},
};
use timecoin_store::{SAFETY_FILE, SafetyFile, StoreError};

/// The form of exported files.
const FORMAT: &str = "timecoin-safety-record/1";
/// Bytes of an exported file: a record and two blocks as hexadecimal digits.
const EXPORT_BYTES_MAX: u64 = 24 * 1024 * 1024;

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
    /// Write the record to a file, to take it to another host with the key. This directory stops signing.
    Export {
        /// The file, which must not exist.
        file: PathBuf,
        #[command(flatten)]
        node: ConfigArgs,
    },
    /// Take the record from an exported file. One that knows less than the one here is refused.
    Import {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        node: ConfigArgs,
    },
    /// Begin a new record where the old one is lost for good.
    Reset {
        /// The first height that may be signed. Anything that the key ever signed must be lower.
        #[arg(long, value_name = "HEIGHT")]
        first_height: u64,
        /// Say that you know: if the key signed at this height or later, this signs twice, and is punished.
        #[arg(long)]
        accept_double_sign_risk: bool,
        #[command(flatten)]
        node: ConfigArgs,
    },
}

/// An exported record. What matters is in `record` and `blocks`; the rest is for people.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    format: String,
    genesis: String,
    key: String,
    height: u64,
    round: u32,
    record: String,
    blocks: Vec<String>,
}

pub(super) fn run(command: GuardCommand) -> Result<(), CliError> {
    let (GuardCommand::Show { node, .. }
    | GuardCommand::Export { node, .. }
    | GuardCommand::Import { node, .. }
    | GuardCommand::Reset { node, .. }) = &command;
    let place = Place::of(node.clone())?;
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

/// Where a node's record is, and whose it must be.
struct Place {
    data_dir: PathBuf,
    genesis: GenesisHash,
    key: PublicKey,
    node: ConfigArgs,
}

impl Place {
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
        Ok(Self { data_dir: config.data_dir, genesis: chain.hash, key, node })
    }

    fn open(&self) -> Result<SafetyFile, CliError> {
        Ok(SafetyFile::open(&self.data_dir, &self.genesis)?)
    }

    /// The file and the key's record in it, which must be there.
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
    stopped: bool,
}

fn show(place: &Place, json: bool) -> Result<(), CliError> {
    let (_, Recovered { record, .. }) = place.load()?;
    let signed = [
        ("proposal", record.proposal.is_some()),
        ("prevote", record.prevote.is_some()),
        ("precommit", record.precommit.is_some()),
    ];
    let view = View {
        data_dir: place.data_dir.clone(),
        key: record.key.to_string(),
        height: record.height.0,
        round: record.round.0,
        signed: signed.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect(),
        locked_round: record.locked.map(|(round, _)| round.0),
        locked_block: record.locked.map(|(_, block)| block.to_string()),
        stopped: record.foreign.is_some(),
    };
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
    if view.stopped {
        output::line("stopped  this record was exported, or the key signed on another host");
    }
    Ok(())
}

fn export(place: &Place, path: &Path) -> Result<(), CliError> {
    let (file, Recovered { mut record, blocks }) = place.load()?;
    let export = Export {
        format: FORMAT.into(),
        genesis: place.genesis.to_string(),
        key: record.key.to_string(),
        height: record.height.0,
        round: record.round.0,
        record: hex::encode(codec::encode(&record)),
        blocks: blocks.iter().map(|block| hex::encode(codec::encode(block))).collect(),
    };
    let text = serde_json::to_vec_pretty(&export)
        .map_err(|error| CliError::new(Exit::Failure, format!("the record: {error}")))?;
    durable::create(path, &text, 0o600).map_err(|error| {
        CliError::new(Exit::Failure, format!("{}: {error}", path.display()))
            .next("timecoin keys guard export ANOTHER_FILE")
    })?;
    // From here on the other host signs. Here the key stops, should someone start it by habit.
    record.foreign = Some((record.height, record.round));
    file.replace(&record, &blocks)?;
    output::line(format_args!(
        "exported height {} round {} to {}",
        record.height,
        record.round,
        path.display()
    ));
    output::note(
        "this directory signs no more; `timecoin keys guard import` of the same file undoes that",
    );
    output::line(format_args!(
        "next, where the key goes: timecoin keys guard import {} --config CONFIG",
        path.display()
    ));
    Ok(())
}

fn import(place: &Place, path: &Path) -> Result<(), CliError> {
    let Recovered { record, blocks } = read_export(place, path)?;
    let file = place.open()?;
    if let Some(here) = file.load()?.map(|here| here.record).filter(|here| here.key == record.key) {
        let (given, held) = (record.place(), here.place());
        let seen = here.foreign.filter(|seen| *seen > (record.height, record.round));
        if given < held || seen.is_some() {
            let (height, round) = seen.unwrap_or((here.height, here.round));
            let what = format!(
                "{} ends at height {} round {}, and this key signed at height {height} round {round}",
                path.display(),
                record.height,
                record.round
            );
            return Err(CliError::new(Exit::Failure, what)
                .why("to sign with the older record could sign twice; nothing was changed")
                .next("timecoin keys guard export on the host where the key ran last"));
        }
    }
    file.replace(&record, &blocks)?;
    output::line(format_args!("imported height {} round {}", record.height, record.round));
    output::line(format_args!("next: timecoin start {}", place.node));
    Ok(())
}

fn read_export(place: &Place, path: &Path) -> Result<Recovered, CliError> {
    let refuse = |why: &dyn std::fmt::Display| {
        CliError::new(Exit::Failure, format!("{} is no record for this node", path.display()))
            .why(why)
            .next("timecoin keys guard export FILE on the host where the key ran last")
    };
    let mut text = String::new();
    let opened = File::open(path).map_err(|error| refuse(&error))?;
    opened.take(EXPORT_BYTES_MAX).read_to_string(&mut text).map_err(|error| refuse(&error))?;
    let export: Export = serde_json::from_str(&text).map_err(|error| refuse(&error))?;
    if export.format != FORMAT {
        return Err(refuse(&format!("its format is {}, not {FORMAT}", export.format)));
    }
    let (genesis, key) = (place.genesis.to_string(), place.key.to_string());
    if export.genesis != genesis {
        return Err(refuse(&format!(
            "it is of chain {}, and this node's is {genesis}",
            export.genesis
        )));
    }
    let bytes = hex::decode(&export.record).map_err(|error| refuse(&error))?;
    let record: SafetyRecord = codec::decode(&bytes).map_err(|error| refuse(&error))?;
    if record.key != place.key || export.key != key {
        return Err(refuse(&format!("it is of key {}, and this node's is {key}", record.key)));
    }
    if (export.height, export.round) != (record.height.0, record.round.0) {
        return Err(refuse(&"its height and round are not those of its record: it was edited"));
    }
    let blocks = export.blocks.iter().map(|text| {
        let bytes = hex::decode(text).map_err(|error| refuse(&error))?;
        codec::decode::<Block>(&bytes).map_err(|error| refuse(&error))
    });
    Ok(Recovered { record, blocks: blocks.collect::<Result<_, _>>()? })
}

fn reset(place: &Place, first: Height, is_accepted: bool) -> Result<(), CliError> {
    if !is_accepted {
        let what = "a new record forgets what the key signed";
        return Err(CliError::new(Exit::Usage, what)
            .why(format!("if the key signed at height {first} or later, it would sign twice and be punished"))
            .next("timecoin keys guard reset with --accept-double-sign-risk, if there is no other way"));
    }
    let file = place.open()?;
    let here = file.load()?.map(|here| here.record).filter(|here| here.key == place.key);
    if let Some(here) = here.filter(|here| first <= here.height) {
        let what = format!("the record here ends at height {}: nothing is lost", here.height);
        return Err(
            CliError::new(Exit::Failure, what).next(format!("timecoin start {}", place.node))
        );
    }
    file.replace(&SafetyRecord::blank(place.key, first, Round(0)), &[])?;
    output::line(format_args!("the key signs from height {first} on, and nothing before"));
    output::line(format_args!("next: timecoin start {}", place.node));
    Ok(())
}

/// Writes the first record of a new key, where there is none yet. A key without one is a key whose
/// record is lost.
pub(super) fn begin(
    data_dir: &Path,
    genesis: &GenesisHash,
    key: PublicKey,
) -> Result<(), CliError> {
    let file = SafetyFile::open(data_dir, genesis)?;
    if file.load()?.is_none() {
        file.replace(&SafetyRecord::first(key), &[])?;
    }
    Ok(())
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let (code, text) = (crate::node::exit_code_of(&error), error.to_string());
        let (what, next) = text.split_once(". Next: ").unwrap_or((&text, "ls -l"));
        Self::with_code(code, what).next(next)
    }
}
