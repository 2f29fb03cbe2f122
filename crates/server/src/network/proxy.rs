//! The PROXY protocol, versions 1 and 2: who is behind a balancer, said before the first byte of
//! TLS. Only what TCP needs; extensions are skipped. Never reads beyond the header.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest line of version 1, its end included.
pub const V1_BYTES_MAX: usize = 107;

/// The longest header of version 2 that is taken. The specification asks for room for 536 bytes;
/// balancers that send certificates as extensions need more.
pub const V2_BYTES_MAX: usize = 4096;

const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family, length.
const V2_FIXED: usize = 16;

/// What bytes from a balancer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The beginning of a header, and no more than that.
    Incomplete,
    /// A header of this many bytes; what follows is the client's.
    Complete { length: usize, client: Client },
}

/// Who is behind the balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// This address. IPv4-mapped ones are IPv4.
    At(SocketAddr),
    /// Nobody: the balancer speaks for itself (`LOCAL`), as its health checks do.
    Itself,
    /// Somebody of whom the balancer does not know more (`UNKNOWN`, `UNSPEC`).
    Unknown,
}

/// Why bytes are no header that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    #[error("it begins with neither form of a PROXY protocol header")]
    NotAHeader,
    #[error("the line of a version 1 header does not end within {V1_BYTES_MAX} bytes")]
    EndlessLine,
    #[error("the line of a version 1 header is not of the form `PROXY TCP4 FROM TO PORT PORT`")]
    Line,
    #[error("version and command are {0:#04x}; 0x20 and 0x21 are known")]
    VersionOrCommand(u8),
    #[error("family and transport are {0:#04x}; TCP over IPv4 (0x11) and IPv6 (0x21) are taken")]
    Family(u8),
    #[error("it says that {0} bytes follow, more than are taken")]
    TooLong(u16),
    #[error("it says that {0} bytes follow, too few for its addresses")]
    TooShort(u16),
}

/// Looks at what has come so far.
pub fn header(bytes: &[u8]) -> Result<Header, HeaderFault> {
    if begins(bytes, V2_SIGNATURE) {
        return version_2(bytes);
    }
    if begins(bytes, b"PROXY ") {
        return version_1(bytes);
    }
    Err(HeaderFault::NotAHeader)
}

/// Whether these are the first bytes of `form`, or it and more.
fn begins(bytes: &[u8], form: &[u8]) -> bool {
    let common = bytes.len().min(form.len());
    bytes.get(..common) == form.get(..common)
}

fn version_1(bytes: &[u8]) -> Result<Header, HeaderFault> {
    let within = bytes.get(..V1_BYTES_MAX).unwrap_or(bytes);
    let Some(end) = within.iter().position(|byte| *byte == b'\n') else {
        return match within.len() == V1_BYTES_MAX {
            true => Err(HeaderFault::EndlessLine),
            false => Ok(Header::Incomplete),
        };
    };
    // A line feed alone ends no line, and none is inside one: what a header is must not depend on
    // how much of it has come.
    let line = within.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.and_then(|line| std::str::from_utf8(line).ok());
    let client = line.and_then(client_of_line).ok_or(HeaderFault::Line)?;
    Ok(Header::Complete { length: end + 1, client })
}

fn client_of_line(line: &str) -> Option<Client> {
    let rest = line.strip_prefix("PROXY ")?;
    // Whatever follows is to be ignored.
    if rest == "UNKNOWN" || rest.starts_with("UNKNOWN ") {
        return Some(Client::Unknown);
    }
    let mut words = rest.split(' ');
    let family = words.next()?;
    let (from, to) = (words.next()?, words.next()?);
    let (from_port, _) = (port(words.next()?)?, port(words.next()?)?);
    let from: IpAddr = match family {
        "TCP4" => {
            to.parse::<Ipv4Addr>().ok()?;
            from.parse::<Ipv4Addr>().ok()?.into()
        }
        "TCP6" => {
            to.parse::<Ipv6Addr>().ok()?;
            from.parse::<Ipv6Addr>().ok()?.into()
        }
        _ => return None,
    };
    let is_end = words.next().is_none();
    is_end.then(|| Client::At(SocketAddr::new(from.to_canonical(), from_port)))
}

/// A decimal number without sign and leading zeros.
fn port(word: &str) -> Option<u16> {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = word == "0" || !word.starts_with('0');
    (is_plain && is_short).then(|| word.parse().ok())?
}

