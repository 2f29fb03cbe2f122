//! Integers of any size as bytes whose order is number order, and the bit rules.

use super::InvalidValue;

/// Longer numbers are refused; a 16384-bit key has 4933 digits.
const MAX_DIGITS: usize = 5000;

fn invalid() -> InvalidValue {
    InvalidValue::new("is no integer; right is like -12 or 0 or 345, without leading zeros")
}

/// Sign and digits. RFC 4517 §3.3.16 forbids leading zeros and `-0`; both are told apart from
/// rubbish by `strict`, since comparing may be lenient where storing is not.
fn split(value: &[u8], strict: bool) -> Result<(bool, &[u8]), InvalidValue> {
    let (negative, digits) = match value {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err(invalid());
    }
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    if strict && ((zeros > 0 && digits.len() > 1) || (zeros == 1 && negative)) {
        return Err(invalid());
    }
    let significant = digits.get(zeros..).unwrap_or_default();
    Ok((negative && !significant.is_empty(), significant))
}

pub(super) fn check(value: &[u8]) -> Result<(), InvalidValue> {
    split(value, true).map(|_| ())
}

/// 0x01 for negative, 0x02 for zero and above; u16 number of digits; digits. What follows the sign
/// is complemented for negative numbers, so that larger magnitudes come first.
pub(super) fn normalize(value: &[u8], out: &mut Vec<u8>) -> Result<(), InvalidValue> {
    let (negative, digits) = split(value, false)?;
    let mask = if negative { 0xff } else { 0 };
    out.push(if negative { 1 } else { 2 });
    out.extend((digits.len() as u16).to_be_bytes().map(|byte| byte ^ mask));
    out.extend(digits.iter().map(|byte| byte ^ mask));
    Ok(())
}

/// Active Directory's bit rules work on 64 bits at most; 128 leave room for unsigned values.
fn bits(value: &[u8]) -> Result<i128, InvalidValue> {
    let text = std::str::from_utf8(value).map_err(|_| invalid())?;
    text.parse().map_err(|_| invalid())
}

pub(super) fn has_all_bits(value: &[u8], mask: &[u8]) -> Result<bool, InvalidValue> {
    let mask = bits(mask)?;
    Ok(bits(value)? & mask == mask)
}

pub(super) fn has_some_bits(value: &[u8], mask: &[u8]) -> Result<bool, InvalidValue> {
    Ok(bits(value)? & bits(mask)? != 0)
}
