//! Generalized and UTC time (RFC 4517 §3.3.13, §3.3.34) as digits in UTC, and CSNs.

use super::InvalidValue;

fn invalid() -> InvalidValue {
    InvalidValue::new("is no generalized time; right is like 20261231235959Z or 202612312359+0100")
}

/// A moment to the second, as read, with the digits of a fraction of its last unit.
struct Moment<'a> {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    /// Seconds in the unit that the fraction is of: 3600, 60 or 1.
    unit: i64,
    fraction: &'a [u8],
    /// Minutes east of UTC.
    offset: i64,
}

/// Takes two digits within a range from the front.
fn two(rest: &mut &[u8], low: i64, high: i64) -> Option<i64> {
    let &[tens, ones, ref tail @ ..] = *rest else { return None };
    if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
        return None;
    }
    let number = i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
    *rest = tail;
    (low..=high).contains(&number).then_some(number)
}

fn has_digit(rest: &[u8]) -> bool {
    rest.first().is_some_and(u8::is_ascii_digit)
}

fn take_fraction<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let [b'.' | b',', tail @ ..] = *rest else { return Some(&[]) };
    let length = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    (!fraction.is_empty() && length <= 64).then_some(fraction)
}

fn take_offset(rest: &mut &[u8]) -> Option<i64> {
    let (sign, mut tail) = match *rest {
        [b'Z', tail @ ..] => {
            *rest = tail;
            return Some(0);
        }
        [b'+', tail @ ..] => (1, tail),
        [b'-', tail @ ..] => (-1, tail),
        _ => return None,
    };
    let hours = two(&mut tail, 0, 23)?;
    let minutes = if has_digit(tail) { two(&mut tail, 0, 59)? } else { 0 };
    *rest = tail;
    Some(sign * (hours * 60 + minutes))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn read_generalized(value: &[u8]) -> Option<Moment<'_>> {
    let mut rest = value;
    let year = two(&mut rest, 0, 99)? * 100 + two(&mut rest, 0, 99)?;
    read_rest(year, rest)
}

/// UTC time has two digits of the year; 50 and above are of the 20th century (RFC 5280 §4.1.2.5.1).
fn read_utc(value: &[u8]) -> Option<Moment<'_>> {
    let mut rest = value;
    let year = two(&mut rest, 0, 99)?;
    let moment = read_rest(if year < 50 { 2000 + year } else { 1900 + year }, rest)?;
    (moment.unit < 3600 && moment.fraction.is_empty()).then_some(moment)
}

fn read_rest(year: i64, mut rest: &[u8]) -> Option<Moment<'_>> {
    let month = two(&mut rest, 1, 12)?;
    let day = two(&mut rest, 1, days_in_month(year, month))?;
    let hour = two(&mut rest, 0, 23)?;
    let (mut minute, mut second, mut unit) = (0, 0, 3600);
    if has_digit(rest) {
        (minute, unit) = (two(&mut rest, 0, 59)?, 60);
        if has_digit(rest) {
            (second, unit) = (two(&mut rest, 0, 60)?, 1);
        }
    }
    let fraction = take_fraction(&mut rest)?;
    let offset = take_offset(&mut rest)?;
    rest.is_empty().then_some(Moment {
        year,
        month,
        day,
        hour,
        minute,
        second,
        unit,
        fraction,
        offset,
    })
}

/// Days since 1 March of year 0, and back: years that begin in March put the leap day last.
fn to_days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
}

fn from_days(days: i64) -> (i64, i64, i64) {
    let mut year = (10_000 * days + 14_780).div_euclid(3_652_425);
    let start =
        |year: i64| 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    if days < start(year) {
        year -= 1;
    }
    let of_year = days - start(year);
    let shifted = (100 * of_year + 52) / 3060;
    let day = of_year - (shifted * 306 + 5) / 10 + 1;
    (year + (shifted + 2) / 12, (shifted + 2) % 12 + 1, day)
}

/// A fraction of an hour or minute as whole seconds and a fraction of a second.
fn spread_fraction(fraction: &[u8], unit: i64) -> (i64, Vec<u8>) {
    // 18 digits of an hour are far below a femtosecond; the rest cannot matter.
    let digits = fraction.get(..18).unwrap_or(fraction);
    let scale = 10_i128.pow(digits.len() as u32);
    let part = digits.iter().fold(0_i128, |sum, digit| sum * 10 + i128::from(digit - b'0'));
    let seconds = part * i128::from(unit);
    let width = digits.len();
    let rest = format!("{:0width$}", seconds % scale);
    ((seconds / scale) as i64, if width == 0 { Vec::new() } else { rest.into_bytes() })
}

