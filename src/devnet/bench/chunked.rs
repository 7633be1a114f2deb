//! The body of an HTTP answer whose length is not known before (RFC 9112, section 7.1).
use std::io::{self, BufRead, Read};

/// Takes the chunk sizes out of a stream.
#[derive(Debug)]
pub(super) struct Chunked<R> {
    inner: R,
    /// Bytes of the current chunk that were not read yet.
    left: usize,
    /// Whether the end of a chunk stands before the next size.
    is_inside: bool,
}

impl<R: BufRead> Chunked<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, left: 0, is_inside: false }
    }

    /// Reads the size of the next chunk; zero at the end.
    fn begin(&mut self) -> io::Result<usize> {
        if self.is_inside && !self.line()?.is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.is_inside = true;
        let line = self.line()?;
        let size = line.split(';').next().unwrap_or_default();
        usize::from_str_radix(size.trim(), 16).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.inner.by_ref().take(1_024).read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

impl<R: BufRead> Read for Chunked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.left = self.begin()?;
        }
        let room = buffer.len().min(self.left);
        let read = self.inner.read(&mut buffer[..room])?;
        if read == 0 && room > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> io::Result<String> {
        let mut text = String::new();
        Chunked::new(body.as_bytes()).read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn chunks_are_joined() {
        let body = "5\r\nhello\r\nA;x=y\r\n, you all\n\r\n0\r\n\r\n";
        assert_eq!(read(body).ok().as_deref(), Some("hello, you all\n"));
    }

    #[test]
    fn a_body_that_is_cut_or_wrong_is_an_error() {
        for body in ["", "5\r\nhel", "5\r\nhello", "z\r\n", "5\r\nhelloo\r\n"] {
            assert!(read(body).is_err(), "{body}");
        }
    }
}
