//! The tree every server is loaded with: the same bytes for the same number of people, always.
//!
//! Everything is a function of a number, so that the generator knows what an answer must hold
//! without asking a server. People are `uid=user0 … ,ou=people`, each with a password of its own.
//! Ten neighbours share a surname, which is what the substring searches look for. Movers, below
//! `ou=moving`, are in no group and match none of these searches. `ou=added` is empty.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

pub const SUFFIX: &str = "dc=example,dc=com";
/// Where the generator adds entries of its own.
pub const ADDED: &str = "ou=added,dc=example,dc=com";
/// The subtree that is renamed.
pub const MOVING: &str = "ou=moving,dc=example,dc=com";
/// The administrator on every server; 389 DS has its own name for him.
pub const ADMINISTRATOR: &str = "cn=admin,dc=example,dc=com";
/// The administrator's password on every server.
pub const PASSWORD: &str = "bench-password";

/// People who share a surname.
pub const SURNAME_PEOPLE: u64 = 10;
/// The number of the first person in `uidNumber`, where the ordering searches look.
pub const UID_NUMBER_FIRST: u64 = 100_000;

const GROUPS_MAX: u64 = 1000;
const GROUP_MEMBERS: u64 = 100;
const LARGE_MEMBERS: u64 = 50_000;
const MILLION: u64 = 1_000_000;
const MOVERS_MAX: u64 = 100_000;
/// Each group begins this much further on, and takes every so many-th person from there.
const GROUP_STRIDE: u64 = 100;
const MEMBER_STRIDE: u64 = 37;

/// An entry as it is loaded: its name, and its attributes with their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub dn: String,
    pub attributes: Vec<(&'static str, Vec<String>)>,
}

/// The tree with so many people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data {
    pub people: u64,
}

/// The groups, by what is measured on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// One of those with a hundred members.
    Numbered(u64),
    /// With one member.
    One,
    /// With 50 000, or half of the people.
    Large,
    /// With a million; only where there are so many people.
    Million,
}

impl Group {
    pub fn dn(self) -> String {
        format!("cn={self},ou=groups,{SUFFIX}")
    }
}

impl fmt::Display for Group {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Group::Numbered(number) => write!(out, "group{number}"),
            Group::One => out.write_str("one"),
            Group::Large => out.write_str("large"),
            Group::Million => out.write_str("million"),
        }
    }
}

/// `uid=userN,ou=people,…`.
pub fn person_dn(n: u64) -> String {
    format!("uid=user{n},ou=people,{SUFFIX}")
}

/// `uid=moverN,ou=moving,…`: in no group until somebody adds it.
pub fn mover_dn(n: u64) -> String {
    format!("uid=mover{n},{MOVING}")
}

/// The password of a person.
pub fn password(n: u64) -> String {
    format!("pw-{n}")
}

/// `{SSHA}` of a password, with a salt that follows from `n`.
pub fn hash(password: &str, n: u64) -> String {
    let salt = (n ^ 0x5bd1_e995_9e37_79b9).to_be_bytes();
    let mut bytes = Sha1::new().chain_update(password).chain_update(salt).finalize().to_vec();
    bytes.extend(salt);
    format!("{{SSHA}}{}", STANDARD.encode(bytes))
}

/// Shared by ten neighbours: three syllables, a different word for each ten.
pub fn surname(n: u64) -> String {
    const CONSONANTS: &[u8; 20] = b"bcdfghjklmnpqrstvwxz";
    const VOWELS: &[u8; 5] = b"aeiou";
    // Neighbouring numbers get words without a common beginning: 3¹⁸ has no factor with 10⁶.
    let code = (n / SURNAME_PEOPLE).wrapping_mul(387_420_489) % 1_000_000;
    let mut word = String::new();
    for digit in [code / 10_000, code / 100 % 100, code % 100] {
        let letters = [(CONSONANTS as &[u8], digit / 5), (VOWELS, digit % 5)];
        for (alphabet, at) in letters {
            let letter = usize::try_from(at).ok().and_then(|at| alphabet.get(at));
            word.extend(letter.map(|&letter| char::from(letter)));
        }
    }
    word
}

/// A given name; twenty of them, so that one and a surname are one person or none.
pub fn given_name(n: u64) -> String {
    format!("Given{}", n % 20)
}