fn version_2(bytes: &[u8]) -> Result<Header, HeaderFault> {
    let Some((fixed, rest)) = bytes.split_at_checked(V2_FIXED) else {
        return Ok(Header::Incomplete);
    };
    let [.., command, family, high, low] = *fixed else { return Ok(Header::Incomplete) };
    let said = u16::from_be_bytes([high, low]);
    let length = V2_FIXED + usize::from(said);
    if !matches!(command, 0x20 | 0x21) {
        return Err(HeaderFault::VersionOrCommand(command));
    }
    if length > V2_BYTES_MAX {
        return Err(HeaderFault::TooLong(said));
    }
    let addresses = match (command, family) {
        // What a LOCAL header says of addresses is to be ignored.
        (0x20, _) | (_, 0x00) => 0,
        (_, 0x11) => 12,
        (_, 0x21) => 36,
        (_, other) => return Err(HeaderFault::Family(other)),
    };
    if usize::from(said) < addresses {
        return Err(HeaderFault::TooShort(said));
    }
    let Some(rest) = rest.get(..usize::from(said)) else { return Ok(Header::Incomplete) };
    let client = match addresses {
        12 => client_v4(rest),
        36 => client_v6(rest),
        _ if command == 0x20 => Some(Client::Itself),
        _ => Some(Client::Unknown),
    };
    let client = client.ok_or(HeaderFault::TooShort(said))?;
    Ok(Header::Complete { length, client })
}

/// From, to, the two ports.
fn client_v4(addresses: &[u8]) -> Option<Client> {
    let from: [u8; 4] = *addresses.first_chunk()?;
    let port: [u8; 2] = *addresses.get(8..)?.first_chunk()?;
    Some(Client::At(SocketAddr::new(from.into(), u16::from_be_bytes(port))))
}

