//! Every scheme against values made by other programs: OpenLDAP's slappasswd and its modules,
//! openssl, crypt(3), htpasswd, libargon2 and Python's hashlib.

use super::argon2::runs;
use super::*;
use proptest::prelude::*;

const PASSWORD: &[u8] = "Räuber&Söhne 7".as_bytes();

/// What made it, and the stored value.
const MATCHING: &[(&str, &str)] = &[
    ("slappasswd", "{SSHA}JD+Mig81haC7Mrq4PoYGQOQ+W5Sqxono"),
    ("slappasswd", "{SHA}B6NyKznBxZgQc+nXJA3eRlQ5kXU="),
    ("slappasswd", "{SMD5}vvGbz7YqqGWtyo/VdZoY7Qhby8Q="),
    ("slappasswd", "{MD5}K8qtBFrZ8zJPBsCw82la8A=="),
    ("slappasswd pw-sha2", "{SHA256}wq01zlT693esL+xF5C8obwXKZIEcCFqq2QCAHWLtocU="),
    (
        "slappasswd pw-sha2",
        "{SHA384}Nn9DV03UR8P1SAps5o5lOJR10+Shr9MRw658A+e+Rty70BEzCbBf6UJJIxtvjUoC",
    ),
    (
        "slappasswd pw-sha2",
        "{SHA512}JREmznovdav0CL1xWZZQExLf97Uo/xmC5jPz/I49DvxHv24u2xkFFK/fs6HZH1MuiDAVKXlPtMuhtCO0\
         HFVj+g==",
    ),
    ("slappasswd pw-sha2", "{SSHA256}wsEba0/QUGfmrUm3KF4wUHGM4DVvxvsM8ZRPzcEVDjTByYbMO4lPOQ=="),
    (
        "slappasswd pw-sha2",
        "{SSHA384}IaovFdDeO0t5R8auQdrVpQEiXEtswhpCgGNzpRYPmJXmOozaZSPpYkVG+WAJLDvThsWkpdP+QDE=",
    ),
    (
        "slappasswd pw-sha2",
        "{SSHA512}9+iTrw7jkFYM3SkC6WgwWqZ15FISM9zzwFfUOxJ/d5QJiMgiYpVu3dKjW+pTAjyesMNUZPI/FJpuO/1c\
         RdW4B3R4+VDp+O7j",
    ),
    ("without padding", "{SHA}B6NyKznBxZgQc+nXJA3eRlQ5kXU"),
    ("in lower case", "{ssha}JD+Mig81haC7Mrq4PoYGQOQ+W5Sqxono"),
    ("openssl passwd", "{CRYPT}$5$abcdefgh$R1XAxwvRuhl1oI3QWlx47bekcuvyZzLopqY8xyGY9z9"),
    (
        "openssl passwd",
        "{CRYPT}$6$saltsaltsalt$PWeiMkClTSEHXfUjlIShkBIyTgJgTvF.fYWRSAkfEnnF8njvv9ukJJ5nfiFqu19NFL\
         fd31KY.ohLKwlOosYgw.",
    ),
    (
        "crypt(3)",
        "{CRYPT}$6$rounds=1000$roundsalt$ACfXLh.iIKDecg9iM7USnp3M24BppUG9jz15mWxfigUE36ySOLYwDYKJh/\
         AL7VgCL229IyFOQUAJQMlN1cnEr0",
    ),
    ("crypt(3)", "{crypt}$5$rounds=12345$roundsalt$c5a4oz42d0W0NkHkJOiWyyQ5XslJp259G3V3xMpuI92"),
    (
        "crypt(3), a salt of other characters",
        "{CRYPT}$6$a-b_c=d%e$rldgf2LKH7k2o5UGWzXoIuT7faDLVS8eKOulAuUGB\
         oEUjtAE7Rb2ITc0U6BbtIGFIDRP9rHnDQZYDgd3K6X29/",
    ),
    ("crypt(3)", "{CRYPT}$2b$05$abcdefghijklmnopqrstuu7Cq2eKLQPztGJtfuoY25lge70r1cbvS"),
    ("crypt(3)", "{CRYPT}$2a$05$abcdefghijklmnopqrstuu7Cq2eKLQPztGJtfuoY25lge70r1cbvS"),
    ("htpasswd", "{CRYPT}$2y$05$YVjW9S9yU0CMTCH6xLCmzuTH.r7feMYWwc6ln54A/wMDW7rrYGmO."),
    ("hashlib", "{PBKDF2}10000$8PHy8/T19vf4.fr7/P3./w$JpY.HG6WF3dcXwlzOu7GAFy4.SM"),
    ("hashlib", "{PBKDF2-SHA1}10000$8PHy8/T19vf4.fr7/P3./w$JpY.HG6WF3dcXwlzOu7GAFy4.SM"),
    (
        "hashlib",
        "{PBKDF2-SHA256}10000$8PHy8/T19vf4.fr7/P3./w$QYeDjp3WEUv1ric.xuIMmGENazH07TU1ZNuynyFdXc4",
    ),
    (
        "hashlib",
        "{PBKDF2-SHA512}10000$8PHy8/T19vf4.fr7/P3./w$oT7DFFeqIywApfW.tPRFSLE5DK8./dbtziLdp5KAFgZlb\
         Z9HIa8OeoVWFI7CCed9tfYj9iNM31xNb9eHhghkNw",
    ),
    (
        "hashlib, as 389 DS writes it",
        "{PBKDF2-SHA512}10000$ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7$UBmaarKpNF7qG4a/aUYmk9JexkNm5FCiW44I\
         bXw1gVYj0VNHmTrHM5ypW80HlevfGdI8CBOxCVWmP+3jA9zPeA==",
    ),
    (
        "hashlib, 389 DS's binary form",
        "{PBKDF2_SHA256}AAAgAAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJicoKSorLC0uLzAxMj\
         M0NTY3ODk6Ozw9Pj8vjWrgKIVCBpFpSxR3uJcz2Ql1gX7WAANf2W/jF4THaj71XhKCHTI8OOrv8Mxreh2DDYeVee8h\
         dNpe6RWMW/AqRgGLmqqNPCflnml0aaGNBqFrUNBHVc+jd1UM4116qTQYUEYkcZ4nrqOLYQCtIyJUfZBhjkrC5iU14t\
         7hF3k5Aowtz8Sh2KbflIUXmcOB3omAiBZ+6Pk5cDp5deVPAyPbFQnxEbgriVu8d+jm3ZuV2fij3/RKYDn9d5+GrZl6\
         6twBtk/PGnlhEA7z0W0DzsGdHQHLmwmLXP8MBhEIsO7Bk5J6J3r597G71X2SQU6DPi6EMTaUsCO7T16y2bn3PNjP",
    ),
    (
        "slappasswd argon2",
        "{ARGON2}$argon2i$v=19$m=4096,t=3,p=1$L6K1bS8DU4dIrpyryfhHqw$Pyw7z6t1FocHmq5mBStje9XHbUyiw\
         UhUu5dzFFTSDAc",
    ),
    (
        "libargon2",
        "{ARGON2ID}$argon2id$v=19$m=512,t=2,p=2$8PHy8/T19vf4+fr7/P3+/w$kc1MUT24H7EsCuCD7iELRboh77G\
         WT0D0nu5IJ2f4bLE",
    ),
    (
        "libargon2",
        "{ARGON2I}$argon2i$v=19$m=512,t=2,p=2$8PHy8/T19vf4+fr7/P3+/w$bkIjnWVk0Y/gl7me/a5/CQbH5cTc2\
         GVrdFGn1Q56GJ8",
    ),
    (
        "libargon2",
        "{ARGON2}$argon2d$v=19$m=512,t=2,p=2$8PHy8/T19vf4+fr7/P3+/w$zINjlKogPpxlEu9z6uAJEILbfScwl5\
         UZNRDrPwR5td8",
    ),
    (
        "libargon2, before version 19",
        "{ARGON2}$argon2i$m=512,t=2,p=2$8PHy8/T19vf4+fr7/P3+/w$10HAa8WGFO/FmmlelD/W88jjwAy0nXCA0D6\
         RIATR7xw",
    ),
    ("plain", "Räuber&Söhne 7"),
    ("plain, named", "{CLEARTEXT}Räuber&Söhne 7"),
];

