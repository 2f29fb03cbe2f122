//! Printing links: the present names of the entries they lead to, as BER elements, written once.

use std::sync::Arc;

use ldap::ber::{tag::OCTET_STRING, write_header, write_octets};

use crate::names::ROOT;
use crate::refusal::Fault;
use crate::search::printed::{KEPT_LINKS_MIN, Printed};
use crate::store::{AttributeId, EntryId, NodeWalk};
use crate::tree::{Candidate, Tree};

/// Writes names of entries. Most of a group's members stand below one parent, whose name is
/// composed once, and beside each other in the order of their ids.
pub(crate) struct NameWriter<'a, 't> {
    tree: &'a Tree<'t>,
    nodes: NodeWalk<'t>,
    parent: EntryId,
    parent_name: Arc<str>,
}

impl<'a, 't> NameWriter<'a, 't> {
    pub(crate) fn new(tree: &'a Tree<'t>) -> NameWriter<'a, 't> {
        let nodes = NodeWalk::new(tree.reader);
        NameWriter { tree, nodes, parent: ROOT, parent_name: Arc::from("") }
    }

    /// Appends one value: an entry's name and the value's own text behind it.
    pub(crate) fn write(
        &mut self,
        to: EntryId,
        text: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let node = self.nodes.node(to)?;
        let node =
            node.ok_or_else(|| Fault::Damaged { what: format!("entry {} has no node", to.0) })?;
        if node.parent != self.parent {
            self.parent_name =
                self.tree.names.parent_name(&self.tree.reader, self.tree.epoch, node.parent)?;
            self.parent = node.parent;
        }
        let (rdn, above) = (node.rdn.as_bytes(), self.parent_name.as_bytes());
        let comma: &[u8] = if above.is_empty() { b"" } else { b"," };
        let length = rdn.len() + comma.len() + above.len() + text.len();
        write_header(out, OCTET_STRING, length);
        for part in [rdn, comma, above, text] {
            out.extend_from_slice(part);
        }
        Ok(())
    }
}

/// Appends the values of one link attribute to `out`, or gives those that are kept.
pub(crate) fn print_links(
    candidate: &Candidate<'_, '_>,
    attribute: AttributeId,
    writer: &mut NameWriter<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<Option<Printed>, Fault> {
    let tree = candidate.tree;
    let (reader, place) = (&tree.reader, (candidate.id, attribute));
    let mut count = 0;
    for link in reader.links_of(candidate.id, attribute)? {
        let link = link?;
        writer.write(link.to, link.text, out)?;
        count += 1;
        if count == KEPT_LINKS_MIN
            && let Some(kept) = tree.names.printed.find(reader, place)
        {
            return Ok(Some(kept));
        }
    }
    if candidate.record.flags().has_loose {
        for loose in reader.loose_of(candidate.id, attribute)? {
            write_octets(out, OCTET_STRING, loose?.value);
        }
    }
    if count < KEPT_LINKS_MIN {
        return Ok(None);
    }
    let printed = Printed::new(std::mem::take(out));
    tree.names.printed.keep(reader, place, &printed);
    Ok(Some(printed))
}

/// Whether the attribute has any value.
pub(crate) fn has_links(
    candidate: &Candidate<'_, '_>,
    attribute: AttributeId,
) -> Result<bool, Fault> {
    let (reader, flags) = (&candidate.tree.reader, candidate.record.flags());
    Ok((flags.has_links && reader.links_of(candidate.id, attribute)?.next().is_some())
        || (flags.has_loose && reader.loose_of(candidate.id, attribute)?.next().is_some()))
}
