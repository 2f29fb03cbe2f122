//! Files, functions and lines that a reader can hold.

use crate::report;
use crate::source::{Source, rust};

/// Lines that are neither blank nor only a comment.
const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Longer for a reason: `(path, reason)`.
const LONG_FILES: &[(&str, &str)] = &[];

/// `(path, function, reason)`.
const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[
    ("crates/directory/src/store/tests/damage.rs", "every_broken_invariant_is_found", "one table"),
    (
        "testing/tests/suite/first_run.rs",
        "a_disk_that_fills_up_refuses_writes_until_there_is_room",
        "one story, told in the order in which it happens",
    ),
];

/// `(path, reason)`: tables whose rows read better unbroken.
const WIDE_FILES: &[(&str, &str)] = &[];

#[test]
fn files_are_short() {
    let mut findings = Vec::new();
    for source in rust() {
        let lines = source.code().lines().filter(|line| !line.trim().is_empty()).count();
        let exempt = LONG_FILES.iter().any(|(path, _)| *path == source.path);
        if lines > FILE_LINES_MAX && !exempt {
            findings.push(format!("{}: {lines} lines of code", source.path));
        }
        if lines <= FILE_LINES_MAX && exempt {
            findings.push(format!("{}: short now, remove its exception", source.path));
        }
    }
    report(&format!("a file has at most {FILE_LINES_MAX} lines of code:"), &findings);
}

#[test]
fn functions_are_short() {
    let mut findings = Vec::new();
    let mut needed = vec![false; LONG_FUNCTIONS.len()];
    for source in rust() {
        for function in functions(&source.code()) {
            if function.lines <= FUNCTION_LINES_MAX {
                continue;
            }
            let exempt = LONG_FUNCTIONS
                .iter()
                .position(|(path, name, _)| *path == source.path && *name == function.name);
            match exempt {
                Some(row) => needed[row] = true,
                None => findings.push(format!(
                    "{}:{}: {} has {} lines",
                    source.path, function.line, function.name, function.lines
                )),
            }
        }
    }
    let unneeded = LONG_FUNCTIONS.iter().zip(needed).filter(|(_, needed)| !needed);
    findings.extend(unneeded.map(|(row, _)| format!("{}: exception not needed", row.0)));
    report(&format!("a function has at most {FUNCTION_LINES_MAX} lines:"), &findings);
}

#[test]
fn lines_are_narrow() {
    let mut findings = Vec::new();
    for source in rust() {
        let wide = wide_lines(&source);
        match WIDE_FILES.iter().any(|(path, _)| *path == source.path) {
            true if wide.is_empty() => {
                findings.push(format!("{}: narrow now, remove its exception", source.path));
            }
            true => {}
            false => findings.extend(wide),
        }
    }
    report(&format!("a line has at most {COLUMNS_MAX} columns:"), &findings);
}

/// A string this long in a line excuses the line's width.
const TEXT_COLUMNS: usize = 60;

fn wide_lines(source: &Source) -> Vec<String> {
    let numbered = source.text.lines().enumerate();
    // A sentence for a person stays whole: breaking a string makes it harder to find.
    let is_text = |line: &str| {
        let continued = line.ends_with('\\');
        continued || (line.contains('"') && line.split('"').any(|part| part.len() > TEXT_COLUMNS))
    };
    let wide = numbered.filter(|(_, line)| line.chars().count() > COLUMNS_MAX && !is_text(line));
    wide.map(|(at, _)| format!("{}:{}", source.path, at + 1)).collect()
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Every function with a body, found by matching braces in blanked code.
fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + 3..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let end = rest.find(['{', ';']).filter(|&end| rest.as_bytes()[end] == b'{');
        if let (false, Some(body)) = (name.is_empty(), end) {
            let lines = rest[..closing(rest, body)].lines().count();
            found.push(Function { name, line: line_number(code, at), lines });
        }
    }
    found
}

fn line_number(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Where the brace that opens at `open` is closed.
fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    code.len()
}

#[test]
fn a_function_is_measured_from_its_name_to_its_brace() {
    let code = "impl A {\n  fn f(a: u8)\n  {\n    if a { b }\n  }\n  fn g();\n}\nfn h() {}\n";
    let found: Vec<_> = functions(code).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
    assert_eq!(found, [("f".to_owned(), 2, 4), ("h".to_owned(), 8, 1)]);
}
