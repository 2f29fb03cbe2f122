//! SCRAM-SHA-256 (RFC 5802, 7677): the password is not sent, and the server shows that it knows
//! it, too. With `-PLUS` the proof holds for this TLS connection's server only (RFC 5929).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use ldap::ber::Reader;
use ldap::ber::tag::SEQUENCE;
use ldap::message::{Authentication, BindRequest, Request};
use ldap::response::Response;
use ldap::result::ResultCode;
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::{Secret, Session, Turn, checked, decoded};
use crate::error::Error;

/// RFC 7677 §4: fewer make guessing too cheap for whoever listened.
const ITERATIONS_MIN: u32 = 4096;
/// Some seconds of work; a server must not take more.
const ITERATIONS_MAX: u32 = 10_000_000;
/// None of its messages is longer.
const MESSAGE_BYTES_MAX: usize = 8 << 10;
const DER_OBJECT_IDENTIFIER: u8 = 0x06;

type HmacSha256 = Hmac<Sha256>;
type Key = Zeroizing<[u8; 32]>;

/// Why the exchange did not end well. After any of these the session is bound as nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    #[error(
        "the {0} holds characters that are not printable ASCII, and their preparation (RFC 4013) \
         is not implemented; use a simple bind"
    )]
    Unprepared(&'static str),
    #[error("the system gives no random bytes")]
    NoRandomness,
    #[error("the server's message is none of this exchange: {0}")]
    Malformed(&'static str),
    #[error("the server's nonce does not continue ours: the message belongs to another exchange")]
    Nonce,
    #[error(
        "the server wants {0} iterations; {ITERATIONS_MIN} to {ITERATIONS_MAX} are accepted: set \
         the user's password anew there with a count between"
    )]
    Iterations(u64),
    #[error("the server says {0}")]
    Refused(String),
    #[error("the server does not prove that it knows the password: it is not to be trusted")]
    NotProven,
    #[error("the server's certificate has no hash to bind to (RFC 5929 4.1): {0}")]
    NoBinding(&'static str),
    #[error("the computation was ended")]
    Ended,
}

impl Session {
    /// SASL SCRAM-SHA-256.
    pub async fn bind_scram(&self, user: &str, password: &Secret) -> Result<(), Error> {
        let exchange = Exchange::new(user, password, &nonce()?, None)?;
        self.exchanged("SCRAM-SHA-256", exchange).await
    }

    /// SASL SCRAM-SHA-256-PLUS, bound to the server's certificate.
    pub async fn bind_scram_plus(&self, user: &str, password: &Secret) -> Result<(), Error> {
        let leaf = self.peer.chain.first();
        let leaf = leaf.ok_or(ScramError::NoBinding("there is none"))?;
        let binding = end_point(leaf)?;
        let exchange = Exchange::new(user, password, &nonce()?, Some(&binding))?;
        self.exchanged("SCRAM-SHA-256-PLUS", exchange).await
    }

    async fn exchanged(&self, mechanism: &'static str, exchange: Exchange) -> Result<(), Error> {
        // Nothing comes between the two steps.
        let turn = self.turn_alone().await;
        let first = exchange.first();
        let (code, said) = self.step(&turn, mechanism, first.as_bytes()).await?;
        if code != ResultCode::SASL_BIND_IN_PROGRESS {
            return Err(ScramError::Malformed("it ends before a proof was given").into());
        }
        // It may take a while, and others share the thread.
        let worked = tokio::task::spawn_blocking(move || exchange.last(&said)).await;
        let (last, proof) = worked.map_err(|_| ScramError::Ended)??;
        let (code, said) = self.step(&turn, mechanism, last.as_bytes()).await?;
        if code != ResultCode::SUCCESS {
            return Err(ScramError::Malformed("it goes on after the proof").into());
        }
        Ok(proof.verify(&said)?)
    }

