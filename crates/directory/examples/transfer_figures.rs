//! Figures of a whole directory's way in and out: writes an LDIF of so many people and groups,
//! loads it, exports, checks, backs up and restores it, and prints how long each took.
//!
//! `cargo run --release -p directory --example transfer_figures -- FOLDER [PEOPLE]`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "an example that fails says where, and one that measures looks at the clock"
)]

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use directory::store::Store;
use directory::transfer::backup::{backup, restore};
use directory::transfer::check::check;
use directory::transfer::export::{ExportOptions, export};
use directory::transfer::load::{LoadOptions, load};
use directory::{Directory, Settings};

const GROUPS: u64 = 1_000;
const GROUP_MEMBERS: u64 = 100;
const LARGE_GROUP_MEMBERS: u64 = 50_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("a folder that does not exist yet");
    let people = arguments.next().map_or(100_000, |count| count.parse().unwrap());
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).unwrap();
    let (ldif, data) = (folder.join("people.ldif"), folder.join("data"));
    timed("generate", || {
        write_ldif(&mut BufWriter::new(File::create(&ldif).unwrap()), people).unwrap();
    });
    println!("{:>10} {} bytes", "ldif", std::fs::metadata(&ldif).unwrap().len());
    let loaded = timed("load", || {
        let store = Store::create(&data, &Settings::default().store).unwrap();
        let (file, options) = (File::open(&ldif).unwrap(), LoadOptions::default());
        load(store, Settings::default(), &options, file, &mut |_| {}, &mut |_| {}).unwrap()
    });
    println!("{:>10} {loaded:?}, peak of memory {}", "", peak_memory());
    println!("{:>10} {} bytes", "data", std::fs::metadata(data.join("data.mdb")).unwrap().len());
    let directory = Directory::open(&data, Settings::default()).unwrap();
    let out = folder.join("out.ldif");
    timed("export", || {
        let options = ExportOptions { base: None, user_only: false };
        let mut out = BufWriter::new(File::create(&out).unwrap());
        export(&directory, &options, &mut out, &mut |_| {}).unwrap()
    });
    let mut findings = 0;
    timed("check", || {
        let mut report = |finding| {
            findings += 1;
            if findings < 10 {
                println!("{finding:?}");
            }
        };
        check(&directory, &mut report, &mut |_| {}).unwrap()
    });
    println!("{:>10} {findings} findings, peak of memory {}", "", peak_memory());
    drop(directory);
    let store = Store::open(&data, &Settings::default().store).unwrap();
    timed("backup", || backup(&store, &folder.join("backup")).unwrap());
    timed("restore", || restore(&folder.join("backup"), &folder.join("restored")).unwrap());
}

fn timed<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let (begun, used) = (Instant::now(), processor_seconds());
    let done = act();
    let used = processor_seconds() - used;
    println!("{what:>10} {:.2} s, {used:.2} s of processor", begun.elapsed().as_secs_f64());
    done
}

/// Of all threads, in user mode and in the kernel: fields 14 and 15 of proc(5)'s `stat`, in
/// hundredths.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.split(' ').skip(13).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Linux's own count, of everything since the start of the process.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name| status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    format!("{} {}", line("VmHWM"), line("RssAnon"))
}

/// The same bytes for the same count: names by a multiplicative walk.
fn write_ldif(out: &mut impl Write, people: u64) -> io::Result<()> {
    writeln!(out, "version: 1\n")?;
    writeln!(out, "dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization")?;
    writeln!(out, "o: Example\ndc: example\n")?;
    for unit in ["people", "groups"] {
        writeln!(out, "dn: ou={unit},dc=example,dc=com")?;
        writeln!(out, "objectClass: organizationalUnit\nou: {unit}\n")?;
    }
    (0..people).try_for_each(|person| write_person(out, person))?;
    for group in 0..GROUPS {
        let members = (0..GROUP_MEMBERS).map(|member| mixed(group * GROUP_MEMBERS + member));
        write_group(out, &format!("group{group}"), members.map(|number| number % people))?;
    }
    let large = LARGE_GROUP_MEMBERS.min(people);
    write_group(out, "large", (0..large).map(|member| member * (people / large)))
}

const GIVEN: [&str; 16] = [
    "Ada", "Bela", "Cyril", "Dora", "Emil", "Frieda", "Gustav", "Hanna", "Ivan", "Jana", "Karl",
    "Lena", "Milan", "Nora", "Otto", "Petra",
];
const SURNAMES: [&str; 16] = [
    "Abel",
    "Bergmann",
    "Castillo",
    "Dvorak",
    "Eriksen",
    "Fontaine",
    "Gruber",
    "Horvath",
    "Ivanova",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Novak",
    "Olsen",
    "Papadakis",
];

fn mixed(number: u64) -> u64 {
    number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn pick(words: &[&'static str; 16], number: u64) -> &'static str {
    words.iter().cycle().nth((number % 16) as usize).unwrap()
}

fn write_person(out: &mut impl Write, number: u64) -> io::Result<()> {
    let mix = mixed(number);
    let (given, surname) = (pick(&GIVEN, mix), pick(&SURNAMES, mix >> 4));
    writeln!(out, "dn: uid=u{number:07},ou=people,dc=example,dc=com")?;
    for class in ["top", "person", "organizationalPerson", "inetOrgPerson", "posixAccount"] {
        writeln!(out, "objectClass: {class}")?;
    }
    writeln!(out, "uid: u{number:07}\ncn: {given} {surname} {number}\nsn: {surname}")?;
    writeln!(out, "givenName: {given}\ndisplayName: {given} {surname}")?;
    writeln!(out, "mail: {given}.{surname}.{number}@example.com")?;
    writeln!(out, "telephoneNumber: +43 1 {:07}", mix % 10_000_000)?;
    writeln!(out, "employeeNumber: {number}\ndepartmentNumber: D{}", mix % 400)?;
    writeln!(out, "uidNumber: {}\ngidNumber: {}", 10_000 + number, 1_000 + mix % 100)?;
    writeln!(out, "homeDirectory: /home/u{number:07}\nloginShell: /bin/bash")?;
    writeln!(out, "title: Engineer of the {}th kind\nl: City {}", mix % 97, mix % 1_000)?;
    write!(out, "userPassword: {{SSHA}}")?;
    (0..5).try_for_each(|part| write!(out, "{:08x}", mixed(number * 5 + part) as u32))?;
    writeln!(out, "\n")
}

fn write_group(
    out: &mut impl Write,
    name: &str,
    members: impl Iterator<Item = u64>,
) -> io::Result<()> {
    writeln!(out, "dn: cn={name},ou=groups,dc=example,dc=com")?;
    writeln!(out, "objectClass: groupOfNames\ncn: {name}")?;
    let mut seen = std::collections::HashSet::new();
    for number in members.filter(|number| seen.insert(*number)) {
        writeln!(out, "member: uid=u{number:07},ou=people,dc=example,dc=com")?;
    }
    writeln!(out)
}
