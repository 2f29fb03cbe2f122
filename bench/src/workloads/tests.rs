//! Every workload says something sensible of every turn.

use super::*;
use crate::load::Turn;

fn turn(number: u64) -> Turn {
    Turn { number, lane: (number % 4) as u32, turn: number / 4 }
}

#[test]
fn names_are_unique_and_every_workload_can_be_made() {
    let data = Data::new(1000);
    for (at, workload) in ALL.iter().enumerate() {
        assert_eq!(ALL.iter().position(|other| other.name == workload.name), Some(at));
        if workload.name == "member-add-1m" {
            assert!(named(workload.name, data, 0).is_err());
            continue;
        }
        let work = named(workload.name, data, 0).unwrap();
        for number in 0..40 {
            let mut request = Vec::new();
            work.request(turn(number), &mut request);
            let tag = work.expected(turn(number)).tag;
            assert_eq!(request[0] >> 5, 3 - u8::from(request[0] == 0x4a), "{}", workload.name);
            assert!(tag > request[0] || request[0] == 0x4a, "{}", workload.name);
            assert!(!work.describe(turn(number)).is_empty());
        }
    }
    assert!(find("nonsense").is_err());
}

#[test]
fn numbers_are_scattered_over_all() {
    let mut seen = [0u32; 100];
    (0..10_000).for_each(|number| seen[scatter(number, 100) as usize] += 1);
    assert!(seen.iter().all(|&count| (50..150).contains(&count)), "{seen:?}");
}

#[test]
fn what_is_searched_is_never_what_is_modified() {
    for people in [20, 1000, 1_000_000] {
        let data = Data::new(people);
        let targets: Vec<u64> = reads::targets(data).collect();
        assert!(targets.iter().all(|n| n % 2 == 0 && *n < data.people), "{people}");
        assert!(targets.windows(2).all(|pair| pair[0] < pair[1]), "{people}");
    }
}
