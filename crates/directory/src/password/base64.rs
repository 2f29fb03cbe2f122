//! Base64 as password schemes write it: with or without padding, in two alphabets.

use ::base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// Exporters differ on padding and on the unused last bits; neither changes the bytes.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    LENIENT.decode(text).ok()
}

/// The adapted alphabet writes `.` for `+`. Both are taken: 389 DS writes plain base64 there.
pub(super) fn decode_adapted(text: &[u8]) -> Option<Vec<u8>> {
    let plain: Vec<u8> = text.iter().map(|&b| if b == b'.' { b'+' } else { b }).collect();
    decode(&plain)
}

/// Without padding, as the PHC string format wants it.
pub(super) fn encode(bytes: &[u8]) -> String {
    LENIENT.encode(bytes)
}