const UNUSABLE: &[(&str, Unusable)] = &[
    ("{CRYPT}$y$j9T$saltsaltsalt$ZNadoNV1x0eKUyhrm4X69RzkijECjIRJ1NzSsty1qp3", UC),
    ("{CRYPT}$1$abcdefgh$/3rPIGNGklZSAldUilae31", UC),
    ("{CRYPT}abJnggxhB/yWI", UC),
    ("{CRYPT}", UC),
    ("{CRYPT}$6$rounds=2000000$roundsalt$ACfXLh", Unusable::TooCostly),
    ("{CRYPT}$6$rounds=10$s$ACfXLh", Unusable::Malformed),
    ("{CRYPT}$6$salt", Unusable::Malformed),
    ("{CRYPT}$6$salt$", Unusable::Malformed),
    ("{CRYPT}$2b$31$abcdefghijklmnopqrstuu7Cq2eKLQPztGJtfuoY25lge70r1cbvS", Unusable::TooCostly),
    ("{CRYPT}$2b$05$short", Unusable::Malformed),
    ("{SASL}user@REALM", Unusable::UnknownScheme),
    ("{NT}00112233445566778899AABBCCDDEEFF", Unusable::UnknownScheme),
    ("{PBKDF2-MD5}1$aa$aa", Unusable::UnknownScheme),
    ("{SSHA}", Unusable::Malformed),
    ("{SSHA}not base64!", Unusable::Malformed),
    ("{SHA}JD+Mig81haC7Mrq4PoYGQOQ+W5Sqxono", Unusable::Malformed),
    ("{PBKDF2-SHA256}10000$8PHy8/T19vf4.fr7/P3./w$", Unusable::Malformed),
    ("{PBKDF2-SHA1}0$8PHy8/T19vf4.fr7/P3./w$JpY.HG6WF3dcXwlzOu7GAFy4.SM", Unusable::Malformed),
    (
        "{PBKDF2-SHA1}4000000000$8PHy8/T19vf4.fr7/P3./w$JpY.HG6WF3dcXwlzOu7GAFy4.SM",
        Unusable::TooCostly,
    ),
    ("{PBKDF2_SHA256}AAAgAAAB", Unusable::Malformed),
    ("{ARGON2}$argon2id$v=19$m=4194304,t=1,p=1$8PHy8/T19vc$kc1MUT24H7EsCuCD7iELRQ", TC),
    ("{ARGON2}$argon2id$v=19$m=262144,t=4000,p=1$8PHy8/T19vc$kc1MUT24H7EsCuCD7iELRQ", TC),
    ("{ARGON2}$argon2id$v=19$m=8,t=1,p=9$8PHy8/T19vc$kc1MUT24H7EsCuCD7iELRQ", BAD),
    ("{ARGON2}$argon2id$v=19$m=512,t=2,p=2$8PHy8/T19vc$", BAD),
    ("{ARGON2}$argon2id$v=19$m=512,t=2,p=2$$kc1MUT24H7EsCuCD7iELRQ", BAD),
    ("{ARGON2}$argon2id$v=18$m=512,t=2,p=2$8PHy8/T19vc$kc1MUT24H7EsCuCD7iELRQ", BAD),
    ("{ARGON2}$scrypt$ln=16,r=8,p=1$8PHy8/T19vc$kc1MUT24H7EsCuCD7iELRQ", BAD),
    ("", BAD),
    ("{CLEARTEXT}", BAD),
];
const UC: Unusable = Unusable::UnsupportedCrypt;
const TC: Unusable = Unusable::TooCostly;
const BAD: Unusable = Unusable::Malformed;

