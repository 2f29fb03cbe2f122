//! The fault lab: the true cause comes first, what is printed mends it, and what is well is left
//! alone.

use testing::lab::others::Comparison;
use testing::lab::stacks::samba;
use testing::lab::{Fault, Judged, Lab, PASSWORD, certificates, faults, judge_all, others, stacks};
use testing::namespaces;
use testing::peers::chancery::peer;
use testing::peers::missing::present;

/// How many are looked at beside each other; most of the time is waiting.
const THREADS: usize = 6;

fn lab() -> Option<Lab> {
    let mut peers = stacks::peers();
    peers.extend([peer(), namespaces::peer()]);
    present("the fault lab", &peers).then(|| Lab::new().unwrap())
}

/// The faults that `CHANCERY_LAB` names, by parts of their names with `|` between; or all.
fn wanted() -> (String, Vec<Fault>) {
    let wanted = std::env::var("CHANCERY_LAB").unwrap_or_default();
    let mut faults = faults::all();
    let is_named = |name: &str| wanted.split('|').any(|part| name.contains(part));
    faults.retain(|one| is_named(&format!("{} {}", one.stack, one.id)));
    (wanted, faults)
}

fn judged(lab: &Lab, faults: &[Fault]) -> Vec<Judged> {
    let all = judge_all(lab, faults, THREADS);
    let (all, broken): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    let all: Vec<Judged> = all.into_iter().flatten().collect();
    for one in &all {
        println!("{}", one.line());
    }
    let broken = broken.into_iter().filter_map(Result::err);
    let broken: Vec<String> = broken.map(|error| format!("{error:?}")).collect();
    assert!(broken.is_empty(), "these could not be stood up:\n{}", broken.join("\n"));
    all
}

#[test]
fn the_true_cause_comes_first_and_the_fix_mends_it() {
    let Some(lab) = lab() else { return };
    let (wanted, faults) = wanted();
    let all = judged(&lab, &faults);
    let first = all.iter().filter(|one| one.rank() == Some(0)).count();
    let top = all.iter().filter(|one| one.rank().is_some_and(|rank| rank < 3)).count();
    let mended: Vec<&Judged> = all.iter().filter(|one| one.is_green.is_some()).collect();
    let green = mended.iter().filter(|one| one.is_green == Some(true)).count();
    let count = all.len();
    println!(
        "{first} of {count} first, {top} in the first three, {green} of {} mended",
        mended.len()
    );
    assert!(first * 100 >= count * 95 && top == count && green * 10 >= mended.len() * 9);
    assert!(!wanted.is_empty() || count >= 75, "{count} faults");
}

#[test]
fn nothing_is_said_against_what_is_well() {
    let Some(lab) = lab() else { return };
    let all = judged(&lab, &faults::healthy());
    assert!(all.len() >= 12, "{} configurations", all.len());
    for one in all {
        assert!(one.said.is_empty(), "{}: {}", one.line(), one.words);
    }
}

/// Samba's own certificate is named as such, with who takes it and who does not; a wrong password
/// is tried once; and each refusal of a domain controller is told from the others.
#[test]
fn a_domain_controller_is_understood_and_not_locked() {
    let Some(lab) = lab() else { return };
    let controller = samba::serve(&lab, &samba::Settings::default()).unwrap();
    let said = controller.asked(&[]).read().unwrap().stdout;
    assert!(said.starts_with("✗ CERT-NO-SAN"), "{said}");
    assert!(said.contains("that Samba made for itself"), "{said}");
    let who = said.lines().find(|line| line.contains("would accept")).unwrap();
    assert!(who.contains("OpenSSL ✓") && who.contains("Go ✗") && who.contains("rustls ✗"), "{who}");
    drop(controller);
    let material = certificates::GOOD.make(&lab).unwrap();
    let how = samba::Settings { material: Some(&material), ..samba::Settings::default() };
    let controller = samba::serve(&lab, &how).unwrap();
    let sign_in = |who: &str, secret: &str| {
        let file = faults::password(&lab, secret).unwrap().display().to_string();
        controller.asked(&["--as", who, "--password-file", &file]).read().unwrap().stdout
    };
    for (who, secret, words) in [
        (samba::ANNA, "wrong", "the password is wrong, or the user unknown"),
        (samba::DISABLED, PASSWORD, "disabled"),
        (samba::EXPIRED, PASSWORD, "the account has expired"),
        (samba::PASSWORD_TOO_OLD, PASSWORD, "the password has expired"),
        (samba::MUST_CHANGE, PASSWORD, "must be changed"),
        (samba::ELSEWHERE_ONLY, PASSWORD, "from this machine"),
        (samba::LOCKED, PASSWORD, "locked"),
        (samba::NEVER_AT_THIS_HOUR, PASSWORD, "at this hour"),
    ] {
        let said = sign_in(who, secret);
        let first = said.lines().next().unwrap();
        assert!(first.starts_with("✗ AUTH-SUBCODE") && first.contains(words), "{who}: {first}");
    }
    // Of all that was tried for her, one bind: the handshakes and greetings count for nothing.
    assert_eq!(controller.bad_passwords("anna").unwrap(), 1);
    assert!(sign_in(samba::ANNA, PASSWORD).starts_with('✓'));
}

/// Takes minutes of computing time and shows nothing about ourselves, so it runs on request:
/// `CHANCERY_LAB_COMPARE=FOLDER cargo test -p testing --test suite -- lab::others --nocapture`
/// keeps in FOLDER what each tool said, and writes the table of docs/reference/doctor.md there.
#[test]
fn others_look_at_the_same_faults() {
    let Some(kept) = std::env::var_os("CHANCERY_LAB_COMPARE") else { return };
    let kept = std::path::PathBuf::from(kept);
    std::fs::create_dir_all(&kept).unwrap();
    let Some(lab) = lab() else { return };
    if !present("the comparison", &others::peers()) {
        return;
    }
    let (_, faults) = wanted();
    let table = Comparison::made(&lab, &faults, &kept, THREADS).unwrap();
    println!("{}", table.text());
    std::fs::write(kept.join("table.md"), table.text()).unwrap();
    // Each fault is one that stood: what was never asked says nothing of a tool.
    let is_partial = std::env::var_os("CHANCERY_LAB_KEPT").is_some();
    assert!(is_partial || table.count() == faults.len());
}
