//! The log of the process: its filter, its two forms, and where it goes.
//!
//! One event is one line. The human form writes `message field=value`, the JSON form one object
//! with the fields next to `timestamp`, `level`, `target` and `message`. No error of a terminal, a pipe or a disk
//! stops the process: `sink` counts the lines that are lost.
mod file;
pub(crate) mod levels;
mod sink;

pub use sink::Losses;

use crate::config::{LogFormat, LogSection};
use file::RotatingFile;
use sink::{Sink, Target};
use std::{
    io::{self, IsTerminal, Write as _},
    panic::{self, PanicHookInfo},
    path::PathBuf,
    sync::Arc,
};
use tracing_subscriber::{
    EnvFilter,
    filter::LevelFilter,
    fmt::{
        MakeWriter, SubscriberBuilder,
        format::{DefaultFields, Format, Json, JsonFields},
    },
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Modules that a filter may name without a level.
const CRATES: [&str; 4] = ["timecoin", "libp2p", "yamux", "redb"];

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error("log.filter `{filter}`: {error}")]
    Filter {
        /// The filter.
        filter: String,
        /// What the parser said.
        error: tracing_subscriber::filter::ParseError,
    },
    /// A part of the filter is neither a level nor a module.
    #[error("log.filter `{filter}`: `{word}` is no level: off, error, warn, info, debug or trace")]
    Word {
        /// The filter.
        filter: String,
        /// The part.
        word: String,
    },
    /// The log file cannot be opened.
    #[error("log.file {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The thread that writes did not start.
    #[error("the log did not begin: {0}")]
    Thread(io::Error),
    /// The process has a log already.
    #[error("the log did not begin: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// The log of the process. Dropping it waits for the last lines.
pub struct Log {
    sink: Sink,
    set_filter: Box<dyn Fn(EnvFilter) + Send + Sync>,
}

impl Log {
    /// Lines that were lost.
    pub fn losses(&self) -> Arc<Losses> {
        self.sink.losses()
    }

    /// Opens the log file again, and takes another filter.
    ///
    /// # Errors
    /// When the filter cannot be read; then nothing changes.
    pub fn reload(&self, log: &LogSection) -> Result<(), LogError> {
        (self.set_filter)(filter(&log.filter)?);
        self.sink.reopen();
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.sink.flush();
    }
}

/// Starts the log of the process. A panic is a line of it too.
///
/// # Errors
/// When the filter cannot be read, the file cannot be opened, or the process already has a log.
pub fn begin(log: &LogSection) -> Result<Log, LogError> {
    let filter = filter(&log.filter)?;
    let target = match &log.file {
        None => Target::Stdout,
        Some(path) => {
            let file = RotatingFile::open(path, log.file_bytes, log.files);
            Target::File(file.map_err(|error| LogError::File { path: path.clone(), error })?)
        }
    };
    let has_colors = log.file.is_none() && io::stdout().is_terminal();
    let sink = Sink::start(target).map_err(LogError::Thread)?;
    let set_filter: Box<dyn Fn(EnvFilter) + Send + Sync> = match log.format {
        LogFormat::Human => {
            let human = human(sink.clone()).with_ansi(has_colors).with_env_filter(filter);
            let human = human.with_filter_reloading();
            let handle = human.reload_handle();
            human.finish().with(levels::CountLevels).try_init()?;
            Box::new(move |filter| drop(handle.reload(filter)))
        }
        LogFormat::Json => {
            let json = json(sink.clone()).with_env_filter(filter).with_filter_reloading();
            let handle = json.reload_handle();
            json.finish().with(levels::CountLevels).try_init()?;
            Box::new(move |filter| drop(handle.reload(filter)))
        }
    };
    let last = sink.clone();
    panic::set_hook(Box::new(move |info| on_panic(info, &last)));
    Ok(Log { sink, set_filter })
}

