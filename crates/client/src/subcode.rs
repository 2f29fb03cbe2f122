//! Active Directory says why a sign-in failed in its diagnostic message only: `…, data 52e, v4563`.

/// What the message of a refused bind means, where it holds a code that is known.
pub fn meaning(message: &str) -> Option<&'static str> {
    let (_, rest) = message.split_once(", data ")?;
    let code = rest.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    Some(match code.to_ascii_lowercase().as_str() {
        "525" => "the user is not found",
        "52e" => "the password is wrong",
        "530" => "the account may not sign in at this hour",
        "531" => "the account may not sign in from this workstation",
        "532" => "the password has expired",
        "533" => "the account is disabled",
        "701" => "the account has expired",
        "773" => "the password must be changed before the first sign-in",
        "775" => "the account is locked",
        "80090346" => "the server demands channel binding, and this bind has none",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_a_meaning_and_other_text_has_none() {
        let ad = |code: &str| {
            format!("80090308: LdapErr: DSID-0C09, comment: AcceptSecurity, data {code}, v4563\0")
        };
        for (message, part) in [
            (ad("52e"), Some("wrong")),
            (ad("52E"), Some("wrong")),
            (ad("775"), Some("locked")),
            (ad("80090346"), Some("channel binding")),
            (ad("52ef"), None),
            (ad("0"), None),
            ("no data 52e".to_owned(), None),
            (", data ".to_owned(), None),
            (String::new(), None),
        ] {
            let found = meaning(&message);
            assert_eq!(found.is_some(), part.is_some(), "{message}");
            assert!(found.unwrap_or_default().contains(part.unwrap_or_default()), "{message}");
        }
    }
}