    /// What the server answers; a refusal is an error.
    async fn step(
        &self,
        turn: &Turn,
        mechanism: &'static str,
        credentials: &[u8],
    ) -> Result<(ResultCode, Vec<u8>), Error> {
        let credentials = Some(credentials);
        let authentication = Authentication::Sasl { mechanism, credentials };
        let request = Request::Bind(BindRequest { version: 3, name: "", authentication });
        let answer = self.begin_in(turn.clone(), "bind", &request, &[])?.next().await?;
        let Response::Bind(bind) = decoded(&answer)?.response else {
            return Err(Error::Unexpected { operation: "bind" });
        };
        let code = bind.outcome.code;
        if code != ResultCode::SASL_BIND_IN_PROGRESS {
            checked("bind", &bind.outcome)?;
        }
        Ok((code, bind.server_sasl_credentials.unwrap_or_default().to_vec()))
    }
}

fn nonce() -> Result<String, ScramError> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|_| ScramError::NoRandomness)?;
    Ok(BASE64.encode(bytes))
}

/// The client's side up to its proof.
struct Exchange {
    /// Says what the connection is bound to.
    header: String,
    /// What `c=` holds: the header, and what it is bound to.
    binding: Vec<u8>,
    /// The first message without the header.
    bare: String,
    nonce: String,
    password: Secret,
}

impl Exchange {
    fn new(
        user: &str,
        password: &Secret,
        nonce: &str,
        end_point: Option<&[u8]>,
    ) -> Result<Exchange, Error> {
        if password.bytes().is_empty() {
            return Err(Error::EmptyPassword);
        }
        for (what, bytes) in [("user name", user.as_bytes()), ("password", password.bytes())] {
            // Of these, SASLprep changes nothing.
            if !bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) {
                return Err(ScramError::Unprepared(what).into());
            }
        }
        let header = if end_point.is_some() { "p=tls-server-end-point,," } else { "n,," };
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Ok(Exchange {
            header: header.to_owned(),
            binding: [header.as_bytes(), end_point.unwrap_or_default()].concat(),
            bare: format!("n={user},r={nonce}"),
            nonce: nonce.to_owned(),
            password: password.clone(),
        })
    }

    fn first(&self) -> String {
        format!("{}{}", self.header, self.bare)
    }

    /// The second message, and what the server must show after it.
    fn last(&self, server_first: &[u8]) -> Result<(String, Proof), ScramError> {
        let challenge = Challenge::parse(server_first, &self.nonce)?;
        let mut salted = Key::default();
        let (password, salt) = (self.password.bytes(), &challenge.salt);
        pbkdf2_hmac::<Sha256>(password, salt, challenge.iterations, salted.as_mut_slice());
        let client_key = Key::new(mac(&*salted, b"Client Key"));
        let stored_key: [u8; 32] = Sha256::digest(client_key.as_slice()).into();
        let bound = format!("c={},r={}", BASE64.encode(&self.binding), challenge.nonce);
        let said = format!("{},{},{bound}", self.bare, challenge.text);
        let signature = mac(&stored_key, said.as_bytes());
        let mut proof = *client_key;
        proof.iter_mut().zip(signature).for_each(|(byte, other)| *byte ^= other);
        let server_key = Key::new(mac(&*salted, b"Server Key"));
        Ok((format!("{bound},p={}", BASE64.encode(proof)), Proof { server_key, said }))
    }
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    keyed(key).chain_update(text).finalize().into_bytes().into()
}

fn keyed(key: &[u8]) -> HmacSha256 {
    #[allow(clippy::expect_used, reason = "HMAC takes keys of every length")]
    HmacSha256::new_from_slice(key).expect("a key of any length")
}

/// The server's first message.
struct Challenge<'a> {
    text: &'a str,
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: u32,
}

