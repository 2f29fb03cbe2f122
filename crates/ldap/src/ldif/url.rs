//! `:<` values: the one kind of URL that names something readable without a network.

/// The path a `file://` URL names (RFC 8089): no host or `localhost`, `%xx` decoded.
pub fn file_url_path(url: &str) -> Result<String, String> {
    let Some(path) = ["file:///", "file://localhost/"].iter().find_map(|p| url.strip_prefix(p))
    else {
        return Err("only `file:///path` URLs can be read".to_owned());
    };
    let mut bytes = vec![b'/'];
    let mut pieces = path.split('%');
    bytes.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        let decoded = piece.split_at_checked(2).and_then(|(digits, rest)| {
            let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            Some((u8::from_str_radix(digits, 16).ok().filter(|_| plain)?, rest))
        });
        let Some((byte, rest)) = decoded else {
            return Err("in a URL, `%` must be followed by two hex digits".to_owned());
        };
        bytes.push(byte);
        bytes.extend_from_slice(rest.as_bytes());
    }
    match String::from_utf8(bytes) {
        Ok(path) if !path.contains('\0') => Ok(path),
        _ => Err("the URL's path is not UTF-8 text".to_owned()),
    }
}
