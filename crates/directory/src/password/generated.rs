//! The password the server makes when Password Modify asks for one (RFC 3062 §2).

/// Twenty characters of five bits each: a hundred bits.
pub const GENERATED_LENGTH: usize = 20;

/// Thirty-two characters nobody confuses when reading them aloud: no `l`, `o`, `0` or `1`.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A readable password from the caller's randomness. Every byte gives one character without bias,
/// as 32 divides 256. The caller wipes what it got (`zeroize`).
#[must_use]
#[allow(clippy::indexing_slicing, reason = "a number below 32 indexes 32 characters")]
pub fn generate(random: &[u8; GENERATED_LENGTH]) -> String {
    random.iter().map(|&byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}
