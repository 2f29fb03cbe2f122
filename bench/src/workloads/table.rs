//! A work whose requests and expectations are made before it begins: an operation is a copy.

use super::scatter;
use crate::data;
use crate::load::{Content, Expected, Session, Turn, Work};

/// Rows of request and expectation, asked for in scattered order.
#[derive(Clone, Debug)]
pub struct Table {
    name: String,
    requests: Vec<u8>,
    rows: Vec<Row>,
    page: Option<u32>,
    session: Session,
    references: usize,
    /// So many people sign in, each with the own password.
    people: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    begin: usize,
    end: usize,
    expected: Expected,
}

impl Table {
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            requests: Vec::new(),
            rows: Vec::new(),
            page: None,
            session: Session::Kept,
            references: 0,
            people: None,
        }
    }

    /// Adds a row; `request` appends the operation.
    pub fn push(&mut self, expected: Expected, request: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.requests.len();
        request(&mut self.requests);
        self.rows.push(Row { begin, end: self.requests.len(), expected });
        if let Content::First(at) = expected.content {
            self.references = self.references.max(at + 1);
        }
    }

    pub(super) fn in_pages(self, page: Option<u32>) -> Self {
        Self { page, ..self }
    }

    /// Each operation in a session of its own, in which one of the people signs in.
    pub(super) fn over(self, session: Session, people: u64) -> Self {
        Self { session, people: Some(people), ..self }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn row(&self, turn: Turn) -> &Row {
        &self.rows[scatter(turn.number, self.rows.len() as u64) as usize]
    }
}

impl Work for Table {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn request(&self, turn: Turn, out: &mut Vec<u8>) {
        let row = self.row(turn);
        out.extend_from_slice(&self.requests[row.begin..row.end]);
    }

    fn expected(&self, turn: Turn) -> Expected {
        self.row(turn).expected
    }

    /// The printable part of the request holds names and values.
    fn describe(&self, turn: Turn) -> String {
        let row = self.row(turn);
        let text = self.requests[row.begin..row.end].iter().map(|&byte| match byte {
            b' '..=b'~' => char::from(byte),
            _ => ' ',
        });
        let text: String = text.take(200).collect();
        let words: Vec<&str> = text.split_whitespace().collect();
        format!("{}, operation {} (request: {})", self.name, turn.number, words.join(" "))
    }

    fn page(&self) -> Option<u32> {
        self.page
    }

    fn session(&self) -> Session {
        self.session
    }

    fn sign_in(&self, turn: Turn) -> Option<(String, String)> {
        let n = scatter(turn.number, self.people?);
        Some((data::person_dn(n), data::password(n)))
    }

    fn references(&self) -> usize {
        self.references
    }
}
