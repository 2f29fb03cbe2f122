//! The command `chancery-bench`: its arguments, and one file for each subcommand.

mod ceiling;
mod compare;
mod run;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workloads;

/// How fast is the directory that you have?
///
/// Sends LDAP requests from one thread over many connections, checks every answer, and reports
/// operations per second and latencies. Begin with
///
///   chancery-bench list
///   chancery-bench run --help
#[derive(Debug, Parser)]
#[command(name = "chancery-bench", version, verbatim_doc_comment)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one workload against any LDAP server
    Run(Box<run::Arguments>),
    /// Explain the workloads
    List,
    /// Write the data of the workloads as LDIF, to load it into a server
    Data(compare::Ldif),
    /// Measure servers side by side, as `bench/run` does
    Compare(compare::Arguments),
    /// Write the report anew from kept results
    Report(compare::Report),
    /// Serve fixed answers, bare of any directory: `ceiling` measures the generator against it
    Echo(ceiling::Echo),
    /// Show what generator and machine can do at most, so that no figure is the generator's
    Ceiling(ceiling::Arguments),
}

pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::List => list(),
        Command::Data(arguments) => compare::data(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Report(arguments) => compare::report(&arguments),
        Command::Echo(arguments) => ceiling::echo(&arguments),
        Command::Ceiling(arguments) => ceiling::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> Result<()> {
    println!("Workloads on the data that `chancery-bench data` writes:\n");
    for workload in workloads::ALL {
        let writes = if workload.writes { " (writes)" } else { "" };
        println!("  {:<18}{}{writes}", workload.name, workload.about);
    }
    println!("  {:<18}open and hold connections: `--connections 10000`", "idle");
    println!(
        "\nOn data of your own: `run --filter '(uid={{}})' --values FILE --base DN`, read only; the\n\
         first answer for each value is what later ones are compared with.\n\n\
         Writing workloads undo what they did; one that was interrupted leaves a few entries \
         changed."
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_password_comes_with_a_name() {
        let run = ["chancery-bench", "run", "bind", "--uri", "ldap://127.0.0.1:389"];
        let cases: [(&[&str], bool); 6] = [
            (&[], true),
            (&["--bind", "cn=a", "--password", "b"], true),
            (&["--bind", "cn=a", "--password-file", "b"], true),
            (&["--bind", "cn=a"], false),
            (&["--bind", "cn=a", "--password", "b", "--password-file", "b"], false),
            (&["--writers-bind", "cn=a", "--writers-password", "b"], true),
        ];
        for (more, fits) in cases {
            let parsed = Arguments::try_parse_from(run.iter().chain(more));
            assert_eq!(parsed.is_ok(), fits, "{more:?}: {:?}", parsed.err());
        }
    }
}