/// A cost that tests can pay.
fn cheap() -> Hasher {
    Hasher::new(64, 1, 1).unwrap()
}

#[test]
fn values_of_other_programs_match_their_password_and_no_other() {
    for (made_by, stored) in MATCHING {
        let stored = stored.as_bytes();
        assert!(verify(stored, PASSWORD), "{made_by}: {}", stored.escape_ascii());
        for wrong in [&b"wrong"[..], b"", "Räuber&Söhne 8".as_bytes(), "Räuber&Söhne 7 ".as_bytes()]
        {
            assert!(!verify(stored, wrong), "{made_by}: {} took {wrong:?}", stored.escape_ascii());
        }
    }
}

#[test]
fn a_damaged_hash_does_not_match() {
    for (made_by, stored) in MATCHING {
        let mut stored = stored.as_bytes().to_vec();
        // The tenth byte from the end lies in the hash or its salt, never in unused padding bits.
        let at = stored.len() - 10;
        stored[at] = if stored[at] == b'A' { b'B' } else { b'A' };
        assert!(!verify(&stored, PASSWORD), "{made_by}: {}", stored.escape_ascii());
    }
}

#[test]
fn unusable_values_say_why() {
    for (stored, reason) in UNUSABLE {
        assert_eq!(usable(stored.as_bytes()), Err(*reason), "{stored}");
        assert!(!verify(stored.as_bytes(), PASSWORD), "{stored}");
    }
    let long = format!("{{SSHA}}{}", "A".repeat(MAX_STORED + 1));
    assert_eq!(usable(long.as_bytes()), Err(Unusable::TooCostly));
}