impl<'a> Challenge<'a> {
    fn parse(message: &'a [u8], ours: &str) -> Result<Challenge<'a>, ScramError> {
        let text = text(message)?;
        let mut parts = text.split(',');
        let mut part = |name: &str, missing| {
            let value = parts.next().and_then(|part| part.strip_prefix(name));
            value.filter(|value| !value.is_empty()).ok_or(ScramError::Malformed(missing))
        };
        // An extension that must be understood (`m=`) would stand here.
        let nonce = part("r=", "it does not begin with a nonce")?;
        let salt = part("s=", "it has no salt")?;
        let iterations = part("i=", "it has no count of iterations")?;
        let is_printable = nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_printable || nonce.len() <= ours.len() || !nonce.starts_with(ours) {
            return Err(ScramError::Nonce);
        }
        let salt =
            BASE64.decode(salt).map_err(|_| ScramError::Malformed("its salt is no Base64"))?;
        let is_number = iterations.bytes().all(|byte| byte.is_ascii_digit());
        let wanted = iterations.parse::<u64>().ok().filter(|_| is_number);
        let wanted = wanted.ok_or(ScramError::Malformed("its iterations are no number"))?;
        let iterations = u32::try_from(wanted).unwrap_or(u32::MAX);
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err(ScramError::Iterations(wanted));
        }
        Ok(Challenge { text, nonce, salt, iterations })
    }
}

fn text(message: &[u8]) -> Result<&str, ScramError> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(ScramError::Malformed("it is longer than 8 KiB"));
    }
    std::str::from_utf8(message).map_err(|_| ScramError::Malformed("it is no text"))
}

/// By what the server shows that it knows the password.
struct Proof {
    server_key: Key,
    said: String,
}

impl Proof {
    fn verify(&self, server_final: &[u8]) -> Result<(), ScramError> {
        let text = text(server_final)?;
        let first = text.split(',').next().unwrap_or_default();
        if let Some(error) = first.strip_prefix("e=") {
            return Err(ScramError::Refused(error.chars().take(100).collect()));
        }
        let signature = first.strip_prefix("v=").and_then(|value| BASE64.decode(value).ok());
        let signature = signature.ok_or(ScramError::NotProven)?;
        let expected = keyed(&*self.server_key).chain_update(self.said.as_bytes());
        expected.verify_slice(&signature).map_err(|_| ScramError::NotProven)
    }
}

/// RFC 5929 §4.1: the certificate under the hash of its signature, SHA-256 where that is older.
fn end_point(certificate: &[u8]) -> Result<Vec<u8>, ScramError> {
    let algorithm = signature_algorithm(certificate)
        .ok_or(ScramError::NoBinding("its signature algorithm cannot be read"))?;
    match algorithm {
        // MD5 and SHA-1 with RSA, SHA-1 with ECDSA; SHA-256 with either.
        oids::MD5_RSA
        | oids::SHA1_RSA
        | oids::SHA1_ECDSA
        | oids::SHA256_RSA
        | oids::SHA256_ECDSA => Ok(Sha256::digest(certificate).to_vec()),
        oids::SHA384_RSA | oids::SHA384_ECDSA => Ok(Sha384::digest(certificate).to_vec()),
        oids::SHA512_RSA | oids::SHA512_ECDSA => Ok(Sha512::digest(certificate).to_vec()),
        _ => Err(ScramError::NoBinding("its signature names no single hash; use SCRAM-SHA-256")),
    }
}

/// The contents of object identifiers as they stand in DER.
mod oids {
    pub(super) const MD5_RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04";
    pub(super) const SHA1_RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05";
    pub(super) const SHA256_RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b";
    pub(super) const SHA384_RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c";
    pub(super) const SHA512_RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d";
    pub(super) const SHA1_ECDSA: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x01";
    pub(super) const SHA256_ECDSA: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x02";
    pub(super) const SHA384_ECDSA: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x03";
    pub(super) const SHA512_ECDSA: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x04";
}

/// Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID, … }, … }
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let mut certificate = Reader::new(certificate).nested(SEQUENCE).ok()?;
    certificate.nested(SEQUENCE).ok()?;
    certificate.nested(SEQUENCE).ok()?.octets(DER_OBJECT_IDENTIFIER).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                         s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn exchange(user: &str, password: &str) -> Result<Exchange, Error> {
        Exchange::new(user, &Secret::new(password), NONCE, None)
    }

    #[test]
    fn the_example_of_rfc_7677() {
        let exchange = exchange("user", "pencil").unwrap();
        assert_eq!(exchange.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (last, proof) = exchange.last(FIRST.as_bytes()).unwrap();
        assert_eq!(
            last,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        proof.verify(FINAL.as_bytes()).unwrap();
        let refused = ScramError::Refused("invalid-proof".to_owned());
        for (message, error) in [
            ("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", ScramError::NotProven),
            ("v=", ScramError::NotProven),
            ("v=6rri", ScramError::NotProven),
            ("", ScramError::NotProven),
            ("e=invalid-proof", refused),
        ] {
            assert_eq!(proof.verify(message.as_bytes()), Err(error), "{message}");
        }
    }

    #[test]
    fn a_server_that_says_something_else_is_refused() {
        let exchange = exchange("user", "pencil").unwrap();
        let malformed = |what| ScramError::Malformed(what);
        for (from, to, error) in [
            ("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "", ScramError::Nonce),
            ("r=rOpr", "r=rOpx", ScramError::Nonce),
            ("%hv", "% v", ScramError::Nonce),
            ("i=4096", "i=4095", ScramError::Iterations(4095)),
            ("i=4096", "i=10000001", ScramError::Iterations(10_000_001)),
            ("i=4096", "i=99999999999", ScramError::Iterations(99_999_999_999)),
            ("i=4096", "i=+4096", malformed("its iterations are no number")),
            (",i=4096", "", malformed("it has no count of iterations")),
            ("s=W22Z", "s=?", malformed("its salt is no Base64")),
            ("s=W22ZaJ0SNY7soEsUEjb6gQ==", "s=", malformed("it has no salt")),
            ("r=", "m=x,r=", malformed("it does not begin with a nonce")),
        ] {
            let said = FIRST.replacen(from, to, 1);
            assert_eq!(exchange.last(said.as_bytes()).err(), Some(error), "{said}");
        }
        assert!(exchange.last(&[0xff]).is_err());
        assert!(exchange.last(&vec![b'r'; MESSAGE_BYTES_MAX + 1]).is_err());
        // Extensions at the end are passed over.
        assert!(exchange.last(format!("{FIRST},x=y").as_bytes()).is_ok());
    }

    #[test]
    fn names_are_escaped_and_what_needs_preparation_is_refused() {
        assert!(exchange("a=b,c", "p").unwrap().first().starts_with("n,,n=a=3Db=2Cc,r="));
        for (user, password, words) in [
            ("jürgen", "pencil", "the user name holds"),
            ("user", "pass\u{a0}word", "the password holds"),
            ("user", "tab\t", "the password holds"),
            ("user", "", "empty password"),
        ] {
            let error = exchange(user, password).err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_binding_is_the_hash_of_the_certificate() {
        let certificate = |oid: &[u8]| {
            let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
            let mut inner = vec![0x30, 0, 0x30, length(oid) + 2, 6, length(oid)];
            inner.extend_from_slice(oid);
            let mut whole = vec![0x30, length(&inner)];
            whole.append(&mut inner);
            whole
        };
        for (oid, length) in [
            (oids::SHA1_RSA, 32),
            (oids::SHA256_ECDSA, 32),
            (oids::SHA384_RSA, 48),
            (oids::SHA512_ECDSA, 64),
        ] {
            assert_eq!(end_point(&certificate(oid)).unwrap().len(), length);
        }
        // Ed25519 has none.
        assert!(matches!(end_point(&certificate(b"\x2b\x65\x70")), Err(ScramError::NoBinding(_))));
        assert!(matches!(end_point(b"none"), Err(ScramError::NoBinding(_))));
        let password = Secret::new("pencil");
        let bound = Exchange::new("user", &password, NONCE, Some(b"hash")).unwrap();
        assert!(bound.first().starts_with("p=tls-server-end-point,,n=user,"));
        let (last, _) = bound.last(FIRST.as_bytes()).unwrap();
        let encoded = BASE64.encode(b"p=tls-server-end-point,,hash");
        assert!(last.starts_with(&format!("c={encoded},r={NONCE}")));
    }
}
