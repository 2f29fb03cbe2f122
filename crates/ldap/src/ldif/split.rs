//! Where one record ends and the next begins, in a whole text or in pieces of one.

use std::ops::Range;

use memchr::memchr;

use super::{LdifError, MAX_LINE_BYTES, MAX_RECORD_BYTES, MAX_RECORD_LINES, Record, fail};

/// Cuts records out of a buffer that the caller fills.
///
/// The caller drops `consumed` bytes from the front of the buffer after each answer, and after
/// [`Split::NeedMore`] appends what comes next. What was searched is not searched again.
#[derive(Clone, Debug)]
pub struct Splitter {
    /// The number of the line that the buffer begins with.
    line: u32,
    past_start: bool,
    /// Of the record that is not whole yet: its lines so far, where the last of them begins, and up
    /// to where its end was looked for.
    lines: u32,
    line_start: usize,
    searched: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    /// `buffer[range]` is for [`Record::parse`], with `line`.
    Record { range: Range<usize>, line: u32, consumed: usize },
    /// No whole record is there; if this was the end, there is none at all.
    NeedMore { consumed: usize },
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Default for Splitter {
    fn default() -> Splitter {
        Splitter::new()
    }
}

impl Splitter {
    /// For the beginning of a file.
    pub fn new() -> Splitter {
        Splitter { line: 1, past_start: false, lines: 0, line_start: 0, searched: 0 }
    }

    /// Looks for the next record. `at_end` says that nothing will follow the buffer.
    pub fn next_record(&mut self, buffer: &[u8], at_end: bool) -> Result<Split, LdifError> {
        if !self.byte_order_mark_is_known(buffer, at_end) {
            return Ok(Split::NeedMore { consumed: 0 });
        }
        let start = match self.searched {
            0 => self.skip_blank(buffer),
            _ => 0,
        };
        let record = buffer.get(start..).unwrap_or_default();
        match self.find_end(record)? {
            Some((length, ended)) => Ok(self.cut(start, length, ended)),
            None if at_end && !record.is_empty() => {
                self.lines = self.lines.saturating_add(1);
                Ok(self.cut(start, record.len(), record.len()))
            }
            None => Ok(Split::NeedMore { consumed: start }),
        }
    }

    /// Whether the buffer is long enough to tell if the file begins with a byte order mark.
    fn byte_order_mark_is_known(&self, buffer: &[u8], at_end: bool) -> bool {
        self.past_start
            || at_end
            || buffer.len() >= BYTE_ORDER_MARK.len()
            || !BYTE_ORDER_MARK.starts_with(buffer)
    }

    /// Past the byte order mark and blank lines.
    fn skip_blank(&mut self, buffer: &[u8]) -> usize {
        let mut rest = buffer;
        if !self.past_start {
            rest = rest.strip_prefix(BYTE_ORDER_MARK).unwrap_or(rest);
            self.past_start = true;
        }
        while let Some(after) = rest.strip_prefix(b"\n").or_else(|| rest.strip_prefix(b"\r\n")) {
            rest = after;
            self.line = self.line.saturating_add(1);
        }
        buffer.len() - rest.len()
    }

    /// The length of the record's text, and with it that of the blank line that ends it.
    fn find_end(&mut self, record: &[u8]) -> Result<Option<(usize, usize)>, LdifError> {
        while let Some(found) = memchr(b'\n', record.get(self.searched..).unwrap_or_default()) {
            let newline = self.searched + found;
            let line = record.get(self.line_start..newline).unwrap_or_default();
            let began = self.line_start;
            self.lines = self.lines.saturating_add(1);
            (self.line_start, self.searched) = (newline + 1, newline + 1);
            if matches!(line, b"" | b"\r") {
                return Ok(Some((began, newline + 1)));
            }
            self.check_limits(line.len())?;
        }
        self.searched = record.len();
        self.check_limits(record.len().saturating_sub(self.line_start))?;
        Ok(None)
    }

    fn check_limits(&self, line_length: usize) -> Result<(), LdifError> {
        let number = self.line.saturating_add(self.lines.saturating_sub(1));
        if line_length > MAX_LINE_BYTES {
            return fail(number, format!("a line may be {MAX_LINE_BYTES} bytes at most"));
        }
        if self.searched > MAX_RECORD_BYTES {
            return fail(self.line, format!("a record may be {MAX_RECORD_BYTES} bytes at most"));
        }
        if self.lines > MAX_RECORD_LINES {
            return fail(self.line, format!("a record may have {MAX_RECORD_LINES} lines at most"));
        }
        Ok(())
    }

    fn cut(&mut self, start: usize, length: usize, ended: usize) -> Split {
        let line = self.line;
        self.line = self.line.saturating_add(self.lines);
        (self.lines, self.line_start, self.searched) = (0, 0, 0);
        Split::Record { range: start..start + length, line, consumed: start + ended }
    }
}

/// The records of a text that is all there. A record with a fault does not end the walk: the next
/// one is read all the same. A limit of size does.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    splitter: Splitter,
    text: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a [u8]) -> Reader<'a> {
        Reader { rest: text, splitter: Splitter::new(), text: &[] }
    }

    /// The text of the record that was returned last, with the comments in and above it.
    pub fn record_text(&self) -> &'a [u8] {
        self.text
    }

    /// How much of the text is still to be read.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Record<'a>, LdifError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.splitter.next_record(self.rest, true) {
                Ok(Split::Record { range, line, consumed }) => {
                    self.text = self.rest.get(range).unwrap_or_default();
                    self.rest = self.rest.get(consumed..).unwrap_or_default();
                    if let Some(record) = Record::parse(self.text, line).transpose() {
                        return Some(record);
                    }
                }
                Ok(Split::NeedMore { .. }) => {
                    self.rest = &[];
                    return None;
                }
                Err(error) => {
                    self.rest = &[];
                    self.splitter = Splitter::new();
                    return Some(Err(error));
                }
            }
        }
    }
}
