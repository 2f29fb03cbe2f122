//! `chancery-bench`: how fast is the directory that you have, and how fast would this one be.

use std::process::ExitCode;

fn main() -> ExitCode {
    bench::cli::main()
}
