//! Requests written as text, asked of two servers in the same order, answers compared.
//!
//! - [`script`]: the text form (`tests/differential/requests.txt` explains it at its top).
//! - [`request`]: a step of the script as LDAP bytes and controls.
//! - [`compare`]: two answers, made comparable.

pub mod compare;
pub mod request;
pub mod script;

use anyhow::{Context, Result};

use crate::peers::Subject;
use crate::wire::{Answer, Connection};
use compare::Comparable;
use request::{PAGED_RESULTS, Prepared};
use script::{Expected, Outcome, Step};

/// Asks one step; a paged search is followed to its last page and answered as one.
pub fn ask(connection: &mut Connection, step: &Step) -> Result<Answer> {
    let mut prepared = Prepared::from_step(step)?;
    let mut whole = Answer::default();
    loop {
        let mut answer = connection
            .ask(&prepared.operation, &prepared.controls)
            .with_context(|| format!("line {}: {}", step.line, step.text))?;
        whole.entries.append(&mut answer.entries);
        whole.references.append(&mut answer.references);
        let cookie = answer.controls.iter().find(|(oid, _)| oid == PAGED_RESULTS);
        let cookie = cookie.map(|(_, value)| request::page_cookie(value)).transpose()?;
        match cookie.filter(|cookie| !cookie.is_empty() && answer.code == 0) {
            Some(cookie) => prepared.next_page(&cookie),
            None => {
                return Ok(Answer {
                    entries: whole.entries,
                    references: whole.references,
                    ..answer
                });
            }
        }
    }
}

/// Everything wrong with the answers to one step, as sentences; empty when nothing is.
pub fn judge(step: &Step, answers: &[(Subject, Answer)]) -> Vec<String> {
    let place = format!("requests.txt:{}: {}", step.line, step.text);
    let mut faults = Vec::new();
    for (subject, answer) in answers {
        let (got, wanted) = (Outcome::of(answer), step.expected.outcome(*subject));
        if wanted.is_some_and(|wanted| !wanted.admits(&got)) {
            let wanted = wanted.map(ToString::to_string).unwrap_or_default();
            let name = subject.name();
            let why = &answer.diagnostic;
            faults.push(format!("{place}\n    {name}: got {got}, expected {wanted} ({why})"));
        }
    }
    if let (Expected::Same(_), [(first, left), (second, right)]) = (&step.expected, answers) {
        let names = (first.name(), second.name());
        let (left, right) = (Comparable::of(left), Comparable::of(right));
        faults.extend(
            left.differences(&right, names).into_iter().map(|d| format!("{place}\n    {d}")),
        );
    }
    faults
}
