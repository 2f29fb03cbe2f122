//! What Active Directory means by result 49: the code in its diagnostic message
//! (`80090308: LdapErr: DSID-0C090449, comment: AcceptSecurityContext error, data 52e, v4563`).

/// What a code means, and who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subcode {
    pub code: &'static str,
    pub means: &'static str,
    pub fix: &'static str,
}

const KNOWN: [Subcode; 10] = [
    Subcode {
        code: "525",
        means: "there is no such user",
        fix: "see the name: user@domain, DOMAIN\\user or the whole DN",
    },
    Subcode {
        code: "52e",
        means: "the password is wrong, or the user unknown: AD says the same of both",
        fix: "see the name first, then the password; each try counts towards the lockout",
    },
    Subcode {
        code: "530",
        means: "the user may not sign in at this hour",
        fix: "an administrator changes the user's logon hours",
    },
    Subcode {
        code: "531",
        means: "the user may not sign in from this machine",
        fix: "an administrator adds the domain controller to the user's workstations",
    },
    Subcode {
        code: "532",
        means: "the password has expired",
        fix: "the user changes it; for a service account an administrator sets it",
    },
    Subcode { code: "533", means: "the account is disabled", fix: "an administrator enables it" },
    Subcode {
        code: "568",
        means: "the user is in too many groups for one token",
        fix: "an administrator takes the user out of groups",
    },
    Subcode {
        code: "701",
        means: "the account has expired",
        fix: "an administrator changes its end",
    },
    Subcode {
        code: "773",
        means: "the password must be changed at the first sign-in",
        fix: "sign in interactively once, or have the mark taken away",
    },
    Subcode {
        code: "775",
        means: "the account is locked",
        fix: "wait for the lock to end or have an administrator unlock it; find who guesses",
    },
];

const CHANNEL_BINDING: Subcode = Subcode {
    code: "80090346",
    means: "the domain controller demands a channel binding that the client did not give",
    fix: "use a simple bind over LDAPS, or a client that sends tls-server-end-point",
};

impl Subcode {
    /// The code in a diagnostic message; none where it is not AD's or not known.
    pub fn of(message: &str) -> Option<Subcode> {
        if message.starts_with(CHANNEL_BINDING.code) {
            return Some(CHANNEL_BINDING);
        }
        let (_, rest) = message.split_once(", data ")?;
        let code = rest.split([',', ' ', '\0']).next()?;
        KNOWN.into_iter().find(|known| known.code.eq_ignore_ascii_case(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_and_other_messages_are_not() {
        let message = |code: &str| {
            format!(
                "80090308: LdapErr: DSID-0C090449, comment: AcceptSecurityContext error, \
                 data {code}, v4563\0"
            )
        };
        for known in KNOWN {
            assert_eq!(Subcode::of(&message(known.code)), Some(known));
            assert_eq!(Subcode::of(&message(&known.code.to_uppercase())), Some(known));
        }
        let bound = message("80090346").replace("80090308", "80090346");
        assert_eq!(Subcode::of(&bound), Some(CHANNEL_BINDING));
        for other in ["", "wrong password", &message("0"), "data 52e", "x, data "] {
            assert_eq!(Subcode::of(other), None, "{other}");
        }
    }
}