#[test]
fn our_hash_is_what_libargon2_makes_of_it() {
    let salt = std::array::from_fn(|i| i as u8);
    let stored = Hasher::default().hash(PASSWORD, &salt).unwrap();
    let expected = "{ARGON2}$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$\
                    qj8ZuMQyypcpDUSeKH3tHayK5/DkvFt20CN0e3ogKCA";
    assert_eq!(String::from_utf8(stored).unwrap(), expected);
    assert!(verify(expected.as_bytes(), PASSWORD));
}

#[test]
fn passwords_nobody_may_set() {
    assert_eq!(cheap().hash(b"", &[1; 16]), Err(HashFailed::Empty));
    assert_eq!(cheap().hash(&[b'x'; MAX_PASSWORD + 1], &[1; 16]), Err(HashFailed::TooLong));
    assert!(cheap().hash(&[b'x'; MAX_PASSWORD], &[1; 16]).is_ok());
}

#[test]
fn costs_outside_the_maxima_are_refused() {
    let too_much = [
        (MAX_ARGON2_MEMORY_KIB + 1, 1, 1),
        (MAX_ARGON2_MEMORY_KIB, 100, 1),
        (19456, 2, MAX_ARGON2_PARALLELISM + 1),
        (7, 1, 1),
        (64, 0, 1),
        (64, 1, 0),
    ];
    for (memory, iterations, lanes) in too_much {
        assert!(Hasher::new(memory, iterations, lanes).is_err(), "{memory} {iterations} {lanes}");
    }
    assert!(Hasher::new(MAX_ARGON2_MEMORY_KIB, 8, MAX_ARGON2_PARALLELISM).is_ok());
}

#[test]
fn everything_but_our_own_hash_needs_a_rehash() {
    let ours = cheap().hash(PASSWORD, &[7; 16]).unwrap();
    assert!(!cheap().needs_rehash(&ours));
    assert!(Hasher::new(64, 2, 1).unwrap().needs_rehash(&ours));
    assert!(Hasher::default().needs_rehash(&ours));
    for (_, stored) in MATCHING {
        assert!(cheap().needs_rehash(stored.as_bytes()), "{stored}");
    }
}

#[test]
fn only_fast_values_are_checked_in_place() {
    for (_, stored) in MATCHING {
        let slow = ["{CRYPT}", "{crypt}", "{PBKDF2", "{ARGON2"];
        let expected = slow.iter().any(|prefix| stored.starts_with(prefix));
        assert_eq!(is_slow(stored.as_bytes()), expected, "{stored}");
    }
}

#[test]
fn a_value_with_a_scheme_is_a_hash() {
    for (value, expected) in [
        ("{SSHA}xyz", true),
        ("{unheard-of}xyz", true),
        ("{CLEARTEXT}secret", false),
        ("{cleartext}secret", false),
        ("secret", false),
        ("{}secret", false),
        ("{secret", false),
    ] {
        assert_eq!(is_hash(value.as_bytes()), expected, "{value}");
    }
}

