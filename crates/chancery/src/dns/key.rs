//! The shared key that signs updates (TSIG, RFC 8945): read from the file that `tsig-keygen` makes,
//! or from a file that holds the secret alone.

use std::path::{Path, PathBuf};

use anyhow::Result;
use base64::prelude::{BASE64_STANDARD, Engine};
use hickory_proto::rr::TSigner;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use zeroize::Zeroizing;

use super::records::absolute;
use crate::durable;
use crate::failure::usage;

/// How far apart the clocks may be (RFC 8945 §10: 300 seconds are recommended).
const FUDGE_S: u16 = 300;
/// A key of fewer bytes is guessed sooner than one would like.
const SECRET_BYTES_MIN: usize = 16;

/// Where the key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeySource {
    pub(crate) file: PathBuf,
    /// Needed where the file holds the secret alone.
    pub(crate) name: Option<String>,
    pub(crate) algorithm: Option<String>,
}

struct Parts {
    name: String,
    algorithm: String,
    secret: Zeroizing<String>,
}

pub(crate) fn load(source: &KeySource) -> Result<TSigner> {
    let bytes = durable::read_secret(&source.file)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    parse(text, source).map_err(|what| wrong(&source.file, &what))
}

fn wrong(file: &Path, what: &str) -> anyhow::Error {
    usage(format!(
        "{}: {what}; right is what `tsig-keygen NAME` prints: \
         key \"NAME\" {{ algorithm hmac-sha256; secret \"BASE64\"; }};",
        file.display()
    ))
}

/// No error quotes the text: it may be the secret.
fn parse(text: &str, source: &KeySource) -> Result<TSigner, String> {
    let parts = parts(text, source)?;
    let algorithm = algorithm(&parts.algorithm)?;
    let name = absolute(&parts.name).map_err(|error| format!("the key's name: {error}"))?;
    let secret = BASE64_STANDARD
        .decode(parts.secret.as_bytes())
        .map_err(|_| "the secret is not base64".to_owned())?;
    if secret.len() < SECRET_BYTES_MIN {
        return Err(format!(
            "the secret has {} bytes, and needs {SECRET_BYTES_MIN} at least",
            secret.len()
        ));
    }
    TSigner::new(secret, algorithm, name, FUDGE_S).map_err(|error| error.to_string())
}

fn algorithm(text: &str) -> Result<TsigAlgorithm, String> {
    match text.trim_end_matches('.').to_ascii_lowercase().as_str() {
        "hmac-sha256" => Ok(TsigAlgorithm::HmacSha256),
        "hmac-sha384" => Ok(TsigAlgorithm::HmacSha384),
        "hmac-sha512" => Ok(TsigAlgorithm::HmacSha512),
        weak @ ("hmac-md5" | "hmac-md5.sig-alg.reg.int" | "hmac-sha1") => {
            Err(format!("the algorithm {weak} is too weak: make a key with hmac-sha256"))
        }
        _ => Err("the algorithm is none of hmac-sha256, hmac-sha384 and hmac-sha512".to_owned()),
    }
}

fn parts(text: &str, source: &KeySource) -> Result<Parts, String> {
    let tokens = tokens(text);
    if tokens.iter().any(|token| token.as_str() == "key") {
        return statement(&tokens);
    }
    let [secret] = tokens.as_slice() else {
        return Err("there is no key in it".to_owned());
    };
    let name =
        source.name.clone().ok_or("it holds a secret alone: write `dns.key-name` as well")?;
    let algorithm = source.algorithm.clone().unwrap_or_else(|| "hmac-sha256".to_owned());
    Ok(Parts { name, algorithm, secret: secret.clone() })
}

/// The one `key` statement of the file.
fn statement(tokens: &[Zeroizing<String>]) -> Result<Parts, String> {
    let positions = tokens.iter().enumerate().filter(|(_, token)| token.as_str() == "key");
    let positions: Vec<usize> = positions.map(|(at, _)| at).collect();
    let [at] = positions.as_slice() else {
        return Err(format!("it holds {} keys, and has to hold one", positions.len()));
    };
    let name = tokens.get(at + 1).ok_or("the key has no name")?;
    let after = |word: &str| {
        let at = tokens.iter().position(|token| token.as_str() == word);
        at.and_then(|at| tokens.get(at + 1)).ok_or(format!("the key has no {word}"))
    };
    Ok(Parts {
        name: name.to_string(),
        algorithm: after("algorithm")?.to_string(),
        secret: after("secret")?.clone(),
    })
}

/// Words and strings, without comments (`#`, `//`, `/* */`) and punctuation.
fn tokens(text: &str) -> Vec<Zeroizing<String>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let comment = rest.starts_with('#') || rest.starts_with("//");
        if comment {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(after) = rest.strip_prefix("/*") {
            rest = after.split_once("*/").map_or("", |(_, after)| after);
        } else if let Some(after) = rest.strip_prefix('"') {
            let (word, after) = after.split_once('"').unwrap_or((after, ""));
            found.push(Zeroizing::new(word.to_owned()));
            rest = after;
        } else {
            let ends = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | ';' | '"' | '#');
            let (word, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
            if word.is_empty() {
                rest = rest.get(1..).unwrap_or("");
            } else {
                found.push(Zeroizing::new(word.to_owned()));
                rest = after;
            }
        }
        rest = rest.trim_start();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "c2l4dGVlbiBieXRlcyBhdCBsZWFzdA==";

    fn source() -> KeySource {
        KeySource { file: PathBuf::from("k"), name: None, algorithm: None }
    }

    #[test]
    fn a_key_is_read_in_every_form() {
        let bind = format!(
            "# made by hand\nkey \"Chancery\" {{ // ours\n\talgorithm hmac-sha512;\n\
             /* secret */ secret \"{SECRET}\";\n}};\n"
        );
        let bare = format!("{SECRET}\n");
        let unquoted = format!("key chancery {{algorithm HMAC-SHA256;secret {SECRET};}};");
        let named = KeySource { name: Some("chancery".to_owned()), ..source() };
        for (text, source, algorithm) in [
            (&bind, source(), TsigAlgorithm::HmacSha512),
            (&unquoted, source(), TsigAlgorithm::HmacSha256),
            (&bare, named, TsigAlgorithm::HmacSha256),
        ] {
            let Ok(key) = parse(text, &source) else { panic!("{text}") };
            assert_eq!(key.signer_name().to_ascii(), "chancery.");
            assert_eq!(*key.algorithm(), algorithm);
            assert_eq!(key.key(), b"sixteen bytes at least");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        for (text, words) in [
            ("", "no key in it"),
            ("two words", "no key in it"),
            (SECRET, "dns.key-name"),
            ("key a { algorithm hmac-sha256; };", "has no secret"),
            ("key a { secret c2VjcmV0; };", "has no algorithm"),
            ("key a { algorithm hmac-md5; secret c2VjcmV0; };", "too weak"),
            ("key a { algorithm hmac-sha3; secret c2VjcmV0; };", "none of hmac-sha256"),
            ("key a { algorithm hmac-sha256; secret c2VjcmV0; };", "has 6 bytes"),
            ("key a { algorithm hmac-sha256; secret %c2VjcmV0%; };", "is not base64"),
            ("key a { } key b { }", "holds 2 keys"),
            ("key", "has no name"),
        ] {
            let Err(error) = parse(text, &source()) else { panic!("{text}") };
            assert!(error.contains(words), "{text}: {error}");
            assert!(!error.contains("c2VjcmV0"), "{error}");
        }
    }
}
