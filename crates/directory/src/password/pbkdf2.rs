//! PBKDF2 (RFC 8018 §5.2) as OpenLDAP and 389 DS store it.

use ::pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::limits::MAX_PBKDF2_ROUNDS;
use super::{base64, stored::Unusable};

/// The digest under the HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prf {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Debug)]
pub(super) struct Pbkdf2Hash {
    prf: Prf,
    iterations: u32,
    salt: Vec<u8>,
    derived: Vec<u8>,
}

/// 389 DS's older binary form: four bytes of iterations, then salt and hash of fixed lengths.
const BINARY_SALT: usize = 64;
const BINARY_HASH: usize = 256;

impl Prf {
    fn length(self) -> usize {
        match self {
            Prf::Sha1 => 20,
            Prf::Sha256 => 32,
            Prf::Sha512 => 64,
        }
    }
}

impl Pbkdf2Hash {
    /// `iterations$salt$hash`
    pub(super) fn parse(prf: Prf, text: &[u8]) -> Result<Pbkdf2Hash, Unusable> {
        let mut fields = text.split(|&b| b == b'$');
        let (Some(iterations), Some(salt), Some(hash), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(Unusable::Malformed);
        };
        let iterations = std::str::from_utf8(iterations)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(Unusable::Malformed)?;
        let salt = base64::decode_adapted(salt).ok_or(Unusable::Malformed)?;
        let derived = base64::decode_adapted(hash).ok_or(Unusable::Malformed)?;
        // A shorter hash would match more than one password; both servers write whole digests.
        if derived.len() != prf.length() {
            return Err(Unusable::Malformed);
        }
        Pbkdf2Hash { prf, iterations, salt, derived }.bounded()
    }

    /// The older `{PBKDF2_SHA256}` of 389 DS.
    pub(super) fn parse_binary(text: &[u8]) -> Result<Pbkdf2Hash, Unusable> {
        let bytes = base64::decode(text).ok_or(Unusable::Malformed)?;
        let (iterations, rest) = bytes.split_first_chunk::<4>().ok_or(Unusable::Malformed)?;
        let (salt, derived) = rest.split_at_checked(BINARY_SALT).ok_or(Unusable::Malformed)?;
        if derived.len() != BINARY_HASH {
            return Err(Unusable::Malformed);
        }
        Pbkdf2Hash {
            prf: Prf::Sha256,
            iterations: u32::from_be_bytes(*iterations),
            salt: salt.to_vec(),
            derived: derived.to_vec(),
        }
        .bounded()
    }

    fn bounded(self) -> Result<Pbkdf2Hash, Unusable> {
        let blocks = self.derived.len().div_ceil(self.prf.length()) as u64;
        match u64::from(self.iterations) * blocks {
            0 => Err(Unusable::Malformed),
            rounds if rounds > u64::from(MAX_PBKDF2_ROUNDS) => Err(Unusable::TooCostly),
            _ => Ok(self),
        }
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let mut computed = Zeroizing::new(vec![0; self.derived.len()]);
        let (salt, rounds) = (&self.salt, self.iterations);
        match self.prf {
            Prf::Sha1 => pbkdf2_hmac::<Sha1>(password, salt, rounds, &mut computed),
            Prf::Sha256 => pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut computed),
            Prf::Sha512 => pbkdf2_hmac::<Sha512>(password, salt, rounds, &mut computed),
        }
        computed.ct_eq(&self.derived).into()
    }
}
