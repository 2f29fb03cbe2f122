//! The CA's log: one JSON line for each certificate issued, refused or revoked. Written and flushed
//! before anybody gets what it speaks of.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Ca;
use super::files::append_line;
use crate::failure::failed;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Deed {
    Issued,
    Refused,
    Revoked,
    /// The server's own certificate, and the issuing CA's.
    Renewed,
    /// A CA was made.
    Founded,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Event {
    /// RFC 3339.
    pub(crate) time: String,
    pub(crate) deed: Deed,
    /// The name of who asked, `operator`, or `server` itself.
    pub(crate) who: String,
    /// The address it came from; `local` on this machine.
    pub(crate) from: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) template: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) subject: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) names: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) serial: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) thumbprint: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) not_after: String,
    /// Why it was refused or revoked; what was overruled.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
}

/// Who asks, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) who: String,
    pub(crate) from: String,
    /// The owner of the folder, for whom no limits are.
    pub(crate) is_operator: bool,
}

impl Asker {
    /// Whoever runs a command as the folder's owner.
    pub(crate) fn operator() -> Asker {
        let user = rustix::process::getuid().as_raw();
        Asker {
            who: format!("operator (user {user})"),
            from: "local".to_owned(),
            is_operator: true,
        }
    }

    pub(crate) fn server() -> Asker {
        Asker { who: "server".to_owned(), from: "local".to_owned(), is_operator: true }
    }
}

impl Event {
    pub(crate) fn new(deed: Deed, asker: &Asker, now: OffsetDateTime) -> Event {
        Event {
            time: text(now),
            deed,
            who: asker.who.clone(),
            from: asker.from.clone(),
            template: String::new(),
            subject: String::new(),
            names: Vec::new(),
            serial: String::new(),
            thumbprint: String::new(),
            not_after: String::new(),
            reason: String::new(),
        }
    }

    /// What the certificate says.
    pub(crate) fn about(mut self, certificate: &pki::Summary) -> Event {
        self.subject.clone_from(&certificate.subject);
        self.names = certificate.names.iter().map(ToString::to_string).collect();
        self.serial.clone_from(&certificate.serial);
        self.thumbprint.clone_from(&certificate.thumbprint);
        self.not_after = text(certificate.not_after);
        self
    }

    pub(crate) fn because(mut self, reason: impl Into<String>) -> Event {
        self.reason = reason.into();
        if let Some((end, _)) = self.reason.char_indices().nth(REASON_CHARS_MAX) {
            self.reason.truncate(end);
        }
        self
    }

    pub(crate) fn of(mut self, template: &str) -> Event {
        template.clone_into(&mut self.template);
        self
    }
}

/// Whoever may ask at all can have no long lines written; how many, [`mod@super::refused`] says.
const REASON_CHARS_MAX: usize = 500;

/// RFC 3339.
pub(crate) fn text(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.unix_timestamp().to_string())
}

/// What the log holds.
pub(crate) struct History {
    pub(crate) events: Vec<Event>,
    /// Lines that are none: cut short by a full disk or a power cut, or written by somebody else.
    pub(crate) unreadable: Vec<usize>,
}

impl Ca {
    /// Durable when this returns. Called with the lock held.
    pub(super) fn record(&self, event: &Event) -> Result<()> {
        let line = serde_json::to_string(event)?;
        append_line(&self.log_file(), &line)
    }

    pub(crate) fn history(&self) -> Result<History> {
        let path = self.log_file();
        let mut history = History { events: Vec::new(), unreadable: Vec::new() };
        if !path.exists() {
            return Ok(history);
        }
        let cannot = |error| failed(format!("cannot read {}: {error}", path.display()));
        let mut log = BufReader::new(File::open(&path).map_err(cannot)?);
        // Line by line: nothing bounds how long a log grows over the years.
        for number in 1.. {
            match next_line(&mut log).map_err(cannot)? {
                None => break,
                Some(line) if line.is_empty() => {}
                Some(line) => match serde_json::from_slice(&line) {
                    Ok(event) => history.events.push(event),
                    Err(_) => history.unreadable.push(number),
                },
            }
        }
        Ok(history)
    }

    /// How many certificates of a template somebody got in the last 24 hours.
    pub(super) fn issued_lately(
        &self,
        asker: &Asker,
        template: &str,
        now: OffsetDateTime,
    ) -> Result<usize> {
        let path = self.log_file();
        if !path.exists() {
            return Ok(0);
        }
        let mut count = 0;
        let is_meant = |event: &Event| {
            event.deed == Deed::Issued && event.who == asker.who && event.template == template
        };
        let look = |line: &[u8]| {
            let Ok(event) = serde_json::from_slice::<Event>(line) else { return true };
            let Ok(at) = OffsetDateTime::parse(&event.time, &Rfc3339) else { return true };
            // What lies ahead was written by a clock that was wrong.
            if at <= now && now - at < time::Duration::DAY && is_meant(&event) {
                count += 1;
            }
            now - at < time::Duration::DAY
        };
        File::open(&path)
            .and_then(|mut log| backwards(&mut log, look))
            .map_err(|error| failed(format!("cannot read {}: {error}", path.display())))?;
        Ok(count)
    }
}

/// No line comes near this: what is longer was not written here.
const LINE_BYTES_MAX: usize = 1 << 20;

/// The next line without its end; one that is too long is cut.
fn next_line(log: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let most = LINE_BYTES_MAX as u64 + 1;
    if (&mut *log).take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.pop_if(|last| *last == b'\n').is_none() && line.len() > LINE_BYTES_MAX {
        log.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

const BLOCK_BYTES: u64 = 64 * 1024;

/// Every line from the last one on, for as long as `look` says so. Lines that are too long are cut.
fn backwards(log: &mut File, mut look: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut at = log.metadata()?.len();
    // What stands behind the place: the end of a line whose begin was not read yet.
    let mut rest = Vec::new();
    while at > 0 {
        let count = at.min(BLOCK_BYTES);
        at -= count;
        log.seek(SeekFrom::Start(at))?;
        let mut block = Vec::new();
        (&mut *log).take(count).read_to_end(&mut block)?;
        rest.truncate(LINE_BYTES_MAX);
        block.append(&mut rest);
        let mut lines = block.split(|byte| *byte == b'\n');
        let first = lines.next().unwrap_or_default();
        let whole: Vec<&[u8]> = lines.collect();
        if !whole.into_iter().rev().all(&mut look) {
            return Ok(());
        }
        rest = first.to_vec();
    }
    look(&rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_from_the_last_one_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let lines: Vec<String> =
            [0, 1, 70_000, 20_000, 65_535, 65_536, 3].map(|length| "x".repeat(length)).to_vec();
        std::fs::write(&path, lines.join("\n")).unwrap();
        let mut found = Vec::new();
        let mut file = File::open(&path).unwrap();
        backwards(&mut file, |line| {
            found.push(line.len());
            true
        })
        .unwrap();
        found.reverse();
        assert_eq!(found, [0, 1, 70_000, 20_000, 65_535, 65_536, 3]);
        let mut first = Vec::new();
        backwards(&mut file, |line| {
            first.push(line.len());
            first.len() < 3
        })
        .unwrap();
        assert_eq!(first, [3, 65_536, 65_535]);
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let long = vec![b'x'; LINE_BYTES_MAX + 5];
        let text = [&long[..], b"\n{}\n\nend"].concat();
        let mut log = &text[..];
        let mut lengths = Vec::new();
        while let Some(line) = next_line(&mut log).unwrap() {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [LINE_BYTES_MAX + 1, 2, 0, 3]);
    }
}