/// Unless the filter mentions libp2p, its crates log only errors: an operator cannot act on the
/// rest.
fn filter(text: &str) -> Result<EnvFilter, LogError> {
    // The parser takes a word that is no level for the name of a module, and logs nothing else.
    let is_word = |part: &&str| !part.contains(['=', ':', '[', '_']) && !part.is_empty();
    for word in text.split(',').map(str::trim).filter(is_word) {
        let is_known = word.parse::<LevelFilter>().is_ok() || CRATES.contains(&word);
        if !is_known {
            return Err(LogError::Word { filter: text.into(), word: word.into() });
        }
    }
    let whole = match text.contains("libp2p") {
        true => text.to_owned(),
        false => format!("{text},libp2p=error,yamux=error"),
    };
    EnvFilter::try_new(whole).map_err(|error| LogError::Filter { filter: text.into(), error })
}

/// Writes events as text. An error of the writer is never reported to standard error: that may be gone as well.
fn human<W>(writer: W) -> SubscriberBuilder<DefaultFields, Format, LevelFilter, W>
where
    W: for<'w> MakeWriter<'w> + 'static,
{
    tracing_subscriber::fmt().with_target(false).log_internal_errors(false).with_writer(writer)
}

/// Writes events as JSON objects whose fields are not nested.
fn json<W>(writer: W) -> SubscriberBuilder<JsonFields, Format<Json>, LevelFilter, W>
where
    W: for<'w> MakeWriter<'w> + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .log_internal_errors(false)
        .with_writer(writer)
}

/// A release build aborts after this: the line is written before it returns.
fn on_panic(info: &PanicHookInfo<'_>, sink: &Sink) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let payload = info.payload();
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    let text = payload.downcast_ref::<&str>().copied().or(owned).unwrap_or_default();
    tracing::error!(place, "panicked at {place}: {text}");
    sink.flush();
    // The log may be a file, or lost.
    let _ = writeln!(io::stderr(), "panicked at {place}: {text}");
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::Value;
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("one test thread").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("one test thread").clone()).expect("UTF-8")
        }
    }

    /// What a job logs in JSON form, a value for each line.
    pub(crate) fn json_lines(job: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let (filter, writer) = (filter("debug").expect("a filter"), lines.clone());
        let json = json(move || writer.clone()).with_env_filter(filter);
        tracing::subscriber::with_default(json.finish(), job);
        lines.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// What a job logs in human form, without the time.
    pub(crate) fn human_lines(job: impl FnOnce()) -> Vec<String> {
        let lines = Lines::default();
        let writer = lines.clone();
        let human = human(move || writer.clone()).with_ansi(false).without_time();
        let human = human.with_env_filter(filter("debug").expect("a filter"));
        tracing::subscriber::with_default(human.finish(), job);
        lines.text().lines().map(|line| line.trim_start().to_owned()).collect()
    }

    #[test]
    fn libp2p_is_quiet_unless_it_is_named() {
        let written = |text| filter(text).map(|filter| filter.to_string()).ok();
        let quiet = written("info").expect("a filter");
        assert!(quiet.contains("libp2p=error") && quiet.contains("info"), "{quiet}");
        assert_eq!(written("info,libp2p=debug").as_deref(), Some("libp2p=debug,info"));
        assert!(matches!(filter("info,="), Err(LogError::Filter { .. })));
        for wrong in ["verbose", "info,verbos", "infо"] {
            assert!(matches!(filter(wrong), Err(LogError::Word { .. })), "{wrong}");
        }
        for right in ["off", "WARN", "info,timecoin_network=debug", "timecoin", "libp2p_swarm"] {
            assert!(filter(right).is_ok(), "{right}");
        }
    }

    #[test]
    fn a_json_line_holds_the_fields_beside_the_message() {
        let lines = json_lines(|| tracing::info!(height = 5, peer = %"12D3", "synced"));
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!((&line["height"], &line["peer"]), (&5.into(), &"12D3".into()));
        assert_eq!((&line["message"], &line["level"]), (&"synced".into(), &"INFO".into()));
        assert!(line["timestamp"].is_string());
    }
}
