//! `synapse check` and `synapse schema`: the configuration alone, without a node.

use std::io::{IsTerminal, Write};

use serde_json::json;
use synapse_api::ExitCode;

use crate::arguments::CheckArguments;
use crate::failure::Failure;

/// Every mistake at once, and what may surprise. Exits 0 also with warnings.
pub(crate) fn check(arguments: &CheckArguments) -> Result<u8, Failure> {
    let loaded = crate::machine::load(&arguments.config.file);
    if arguments.output.json {
        let (ok, findings) = match &loaded {
            Ok(loaded) => (true, json!(loaded.warnings.list())),
            Err(errors) => (false, json!(errors.list())),
        };
        print_line(&json!({ "schema": 1, "ok": ok, "findings": findings }).to_string())?;
        return Ok(if ok {
            0
        } else {
            ExitCode::Configuration.code()
        });
    }
    let loaded = loaded.map_err(|errors| Failure::configuration(&errors))?;
    if !loaded.warnings.is_empty() {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        // A closed stderr must not change the verdict.
        drop(writeln!(
            std::io::stderr(),
            "{}",
            loaded.warnings.render(colour)
        ));
    }
    let tree = &loaded.configuration.tree;
    let verdict = match loaded.warnings.list().len() {
        0 => "good".to_owned(),
        warnings => format!("no mistake, {}", count(warnings, "warning")),
    };
    print_line(&format!(
        "{}: {}, {}: {verdict}",
        arguments.config.file.display(),
        count(tree.agents.len(), "agent"),
        count(tree.supervisors.len(), "supervisor"),
    ))?;
    Ok(0)
}

fn count(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// The JSON Schema of supervision.toml.
pub(crate) fn schema() -> Result<u8, Failure> {
    let schema = serde_json::to_string_pretty(&synapse_config::schema())
        .map_err(|error| Failure::new(format!("cannot print the schema: {error}")))?;
    print_line(&schema)?;
    Ok(0)
}

/// On stdout. A reader that went away (`synapse schema | head`) is no failure worth words.
pub(crate) fn print_line(line: &str) -> Result<(), Failure> {
    print(format_args!("{line}\n"))
}

/// The same, without the end of the line.
pub(crate) fn print(text: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_fmt(text)
        .and_then(|()| stdout.flush())
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::new(""),
            _ => Failure::new(format!("cannot write to stdout: {error}")),
        })
}
