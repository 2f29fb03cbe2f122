//! Everything as LDIF: parents before children, siblings in the order of their name keys,
//! attributes as they are stored, links sorted. Two directories that hold the same give the same
//! bytes.

use std::io::{self, Write};

use ldap::ldif::{write_attribute, write_dn, write_version};
use ldap::result::ResultCode;

use crate::directory::Directory;
use crate::names::ROOT;
use crate::refusal::{Error, Fault, Refusal};
use crate::store::{AttributeId, EntryId};
use crate::subject::{Protection, Subject, Who};
use crate::transfer::Progress;
use crate::tree::{Candidate, Tree};

pub struct ExportOptions<'o> {
    /// Only this entry and what is below it.
    pub base: Option<&'o str>,
    /// Leave out what the server keeps by itself.
    pub user_only: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    #[error("{}", .0.message)]
    Refused(Refusal),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<Error> for ExportError {
    fn from(error: Error) -> ExportError {
        match error {
            Error::Refused(refusal) => ExportError::Refused(refusal),
            Error::Fault(fault) => ExportError::Fault(fault),
        }
    }
}

/// Writes one snapshot; gives the number of entries.
pub fn export(
    directory: &Directory,
    options: &ExportOptions<'_>,
    out: &mut impl Write,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, ExportError> {
    let operator = Subject { who: Who::Operator, address: None, protection: Protection::Local };
    let view = directory.view(&operator)?;
    let tree = view.tree();
    let mut exporting =
        Exporting { tree: &tree, options, buffer: Vec::new(), links: link_attributes(&tree) };
    write_version(&mut exporting.buffer);
    // Siblings wait in reverse, so that the first is on top.
    let mut waiting = match options.base {
        None => children(&tree, ROOT)?,
        Some(base) => vec![find(&tree, base)?],
    };
    let mut entries = 0;
    while let Some(id) = waiting.pop() {
        exporting.entry(id)?;
        waiting.extend(children(&tree, id)?);
        entries += 1;
        if exporting.buffer.len() > 1 << 16 {
            out.write_all(&exporting.buffer)?;
            exporting.buffer.clear();
            progress(Progress { phase: "exporting", entries, bytes: 0 });
        }
    }
    out.write_all(&exporting.buffer)?;
    out.flush()?;
    Ok(entries)
}

fn find(tree: &Tree<'_>, base: &str) -> Result<EntryId, ExportError> {
    tree.find(base)?.ok_or_else(|| {
        let message = format!("there is no entry '{base}'");
        ExportError::Refused(Refusal::new(ResultCode::NO_SUCH_OBJECT, message))
    })
}

fn children(tree: &Tree<'_>, parent: EntryId) -> Result<Vec<EntryId>, Fault> {
    let mut children = tree.reader.children(parent)?.collect::<Result<Vec<_>, _>>()?;
    children.reverse();
    Ok(children)
}

/// In the order of their names, which is the same in every directory.
fn link_attributes(tree: &Tree<'_>) -> Vec<(AttributeId, String)> {
    let links = tree.catalogue.iter().filter(|(_, described)| described.link);
    let mut links: Vec<_> = links.map(|(id, described)| (id, described.text.clone())).collect();
    links.sort_by(|one, other| one.1.cmp(&other.1));
    links
}

struct Exporting<'e, 't> {
    tree: &'e Tree<'t>,
    options: &'e ExportOptions<'e>,
    buffer: Vec<u8>,
    links: Vec<(AttributeId, String)>,
}

impl Exporting<'_, '_> {
    fn entry(&mut self, id: EntryId) -> Result<(), Fault> {
        let candidate = self.tree.expect_entry(id)?;
        write_dn(&mut self.buffer, candidate.dn()?);
        self.rows(&candidate, false);
        self.link_values(&candidate)?;
        if !self.options.user_only {
            self.rows(&candidate, true);
        }
        self.buffer.push(b'\n');
        Ok(())
    }

    fn rows(&mut self, candidate: &Candidate<'_, '_>, operational: bool) {
        for row in candidate.record.rows() {
            let Some(described) = candidate.described(row.attribute) else { continue };
            if described.operational == operational {
                for value in row.values() {
                    write_attribute(&mut self.buffer, &described.text, value);
                }
            }
        }
    }

    fn link_values(&mut self, candidate: &Candidate<'_, '_>) -> Result<(), Fault> {
        let flags = candidate.record.flags();
        if !flags.has_links && !flags.has_loose {
            return Ok(());
        }
        for (attribute, text) in &self.links {
            let mut values = Vec::new();
            for link in self.tree.reader.links_of(candidate.id, *attribute)? {
                let link = link?;
                let mut value = self.tree.dn(link.to)?.into_bytes();
                value.extend_from_slice(link.text);
                values.push(value);
            }
            for loose in self.tree.reader.loose_of(candidate.id, *attribute)? {
                values.push(loose?.value.to_vec());
            }
            values.sort_unstable();
            for value in values {
                write_attribute(&mut self.buffer, text, &value);
            }
        }
        Ok(())
    }
}
