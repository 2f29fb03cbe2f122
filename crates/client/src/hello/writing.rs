//! A ClientHello (RFC 5246 §7.4.1.2, RFC 8446 §4.1.2) as bytes.

use rustls::ProtocolVersion;

use super::{Hello, Suites};

/// The random, the session and the key share.
pub(super) const RANDOM_BYTES: usize = 96;

/// ECDHE with AES-GCM or ChaCha20, by ECDSA and RSA.
const TODAY: [u16; 6] = [0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8];
/// DHE and RSA with GCM and CBC, ECDHE with CBC, 3DES and RC4 at the end.
const BEFORE: [u16; 22] = [
    0x009e, 0x009f, 0xccaa, 0x0067, 0x006b, 0x0033, 0x0039, 0xc023, 0xc027, 0xc024, 0xc028, 0xc009,
    0xc013, 0xc00a, 0xc014, 0x009c, 0x009d, 0x003c, 0x002f, 0x0035, 0x000a, 0x0005,
];
const TLS13: [u16; 3] = [0x1301, 0x1302, 0x1303];
/// An empty renegotiation_info, said as a suite (RFC 5746 §3.3).
const RENEGOTIATION: u16 = 0x00ff;
/// x25519, P-256, P-384, P-521; finite fields of 2048 and 3072 bits.
const GROUPS: [u16; 6] = [0x001d, 0x0017, 0x0018, 0x0019, 0x0100, 0x0101];
/// ECDSA, EdDSA, PSS, PKCS#1; SHA-1 at the end, for those who have nothing else.
const SIGNATURES: [u16; 14] = [
    0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0809, 0x0401, 0x0501, 0x0601, 0x0203,
    0x0201, 0x0402,
];

/// Lengths are far below what their fields hold; one that was not would be cut, not overflow.
fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

fn list(values: impl IntoIterator<Item = u16>) -> Vec<u8> {
    values.into_iter().flat_map(u16::to_be_bytes).collect()
}

fn behind_length(bytes: &[u8]) -> Vec<u8> {
    [&short(bytes.len())[..], bytes].concat()
}

fn extension(out: &mut Vec<u8>, kind: u16, body: &[u8]) {
    out.extend(kind.to_be_bytes());
    out.extend(behind_length(body));
}

pub(super) fn hello(hello: &Hello<'_>, random: &[u8; RANDOM_BYTES]) -> Vec<u8> {
    let is_13 = hello.version == ProtocolVersion::TLSv1_3;
    // TLS 1.3 looks like 1.2, and says otherwise in an extension.
    let spoken = if is_13 { ProtocolVersion::TLSv1_2 } else { hello.version };
    let (random, rest) = random.split_at(32);
    let (session, share) = rest.split_at(32);
    let mut body = u16::from(spoken).to_be_bytes().to_vec();
    body.extend(random);
    body.push(32);
    body.extend(session);
    body.extend(behind_length(&list(suites(is_13, hello.suites))));
    // No compression.
    body.extend([1, 0]);
    let mut extensions = extensions(hello, is_13, share);
    let length = 4 + body.len() + 2 + extensions.len();
    if length < hello.bytes {
        let padding = vec![0; (hello.bytes - length).saturating_sub(4)];
        extension(&mut extensions, 21, &padding);
    }
    body.extend(behind_length(&extensions));
    let [_, length @ ..] = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    let message = [&[1], &length[..], &body].concat();
    // Some servers close on a record of a version they do not know.
    let record = if spoken == ProtocolVersion::TLSv1_0 { spoken } else { ProtocolVersion::TLSv1_1 };
    let record =
        if is_13 || spoken == ProtocolVersion::TLSv1_2 { ProtocolVersion::TLSv1_0 } else { record };
    [&[22], &u16::from(record).to_be_bytes()[..], &behind_length(&message)].concat()
}

fn suites(is_13: bool, which: Suites) -> Vec<u16> {
    let mut all = Vec::new();
    match (is_13, which) {
        (true, _) => all.extend(TLS13),
        (false, Suites::Today) => all.extend(TODAY),
        (false, Suites::All) => all.extend(TODAY.iter().chain(&BEFORE)),
    }
    all.push(RENEGOTIATION);
    all
}

fn extensions(hello: &Hello<'_>, is_13: bool, share: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(name) = hello.name {
        let named = [&[0][..], &behind_length(name.as_bytes())].concat();
        extension(&mut out, 0, &behind_length(&named));
    }
    extension(&mut out, 10, &behind_length(&list(GROUPS)));
    // Points are not compressed.
    extension(&mut out, 11, &[1, 0]);
    if matches!(hello.version, ProtocolVersion::TLSv1_2 | ProtocolVersion::TLSv1_3) {
        extension(&mut out, 13, &behind_length(&list(SIGNATURES)));
    }
    // extended_master_secret
    extension(&mut out, 23, &[]);
    if is_13 {
        extension(&mut out, 43, &[2, 3, 4]);
        // psk_dhe_ke
        extension(&mut out, 45, &[1, 1]);
        // Any 32 bytes are a public key of x25519.
        let key = [&0x001d_u16.to_be_bytes()[..], &behind_length(share)].concat();
        extension(&mut out, 51, &behind_length(&key));
    }
    out
}
