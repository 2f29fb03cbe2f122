//! LDIF in pieces: records as they come, from a file of any size.

use std::io::Read;

use ldap::ldif::{LdifError, Split, Splitter};

/// Bytes asked of the reader at once.
const CHUNK_BYTES: usize = 1 << 20;

/// One record's text, and the line it begins on.
#[derive(Clone, Debug)]
pub struct RawRecord {
    pub line: u32,
    pub text: Vec<u8>,
}

/// Why reading ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the file cannot be read: {0}")]
    Disk(#[from] std::io::Error),
    #[error("line {}: {}", .0.line, .0.what)]
    Ldif(LdifError),
}

pub struct Records<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    at_end: bool,
    splitter: Splitter,
    bytes: u64,
}

impl<R: Read> Records<R> {
    pub fn new(reader: R) -> Records<R> {
        Records {
            reader,
            buffer: Vec::new(),
            start: 0,
            at_end: false,
            splitter: Splitter::new(),
            bytes: 0,
        }
    }

    /// Bytes of the records given out so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read_more(&mut self) -> Result<(), std::io::Error> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let held = self.buffer.len();
        self.buffer.resize(held + CHUNK_BYTES, 0);
        let free = self.buffer.get_mut(held..).unwrap_or_default();
        let count = self.reader.read(free)?;
        self.buffer.truncate(held + count);
        self.at_end = count == 0;
        Ok(())
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<RawRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            match self.splitter.next_record(rest, self.at_end) {
                Err(error) => return Some(Err(ReadError::Ldif(error))),
                Ok(Split::Record { range, line, consumed }) => {
                    let text = rest.get(range).unwrap_or_default().to_vec();
                    self.start += consumed;
                    self.bytes += consumed as u64;
                    return Some(Ok(RawRecord { line, text }));
                }
                Ok(Split::NeedMore { consumed }) => {
                    self.start += consumed;
                    if self.at_end {
                        return None;
                    }
                    if let Err(error) = self.read_more() {
                        return Some(Err(ReadError::Disk(error)));
                    }
                }
            }
        }
    }
}
