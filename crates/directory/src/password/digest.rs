//! One pass of a digest, salted or not: `{SSHA}`, `{SHA256}`, `{SMD5}` and their kin (RFC 2307
//! §5.3).

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{base64, stored::Unusable};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// The digest of password then salt; an empty salt for the unsalted schemes.
#[derive(Debug)]
pub(super) struct DigestHash {
    algorithm: Algorithm,
    digest: Vec<u8>,
    salt: Vec<u8>,
}

impl Algorithm {
    fn length(self) -> usize {
        match self {
            Algorithm::Md5 => 16,
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
            Algorithm::Sha384 => 48,
            Algorithm::Sha512 => 64,
        }
    }

    fn digest(self, password: &[u8], salt: &[u8]) -> Zeroizing<Vec<u8>> {
        match self {
            Algorithm::Md5 => digest::<Md5>(password, salt),
            Algorithm::Sha1 => digest::<Sha1>(password, salt),
            Algorithm::Sha256 => digest::<Sha256>(password, salt),
            Algorithm::Sha384 => digest::<Sha384>(password, salt),
            Algorithm::Sha512 => digest::<Sha512>(password, salt),
        }
    }
}

fn digest<D: Digest>(password: &[u8], salt: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(D::new().chain_update(password).chain_update(salt).finalize().to_vec())
}

impl DigestHash {
    pub(super) fn parse(
        algorithm: Algorithm,
        salted: bool,
        text: &[u8],
    ) -> Result<DigestHash, Unusable> {
        let mut digest = base64::decode(text).ok_or(Unusable::Malformed)?;
        if digest.len() < algorithm.length() {
            return Err(Unusable::Malformed);
        }
        let salt = digest.split_off(algorithm.length());
        if !salted && !salt.is_empty() {
            return Err(Unusable::Malformed);
        }
        Ok(DigestHash { algorithm, digest, salt })
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let computed = self.algorithm.digest(password, &self.salt);
        computed.ct_eq(&self.digest).into()
    }
}

/// Equality that tells neither where nor in which length two secrets differ.
pub(super) fn same_secret(left: &[u8], right: &[u8]) -> bool {
    let (left, right) = (digest::<Sha256>(left, &[]), digest::<Sha256>(right, &[]));
    left.ct_eq(&right).into()
}