/// What anybody may read of a person.
pub fn person(n: u64) -> Entry {
    let mut entry = Entry { dn: person_dn(n), attributes: Vec::with_capacity(22) };
    let (given, family) = (given_name(n), surname(n));
    let classes = ["inetOrgPerson", "organizationalPerson", "person", "posixAccount", "top"];
    let classes = classes.map(str::to_owned).to_vec();
    entry.attributes.push(("objectClass", classes));
    let mut single = |kind, value: String| entry.attributes.push((kind, vec![value]));
    single("uid", format!("user{n}"));
    single("cn", format!("{given} {family} {n}"));
    single("displayName", format!("{given} {family}"));
    single("givenName", given);
    single("sn", family);
    single("mail", format!("user{n}@example.com"));
    single("telephoneNumber", format!("+46 8 {n:09}"));
    single("mobile", format!("+46 70 {n:09}"));
    single("employeeNumber", n.to_string());
    single("departmentNumber", (n % 50).to_string());
    single("title", format!("Engineer of level {}", n % 20));
    single("roomNumber", (n / 20 % 300).to_string());
    single("street", format!("Storgatan {}", n / 20 % 300));
    single("l", "Stockholm".to_owned());
    let (number, code) = (n / 20 % 300, 10_000 + n % 80_000);
    single("postalCode", code.to_string());
    single("postalAddress", format!("Storgatan {number}$SE-{code} Stockholm$Sweden"));
    single("uidNumber", (UID_NUMBER_FIRST + n).to_string());
    single("gidNumber", (1000 + n % 50).to_string());
    single("homeDirectory", format!("/home/user{n}"));
    single("loginShell", "/bin/bash".to_owned());
    let text = format!("A person made for measuring, number {n}, with text to be of a usual size");
    single("description", text);
    entry
}

/// What is loaded of a person: the password as well.
fn person_with_secret(n: u64) -> Entry {
    let mut entry = person(n);
    entry.attributes.push(("userPassword", vec![hash(&password(n), n)]));
    entry
}

fn mover(n: u64) -> Entry {
    let classes = ["inetOrgPerson", "organizationalPerson", "person", "top"];
    let attributes = vec![
        ("objectClass", classes.map(str::to_owned).to_vec()),
        ("uid", vec![format!("mover{n}")]),
        ("cn", vec![format!("Mover Number {n}")]),
        ("sn", vec!["Number".to_owned()]),
        ("description", vec![format!("One of many below the entry that is renamed, number {n}")]),
    ];
    Entry { dn: mover_dn(n), attributes }
}

impl Data {
    pub fn new(people: u64) -> Data {
        Data { people: people.max(20) }
    }

    pub fn movers(self) -> u64 {
        (self.people / 10).min(MOVERS_MAX)
    }

    /// How many groups of a hundred there are.
    pub fn groups(self) -> u64 {
        (self.people / 100).clamp(1, GROUPS_MAX)
    }

    /// Every entry that is loaded.
    pub fn entries(self) -> u64 {
        let groups = self.groups() + 2 + u64::from(self.has(Group::Million));
        // The suffix, four units.
        1 + 4 + self.people + self.movers() + groups
    }

    pub fn has(self, group: Group) -> bool {
        match group {
            Group::Numbered(number) => number < self.groups(),
            Group::One | Group::Large => true,
            Group::Million => self.people >= MILLION,
        }
    }

    /// Numbers of the people in a group, ascending.
    pub fn members(self, group: Group) -> Vec<u64> {
        match group {
            Group::Numbered(number) => {
                let at = |k| (number * GROUP_STRIDE + k * MEMBER_STRIDE) % self.people;
                let mut members: Vec<u64> = (0..GROUP_MEMBERS).map(at).collect();
                members.sort_unstable();
                members.dedup();
                members
            }
            Group::One => vec![0],
            Group::Large => (0..LARGE_MEMBERS.min(self.people / 2)).collect(),
            Group::Million => (0..MILLION).collect(),
        }
    }

