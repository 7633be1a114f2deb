//! Server-sent events (HTML Living Standard, section 9.2) read line by line.
use std::io::{BufRead, BufReader, Read};
use ureq::{Body, BodyReader};

/// Bytes of the longest line that is read; a longer one ends the stream.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name, such as `block`.
    pub name: String,
    /// Its text, in general JSON.
    pub data: String,
}

/// A stream of events. Ends when the server closes it.
pub struct Events<R = BodyReader<'static>> {
    lines: BufReader<R>,
}

impl<R> std::fmt::Debug for Events<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    pub(super) fn new(body: Body) -> Self {
        let reader = body.into_with_config().limit(u64::MAX).reader();
        Self { lines: BufReader::new(reader) }
    }
}

impl<R: Read> Iterator for Events<R> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let mut event = Event { name: "message".into(), data: String::new() };
        loop {
            let mut line = String::new();
            let read = self.lines.by_ref().take(LINE_BYTES_MAX).read_line(&mut line).ok()?;
            if read == 0 || !line.ends_with('\n') {
                return None;
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() && !event.data.is_empty() {
                return Some(event);
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => event.name = value.into(),
                "data" if event.data.is_empty() => event.data = value.into(),
                "data" => event.data = format!("{}\n{value}", event.data),
                // Comments begin with a colon and keep the connection alive.
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_split_at_empty_lines_and_comments_are_skipped() {
        let text = ": hello\n\nevent: block\ndata: {\"height\":1}\n\n:\n\ndata: a\r\ndata: b\r\n\r\n\
                    event: cut";
        let events = Events { lines: BufReader::new(text.as_bytes()) };
        let event = |name: &str, data: &str| Event { name: name.into(), data: data.into() };
        let expected = [event("block", "{\"height\":1}"), event("message", "a\nb")];
        assert_eq!(events.collect::<Vec<_>>(), expected);
    }
}
