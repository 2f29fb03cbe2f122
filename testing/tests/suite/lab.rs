//! The fault lab: the true cause comes first, what is printed mends it, and what is well is left
//! alone.

use testing::lab::{Fault, Judged, Lab, faults, judge_all, stacks};
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

fn judged(lab: &Lab, faults: &[Fault]) -> Vec<Judged> {
    let all = judge_all(lab, faults, THREADS);
    let all: Vec<Judged> = all.into_iter().map(|one| one.unwrap()).collect();
    for one in &all {
        println!("{}", one.line());
    }
    all
}

#[test]
fn the_true_cause_comes_first_and_the_fix_mends_it() {
    let Some(lab) = lab() else { return };
    let wanted = std::env::var("CHANCERY_LAB").unwrap_or_default();
    let mut faults = faults::all();
    faults.retain(|one| format!("{} {}", one.stack, one.id).contains(&wanted));
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
    assert!(all.len() >= 10, "{} configurations", all.len());
    for one in all {
        assert!(one.said.is_empty(), "{}: {}", one.line(), one.words);
    }
}