#[test]
fn a_no_costs_the_same_whatever_is_stored() {
    let hasher = cheap();
    let ours = hasher.hash(PASSWORD, &[7; 16]).unwrap();
    let wrong =
        |stored: &[&[u8]]| runs::during(|| assert_eq!(hasher.check(stored, b"wrong"), None));
    let for_a_wrong_password = wrong(&[&ours]);
    assert_eq!(for_a_wrong_password.len(), 1);
    assert_eq!(wrong(&[]), for_a_wrong_password, "an unknown name");
    assert_eq!(wrong(&[MATCHING[0].1.as_bytes()]), for_a_wrong_password, "an old hash");
    assert_eq!(wrong(&[b"{CRYPT}$y$x"]), for_a_wrong_password, "an unusable hash");
    assert_eq!(runs::during(|| hasher.verify_nothing(b"wrong")), for_a_wrong_password);
}

#[test]
fn an_unacceptable_password_costs_nothing_whatever_is_stored() {
    let hasher = cheap();
    let ours = hasher.hash(PASSWORD, &[7; 16]).unwrap();
    for password in [&[][..], &[b'x'; MAX_PASSWORD + 1]] {
        for stored in [&[&ours[..]][..], &[]] {
            let runs = runs::during(|| assert_eq!(hasher.check(stored, password), None));
            assert_eq!(runs, []);
        }
    }
}

#[test]
fn one_of_many_values_matches() {
    let hasher = cheap();
    let ours = hasher.hash(PASSWORD, &[7; 16]).unwrap();
    let other = hasher.hash(b"other", &[8; 16]).unwrap();
    let sha = MATCHING[0].1.as_bytes();
    let fresh = Some(Accepted { index: 1, needs_rehash: false });
    assert_eq!(hasher.check(&[&other[..], &ours], PASSWORD), fresh);
    let old = Some(Accepted { index: 0, needs_rehash: true });
    assert_eq!(hasher.check(&[sha, &ours], PASSWORD), old);
}

#[test]
fn no_more_values_are_tried_than_the_maximum() {
    let hasher = cheap();
    let other = hasher.hash(b"other", &[8; 16]).unwrap();
    let runs = runs::during(|| assert_eq!(hasher.check(&vec![&other; 100], PASSWORD), None));
    assert_eq!(runs.len(), MAX_VALUES);
}

#[test]
fn generated_passwords_are_readable_and_use_all_of_the_randomness() {
    let counted: [u8; GENERATED_LENGTH] = std::array::from_fn(|i| i as u8);
    assert_eq!(generate(&counted), "abcdefghijkmnpqrstuv");
    assert_eq!(generate(&[255; GENERATED_LENGTH]), "9".repeat(20));
    assert_eq!(generate(&[32; GENERATED_LENGTH]), "a".repeat(20));
}

#[test]
fn a_parsed_value_does_not_print_its_secret() {
    let printed = format!("{:?}", Stored::parse(b"secret").unwrap());
    assert!(!printed.contains("secret"), "{printed}");
}

proptest! {
    #[test]
    fn no_stored_bytes_panic_or_match(stored in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assume!(stored != PASSWORD);
        prop_assert!(!verify(&stored, PASSWORD));
    }

    #[test]
    fn no_bytes_behind_a_scheme_panic(
        scheme in "(CRYPT|PBKDF2|PBKDF2_SHA256|PBKDF2-SHA512|ARGON2|SSHA|SMD5|SHA512)",
        rest in "[$0-9a-z=,./+]{0,120}",
    ) {
        // Parsing only: what parses may legitimately take long to check.
        let _ = usable(format!("{{{scheme}}}{rest}").as_bytes());
    }

    #[test]
    fn what_is_hashed_verifies(password in proptest::collection::vec(any::<u8>(), 1..80)) {
        let stored = cheap().hash(&password, &[3; 16]).unwrap();
        prop_assert!(verify(&stored, &password));
        prop_assert!(!cheap().needs_rehash(&stored));
    }
}