impl Moment<'_> {
    /// `YYYYMMDDHHMMSS[.fraction]` in UTC: without the `Z`, byte order is time order.
    fn write(&self, out: &mut Vec<u8>) -> Option<()> {
        let (extra, fraction) = match self.unit {
            1 => (self.second, self.fraction.to_vec()),
            unit => {
                let (seconds, fraction) = spread_fraction(self.fraction, unit);
                (self.second + seconds, fraction)
            }
        };
        // A leap second stays the 60th of its minute.
        let (carried, second) = if self.unit == 1 { (0, extra) } else { (extra / 60, extra % 60) };
        let days = to_days(self.year, self.month, self.day);
        let minutes = days * 1440 + self.hour * 60 + self.minute + carried - self.offset;
        let (year, month, day) = from_days(minutes.div_euclid(1440));
        if !(0..=9999).contains(&year) {
            return None;
        }
        let of_day = minutes.rem_euclid(1440);
        let (hour, minute) = (of_day / 60, of_day % 60);
        let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}");
        out.extend_from_slice(text.as_bytes());
        let significant =
            fraction.len() - fraction.iter().rev().take_while(|&&d| d == b'0').count();
        if significant > 0 {
            out.push(b'.');
            out.extend(fraction.iter().take(significant));
        }
        Some(())
    }
}

pub(super) fn check_generalized(value: &[u8]) -> Result<(), InvalidValue> {
    read_generalized(value).map(|_| ()).ok_or_else(invalid)
}

pub(super) fn check_utc(value: &[u8]) -> Result<(), InvalidValue> {
    read_utc(value)
        .map(|_| ())
        .ok_or_else(|| InvalidValue::new("is no UTC time; right is like 2612312359Z"))
}

pub(super) fn normalize_generalized(value: &[u8], out: &mut Vec<u8>) -> Result<(), InvalidValue> {
    read_generalized(value).and_then(|moment| moment.write(out)).ok_or_else(invalid)
}

/// Milliseconds since 1970; none where it is no generalized time, or one before.
pub(crate) fn milliseconds(value: &[u8]) -> Option<u64> {
    let mut digits = Vec::new();
    normalize_generalized(value, &mut digits).ok()?;
    let moment = read_generalized(&[digits.as_slice(), b"Z"].concat()).map(|moment| {
        let days = to_days(moment.year, moment.month, moment.day) - to_days(1970, 1, 1);
        let minutes = days * 1440 + moment.hour * 60 + moment.minute;
        let thousandths = moment.fraction.iter().chain(b"000").take(3);
        let fraction = thousandths.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        (minutes * 60 + moment.second) * 1000 + fraction
    })?;
    u64::try_from(moment).ok()
}

pub(super) fn normalize_utc(value: &[u8], out: &mut Vec<u8>) -> Result<(), InvalidValue> {
    read_utc(value).and_then(|moment| moment.write(out)).ok_or_else(invalid)
}

/// A change sequence number: time, count, server and modification, as OpenLDAP writes them.
/// Releases before 2.4 wrote no microseconds and two digits of the server.
pub(super) fn normalize_csn(value: &[u8], out: &mut Vec<u8>) -> Result<(), InvalidValue> {
    let invalid =
        || InvalidValue::new("is no CSN; right is like 20261231235959.000000Z#000000#001#000000");
    let mut parts = value.split(|&byte| byte == b'#');
    let mut next = || parts.next().ok_or_else(invalid);
    let (time, count, server, modification) = (next()?, next()?, next()?, next()?);
    let hex = |part: &[u8], lengths: &[usize]| {
        lengths.contains(&part.len()) && part.iter().all(u8::is_ascii_hexdigit)
    };
    let sound = hex(count, &[6]) && hex(server, &[2, 3]) && hex(modification, &[6]);
    let moment = read_generalized(time).filter(|moment| {
        moment.unit == 1 && time.ends_with(b"Z") && matches!(moment.fraction.len(), 0 | 6)
    });
    if !sound || moment.is_none() || parts.next().is_some() {
        return Err(invalid());
    }
    out.extend(time.iter().take(14));
    out.push(b'.');
    out.extend(time.get(15..21).filter(|_| time.len() == 22).unwrap_or(b"000000"));
    out.extend_from_slice(b"Z#");
    for (part, end) in [(count, "#"), (server, "#"), (modification, "")] {
        if part.len() == 2 {
            out.push(b'0');
        }
        out.extend(part.to_ascii_lowercase());
        out.extend_from_slice(end.as_bytes());
    }
    Ok(())
}

/// The server's part of a CSN, or a server id by itself.
pub(super) fn normalize_sid(value: &[u8], out: &mut Vec<u8>) -> Result<(), InvalidValue> {
    let invalid = || InvalidValue::new("is no server id; right are three hexadecimal digits");
    let sid = match value.split(|&byte| byte == b'#').nth(2) {
        Some(part) => part,
        None => value,
    };
    if !matches!(sid.len(), 1..=3) || !sid.iter().all(u8::is_ascii_hexdigit) {
        return Err(invalid());
    }
    out.extend(std::iter::repeat_n(b'0', 3 - sid.len()));
    out.extend(sid.to_ascii_lowercase());
    Ok(())
}
