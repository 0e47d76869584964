//! Lines of bounded length, whatever the file holds.

use std::io::{self, BufRead, Read};

/// The longest line that is read.
pub(super) const MAX_LINE: usize = 1 << 20;

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// In [`Lines::bytes`].
    Whole,
    /// Longer than [`MAX_LINE`]; only its beginning was kept.
    TooLong,
}

/// Reads lines into one buffer that never grows beyond [`MAX_LINE`] and a byte.
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Number of the last line read, from 1.
    pub(super) number: u64,
    /// The last line read had no line end: the file may have been cut there.
    pub(super) open: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), number: 0, open: false }
    }

    /// Reads the next line; `None` at the end.
    pub(super) fn advance(&mut self) -> io::Result<Option<Line>> {
        self.buffer.clear();
        // One byte more for a line end right behind a line of full length.
        let read = self.reader.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.buffer.last() == Some(&b'\n') {
            self.open = false;
            self.buffer.pop();
            if self.buffer.last() == Some(&b'\r') {
                self.buffer.pop();
            }
            return Ok(Some(Line::Whole));
        }
        if self.buffer.len() <= MAX_LINE {
            self.open = true;
            return Ok(Some(Line::Whole));
        }
        self.buffer.truncate(1024);
        self.buffer.shrink_to(1024);
        self.skip_rest()?;
        Ok(Some(Line::TooLong))
    }

    /// The last line, or its beginning if it was too long.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        self.open = true;
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                return Ok(());
            }
            if let Some(end) = chunk.iter().position(|byte| *byte == b'\n') {
                self.open = false;
                self.reader.consume(end + 1);
                return Ok(());
            }
            let length = chunk.len();
            self.reader.consume(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn read(text: &str) -> Vec<(Line, String, bool)> {
        let mut lines = Lines::new(Cursor::new(text.to_owned()));
        let mut all = Vec::new();
        while let Some(line) = lines.advance().expect("memory reads") {
            all.push((line, String::from_utf8_lossy(lines.bytes()).into_owned(), lines.open));
        }
        all
    }

    #[test]
    fn line_ends_are_dropped_and_an_open_end_is_seen() {
        let lines = read("a\r\nb\n\nc");
        let texts: Vec<_> = lines.iter().map(|line| (line.1.as_str(), line.2)).collect();
        assert_eq!(texts, [("a", false), ("b", false), ("", false), ("c", true)]);
    }

    #[test]
    fn a_line_over_the_limit_keeps_only_its_beginning() {
        let long = "x".repeat(3 * MAX_LINE);
        let lines = read(&format!("a\n{long}\nb\n"));
        assert_eq!(lines[1].0, Line::TooLong);
        assert_eq!(lines[1].1.len(), 1024);
        assert_eq!(lines[2].1, "b");
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_whole() {
        let full = "x".repeat(MAX_LINE);
        assert_eq!(read(&format!("{full}\n"))[0].0, Line::Whole);
        assert_eq!(read(&full)[0].0, Line::Whole);
    }
}
