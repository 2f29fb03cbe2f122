//! What is put aside until later: in memory up to a bound, then in a file that vanishes with the
//! process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Cursor, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::refusal::Fault;

/// Records of byte fields, read back in the order in which they came.
pub(super) struct Aside {
    path: PathBuf,
    buffer: Vec<u8>,
    buffer_bytes_max: usize,
    file: Option<File>,
    records: u64,
}

impl Aside {
    pub(super) fn new(folder: &Path, name: &str, buffer_bytes_max: usize) -> Aside {
        let path = folder.join(name);
        Aside { path, buffer: Vec::new(), buffer_bytes_max, file: None, records: 0 }
    }

    pub(super) fn records(&self) -> u64 {
        self.records
    }

    pub(super) fn push(&mut self, fields: &[&[u8]]) -> Result<(), Fault> {
        for field in fields {
            self.buffer.extend_from_slice(&(field.len() as u64).to_le_bytes());
            self.buffer.extend_from_slice(field);
        }
        self.records += 1;
        if self.buffer.len() > self.buffer_bytes_max {
            self.flush().map_err(disk)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(nameless(&self.path)?),
        };
        file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    pub(super) fn read(mut self) -> Result<ReadAside, Fault> {
        let file: Box<dyn Read> = match self.file.take() {
            None => Box::new(io::empty()),
            Some(mut file) => {
                file.rewind().map_err(disk)?;
                Box::new(BufReader::with_capacity(1 << 18, file))
            }
        };
        Ok(ReadAside { rest: Box::new(file.chain(Cursor::new(self.buffer))), left: self.records })
    }
}

pub(super) struct ReadAside {
    rest: Box<dyn Read>,
    left: u64,
}

impl ReadAside {
    /// The next record, which has as many fields as it was written with.
    pub(super) fn next<const FIELDS: usize>(&mut self) -> Result<Option<[Vec<u8>; FIELDS]>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let mut fields = [const { Vec::new() }; FIELDS];
        for field in &mut fields {
            self.field(field).map_err(disk)?;
        }
        Ok(Some(fields))
    }

    fn field(&mut self, field: &mut Vec<u8>) -> io::Result<()> {
        let mut length = [0; 8];
        self.rest.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let read = (&mut self.rest).take(length).read_to_end(field)?;
        if read as u64 == length { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }
}

fn nameless(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
    fs::remove_file(path)?;
    Ok(file)
}

fn disk(source: io::Error) -> Fault {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Fault::Full,
        _ => Fault::Disk { doing: "putting records aside in a temporary file".to_owned(), source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_aside_comes_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for bound in [0, 50, 1 << 20] {
            let mut aside = Aside::new(folder.path(), "aside", bound);
            for number in 0..100u32 {
                aside.push(&[&number.to_le_bytes(), &vec![7; number as usize]]).unwrap();
            }
            assert_eq!(aside.records(), 100);
            let mut read = aside.read().unwrap();
            for number in 0..100u32 {
                let [first, second] = read.next().unwrap().unwrap();
                assert_eq!((first, second.len()), (number.to_le_bytes().to_vec(), number as usize));
            }
            assert!(read.next::<2>().unwrap().is_none());
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
