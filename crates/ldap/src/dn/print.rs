//! Prints names as RFC 4514 §2 says, so that parsing gives back the same value.

use std::fmt::{Display, Formatter, Result, Write};

use super::{AttributeValue, Dn, Rdn};

impl Display for Dn {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        for (index, rdn) in self.rdns.iter().enumerate() {
            if index > 0 {
                out.write_char(',')?;
            }
            rdn.fmt(out)?;
        }
        Ok(())
    }
}

impl Display for Rdn {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        for (index, value) in self.values.iter().enumerate() {
            if index > 0 {
                out.write_char('+')?;
            }
            value.fmt(out)?;
        }
        Ok(())
    }
}

impl Display for AttributeValue {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        write!(out, "{}=", self.attribute)?;
        write_value(out, &self.value)
    }
}

/// RFC 4514 §2.4. Control characters need no escape there, but nobody wants a line break in a log
/// line or a terminal, and every parser reads the hex form.
fn write_value(out: &mut Formatter<'_>, value: &[u8]) -> Result {
    let last = value.len().saturating_sub(1);
    let mut offset = 0;
    for chunk in value.utf8_chunks() {
        for (index, sign) in chunk.valid().char_indices() {
            let at = offset + index;
            match sign {
                '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(out, "\\{sign}")?,
                '#' if at == 0 => out.write_str("\\#")?,
                ' ' if at == 0 || at == last => out.write_str("\\ ")?,
                '\0'..='\x1f' | '\x7f' => write!(out, "\\{:02X}", u32::from(sign))?,
                _ => out.write_char(sign)?,
            }
        }
        for byte in chunk.invalid() {
            write!(out, "\\{byte:02X}")?;
        }
        offset += chunk.valid().len() + chunk.invalid().len();
    }
    Ok(())
}