    /// The groups of a hundred that a person is in.
    pub fn groups_of(self, n: u64) -> Vec<u64> {
        let most = self.groups() * GROUP_STRIDE + GROUP_MEMBERS * MEMBER_STRIDE;
        let mut found = Vec::new();
        // Every number that is this person's when counted round and round.
        for place in (n..most).step_by(usize::try_from(self.people).unwrap_or(usize::MAX)) {
            let from = (0..GROUP_MEMBERS).filter_map(|k| place.checked_sub(k * MEMBER_STRIDE));
            let starts = from.filter(|start| start % GROUP_STRIDE == 0);
            found.extend(starts.map(|start| start / GROUP_STRIDE).filter(|&g| g < self.groups()));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Every group that names a person.
    pub fn all_groups_of(self, n: u64) -> Vec<Group> {
        let numbered = self.groups_of(n).into_iter().map(Group::Numbered);
        let others = [
            (Group::One, n == 0),
            (Group::Large, n < LARGE_MEMBERS.min(self.people / 2)),
            (Group::Million, self.has(Group::Million) && n < MILLION),
        ];
        numbered.chain(others.into_iter().filter_map(|(group, is)| is.then_some(group))).collect()
    }

    /// Writes the tree as LDIF, parents first. `member_of` adds what a server of ours derives and
    /// the others are told: the names of the groups of a hundred, on each of their members.
    pub fn write_ldif(self, out: &mut dyn Write, member_of: bool) -> io::Result<()> {
        let mut text = String::new();
        writeln!(out, "dn: {SUFFIX}\nobjectClass: domain\nobjectClass: top\ndc: example\n")?;
        for unit in ["people", "groups", "moving", "added"] {
            write!(out, "dn: ou={unit},{SUFFIX}\nobjectClass: organizationalUnit\n")?;
            write!(out, "objectClass: top\nou: {unit}\n\n")?;
        }
        for n in 0..self.people {
            let mut entry = person_with_secret(n);
            if member_of {
                let groups = self.groups_of(n).into_iter().map(|group| Group::Numbered(group).dn());
                entry.attributes.push(("memberOf", groups.collect()));
            }
            write_entry(out, &entry, &mut text)?;
        }
        for n in 0..self.movers() {
            write_entry(out, &mover(n), &mut text)?;
        }
        for group in (0..self.groups()).map(Group::Numbered) {
            self.write_group(out, group)?;
        }
        for group in [Group::One, Group::Large, Group::Million] {
            if self.has(group) {
                self.write_group(out, group)?;
            }
        }
        Ok(())
    }

    /// An entry for the administrator, where the server wants one: his password costs as little to
    /// verify as anybody's, so that signing in on many connections is not what takes long.
    pub fn write_administrator(self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "dn: {ADMINISTRATOR}\nobjectClass: organizationalRole")?;
        writeln!(out, "objectClass: simpleSecurityObject\nobjectClass: top\ncn: admin")?;
        writeln!(out, "userPassword: {}\n", hash(PASSWORD, self.people))
    }

    fn write_group(self, out: &mut dyn Write, group: Group) -> io::Result<()> {
        write!(out, "dn: {}\nobjectClass: groupOfNames\nobjectClass: top\n", group.dn())?;
        writeln!(out, "cn: {group}")?;
        for n in self.members(group) {
            writeln!(out, "member: {}", person_dn(n))?;
        }
        writeln!(out)
    }
}

/// No value here needs Base64 or folding: all are printable and begin harmlessly.
fn write_entry(out: &mut dyn Write, entry: &Entry, text: &mut String) -> io::Result<()> {
    text.clear();
    let _ = writeln!(text, "dn: {}", entry.dn);
    for (kind, values) in &entry.attributes {
        for value in values {
            let _ = writeln!(text, "{kind}: {value}");
        }
    }
    text.push('\n');
    out.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ldif(people: u64) -> String {
        let mut out = Vec::new();
        Data::new(people).write_ldif(&mut out, true).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_tree_is_always_the_same() {
        for people in [20, 100, 1000] {
            let text = ldif(people);
            assert_eq!(text, ldif(people));
            let entries = text.lines().filter(|line| line.starts_with("dn: ")).count();
            assert_eq!(entries as u64, Data::new(people).entries(), "{people}");
        }
    }

    #[test]
    fn groups_and_members_say_the_same() {
        for people in [20, 100, 999, 1000, 3700, 100_000] {
            let data = Data::new(people);
            for n in (0..people).step_by(usize::try_from(people / 20).unwrap()) {
                let listed = |&group: &u64| data.members(Group::Numbered(group)).contains(&n);
                let expected: Vec<u64> = (0..data.groups()).filter(listed).collect();
                assert_eq!(data.groups_of(n), expected, "{n} of {people}");
            }
        }
    }

    #[test]
    fn ten_share_a_surname_that_is_in_no_other_name() {
        let data = Data::new(20_000);
        for n in [0, 7, 19_999, 12_345] {
            let wanted = surname(n);
            let same: Vec<u64> = (0..data.people).filter(|&m| surname(m) == wanted).collect();
            assert_eq!(same, (n / 10 * 10..n / 10 * 10 + 10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_person_is_of_the_usual_size() {
        let mut out = Vec::new();
        let entry = person_with_secret(54_321);
        write_entry(&mut out, &entry, &mut String::new()).unwrap();
        assert!((740..820).contains(&out.len()), "{}", out.len());
    }

    #[test]
    fn a_hash_is_of_its_password() {
        // Made by an independent program: SHA-1 of `pw-1` and the salt, with the salt behind it.
        let bytes = STANDARD.decode(hash("pw-1", 1).strip_prefix("{SSHA}").unwrap()).unwrap();
        let (digest, salt) = bytes.split_at(20);
        assert_eq!(Sha1::digest([b"pw-1", salt].concat()).as_slice(), digest);
        assert_ne!(hash("pw-1", 1), hash("pw-1", 2));
    }
}
