//! Runs a supervision scenario and prints its trace, as Erlang's own supervisor would.
//!
//! `cargo run --release --example scenario -- FILE.json` runs it on the real shell: actors, tasks,
//! real time. With `--core` it runs on the pure core, on a virtual clock, in microseconds.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

mod answers;
mod real_tree;
mod script;
mod virtual_tree;

use std::process::ExitCode;

const USAGE: &str = "usage: scenario [--core] FILE.json";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (core, file) = match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["--core", file] => (true, (*file).to_owned()),
        [file] if !file.starts_with('-') => (false, (*file).to_owned()),
        _ => return fail(USAGE),
    };
    match run(core, &file).await {
        Ok(lines) => {
            println!("{}", lines.join("\n"));
            ExitCode::SUCCESS
        }
        Err(error) => fail(&format!("{file}: {error}")),
    }
}

async fn run(core: bool, file: &str) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let scenario = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    Ok(if core {
        virtual_tree::trace(&scenario)
    } else {
        real_tree::trace(&scenario).await
    })
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}