fn client_v6(addresses: &[u8]) -> Option<Client> {
    let from: [u8; 16] = *addresses.first_chunk()?;
    let port: [u8; 2] = *addresses.get(32..)?.first_chunk()?;
    let from = IpAddr::from(from).to_canonical();
    Some(Client::At(SocketAddr::new(from, u16::from_be_bytes(port))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [V2_SIGNATURE, &[command, family], &length, body].concat()
    }

    fn v4_body(extensions: &[u8]) -> Vec<u8> {
        [&[192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0x02, 0x7c], extensions].concat()
    }

    fn v6_body(from: &str) -> Vec<u8> {
        let from: Ipv6Addr = from.parse().unwrap();
        [&from.octets()[..], &[0; 16], &[0x30, 0x39, 0x02, 0x7c]].concat()
    }

    fn at(text: &str) -> Client {
        Client::At(text.parse().unwrap())
    }

    #[test]
    fn headers_of_both_versions() {
        let cases: Vec<(Vec<u8>, Client)> = vec![
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 636\r\n".to_vec(), at("192.0.2.7:12345")),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 0 65535\r\n".to_vec(), at("192.0.2.7:0")),
            (b"PROXY TCP6 2001:db8::7 ::1 12345 636\r\n".to_vec(), at("[2001:db8::7]:12345")),
            (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 636\r\n".to_vec(), at("192.0.2.7:1")),
            (b"PROXY UNKNOWN\r\n".to_vec(), Client::Unknown),
            (b"PROXY UNKNOWN ff::1 what ever\r\n".to_vec(), Client::Unknown),
            (v2(0x21, 0x11, &v4_body(b"")), at("192.0.2.7:12345")),
            (v2(0x21, 0x11, &v4_body(b"\x04\0\x03abc")), at("192.0.2.7:12345")),
            (v2(0x21, 0x21, &v6_body("2001:db8::7")), at("[2001:db8::7]:12345")),
            (v2(0x21, 0x21, &v6_body("::ffff:192.0.2.7")), at("192.0.2.7:12345")),
            (v2(0x20, 0x11, &v4_body(b"")), Client::Itself),
            (v2(0x20, 0x00, b""), Client::Itself),
            (v2(0x20, 0xff, b"anything"), Client::Itself),
            (v2(0x21, 0x00, b"unspec"), Client::Unknown),
        ];
        for (bytes, client) in cases {
            let length = bytes.len();
            let expected = Ok(Header::Complete { length, client });
            assert_eq!(header(&bytes), expected, "{}", bytes.escape_ascii());
            // The client's own first bytes are not touched.
            let more = [&bytes[..], b"\x16\x03\x01\r\n"].concat();
            assert_eq!(header(&more), expected, "{}", bytes.escape_ascii());
            for end in 0..length {
                let part = header(&bytes[..end]);
                assert_eq!(part, Ok(Header::Incomplete), "{}", bytes[..end].escape_ascii());
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused_as_soon_as_it_shows() {
        let long = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 93], b"\r\n"].concat();
        assert_eq!(long.len(), 109);
        let cases: Vec<(Vec<u8>, HeaderFault)> = vec![
            (b"\x16\x03\x01".to_vec(), HeaderFault::NotAHeader),
            (b"GET / HTTP/1.1\r\n".to_vec(), HeaderFault::NotAHeader),
            (b"PROXZ".to_vec(), HeaderFault::NotAHeader),
            (b"\r\n\r\n\0\r\nQUIX".to_vec(), HeaderFault::NotAHeader),
            (long, HeaderFault::EndlessLine),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 636\n".to_vec(), HeaderFault::Line),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 12345\r\n".to_vec(), HeaderFault::Line),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 636 \r\n".to_vec(), HeaderFault::Line),
            (b"PROXY TCP4 192.0.2.7  10.0.0.1 1 636\r\n".to_vec(), HeaderFault::Line),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 65536 636\r\n".to_vec(), HeaderFault::Line),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 01 636\r\n".to_vec(), HeaderFault::Line),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 +1 636\r\n".to_vec(), HeaderFault::Line),
            (b"PROXY TCP4 2001:db8::7 ::1 1 636\r\n".to_vec(), HeaderFault::Line),
            (b"PROXY TCP6 192.0.2.7 10.0.0.1 1 636\r\n".to_vec(), HeaderFault::Line),
            (b"PROXY UDP4 192.0.2.7 10.0.0.1 1 636\r\n".to_vec(), HeaderFault::Line),
            (b"PROXY \xff\r\n".to_vec(), HeaderFault::Line),
            (b"PROXY UNKNOWN \nUIT\r\n".to_vec(), HeaderFault::Line),
            (v2(0x11, 0x11, &v4_body(b"")), HeaderFault::VersionOrCommand(0x11)),
            (v2(0x22, 0x11, &v4_body(b"")), HeaderFault::VersionOrCommand(0x22)),
            (v2(0x21, 0x12, &v4_body(b"")), HeaderFault::Family(0x12)),
            (v2(0x21, 0x31, &[0; 216]), HeaderFault::Family(0x31)),
            (v2(0x21, 0x11, &[0; 11]), HeaderFault::TooShort(11)),
            (v2(0x21, 0x21, &[0; 35]), HeaderFault::TooShort(35)),
            (v2(0x21, 0x11, &[0; 4081]), HeaderFault::TooLong(4081)),
        ];
        for (bytes, fault) in cases {
            assert_eq!(header(&bytes), Err(fault), "{}", bytes.escape_ascii());
        }
        // Said by its length alone: nobody has to send so much first.
        let promise = [V2_SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
        assert_eq!(header(&promise), Err(HeaderFault::TooLong(0xffff)));
        let most = v2(0x21, 0x11, &v4_body(&[0; V2_BYTES_MAX - V2_FIXED - 12]));
        assert!(matches!(header(&most), Ok(Header::Complete { length: V2_BYTES_MAX, .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_header_or_are_not(bytes: Vec<u8>, form in 0u8..3) {
            let start: &[u8] = match form { 0 => b"", 1 => b"PROXY TCP4 ", _ => V2_SIGNATURE };
            let bytes = [start, &bytes].concat();
            if let Ok(Header::Complete { length, .. }) = header(&bytes) {
                prop_assert!(length <= bytes.len() && length <= V2_BYTES_MAX);
                prop_assert_eq!(header(&bytes[..length]), header(&bytes));
            }
        }

        #[test]
        fn an_address_comes_through_both_versions(from: u32, to: u32, port: u16) {
            let (from, to) = (Ipv4Addr::from_bits(from), Ipv4Addr::from_bits(to));
            let client = Client::At(SocketAddr::new(from.into(), port));
            let line = format!("PROXY TCP4 {from} {to} {port} 636\r\n");
            let length = line.len();
            prop_assert_eq!(header(line.as_bytes()), Ok(Header::Complete { length, client }));
            let ports = [port.to_be_bytes(), 636u16.to_be_bytes()].concat();
            let bytes = v2(0x21, 0x11, &[&from.octets()[..], &to.octets(), &ports].concat());
            let length = bytes.len();
            prop_assert_eq!(header(&bytes), Ok(Header::Complete { length, client }));
        }
    }
}
