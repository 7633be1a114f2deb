//! Server-sent events (HTML Living Standard, section 9.2) read line by line.
use std::io::{self, BufRead, BufReader, Read};
use ureq::{Body, BodyReader};

/// Bytes of the longest line that is read; a longer one ends the stream.
const LINE_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes that are read at a time: events come in bursts, thousands with a block.
const BUFFER_BYTES: usize = 64 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name, such as `block`.
    pub name: String,
    /// Its text, usually JSON.
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
        Self { lines: BufReader::with_capacity(BUFFER_BYTES, reader) }
    }
}

impl<R: Read> Events<R> {
    /// Appends the next line with its end to `line` for a reader that parses by itself; the bytes read,
    /// zero at the end of the stream.
    pub fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<usize> {
        self.lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', line)
    }
}

impl<R: Read> Iterator for Events<R> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let mut event = Event { name: "message".into(), data: String::new() };
        loop {
            let mut line = Vec::new();
            self.read_line(&mut line).ok()?;
            let line = std::str::from_utf8(&line).ok()?;
            let line = line.strip_suffix('\n')?.trim_end_matches('\r');
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
