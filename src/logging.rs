//! The log on standard output: its filter and its two forms.
//!
//! One event is one line. The human form writes `message field=value`, the JSON form one object
//! with the fields next to `timestamp`, `level`, `target` and `message`.
use crate::config::{LogFormat, LogSection};
use std::{
    io::IsTerminal,
    panic::{self, PanicHookInfo},
};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter, util::SubscriberInitExt};

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
    /// The process has a log already.
    #[error("the log did not begin: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts the log of the process. In JSON form a panic is a line of it too.
///
/// # Errors
/// When the filter cannot be read, or the process already has a log.
pub fn begin(log: &LogSection) -> Result<(), LogError> {
    let filter = filter(&log.filter)?;
    match log.format {
        LogFormat::Human => tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_target(false)
            .with_ansi(std::io::stdout().is_terminal())
            .finish()
            .try_init()?,
        LogFormat::Json => {
            json(filter, std::io::stdout).try_init()?;
            panic::set_hook(Box::new(on_panic));
        }
    }
    Ok(())
}

/// Unless the filter mentions libp2p, its crates log only errors: an operator cannot act on the
/// rest.
fn filter(text: &str) -> Result<EnvFilter, LogError> {
    let whole = match text.contains("libp2p") {
        true => text.to_owned(),
        false => format!("{text},libp2p=error,yamux=error"),
    };
    EnvFilter::try_new(whole).map_err(|error| LogError::Filter { filter: text.into(), error })
}

/// Writes events as JSON objects whose fields are not nested.
fn json(
    filter: EnvFilter,
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) -> impl tracing::Subscriber + Send + Sync {
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(writer)
        .finish()
}

fn on_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let payload = info.payload();
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    let text = payload.downcast_ref::<&str>().copied().or(owned).unwrap_or_default();
    tracing::error!(place, "panicked at {place}: {text}");
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
        tracing::subscriber::with_default(json(filter, move || writer.clone()), job);
        lines.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// What a job logs in human form, without the time.
    pub(crate) fn human_lines(job: impl FnOnce()) -> Vec<String> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter("debug").expect("a filter"))
            .with_target(false)
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, job);
        lines.text().lines().map(|line| line.trim_start().to_owned()).collect()
    }

    #[test]
    fn libp2p_is_quiet_unless_it_is_named() {
        let written = |text| filter(text).map(|filter| filter.to_string()).ok();
        let quiet = written("info").expect("a filter");
        assert!(quiet.contains("libp2p=error") && quiet.contains("info"), "{quiet}");
        assert_eq!(written("info,libp2p=debug").as_deref(), Some("libp2p=debug,info"));
        assert!(matches!(filter("info,="), Err(LogError::Filter { .. })));
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
