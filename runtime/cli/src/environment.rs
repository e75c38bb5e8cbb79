//! The Python environment for `up` and `sync`: built or found, with progress on the terminal.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;

use serde_json::json;
use synapse_api::ExitCode;
use synapse_config::PythonSettings;
use synapse_console::render;
use synapse_environment::{
    Environment, EnvironmentError, Install, Kind, Prepared, Settings, Stage,
};
use synapse_node::Spawner;

use crate::arguments::SyncArguments;
use crate::check::print_line;
use crate::failure::{Failure, report_chain};

/// `synapse sync`: the environment alone.
pub(crate) async fn sync(arguments: &SyncArguments) -> Result<u8, Failure> {
    let loaded = synapse_config::load(&arguments.config.file)
        .map_err(|errors| Failure::configuration(&errors))?;
    let configuration = loaded.configuration;
    let install = Install::Refresh;
    let (folder, python) = (&configuration.folder, &configuration.python);
    let spawner = Spawner::start()
        .map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
    let prepared = prepare(folder, python, install, spawner).await?;
    if arguments.output.json {
        let kind = format!("{:?}", prepared.kind).to_lowercase();
        print_line(
            &json!({
                "schema": 1,
                "python": prepared.python,
                "version": prepared.version,
                "packages": prepared.packages,
                "kind": kind,
                "tool": prepared.tool,
                "took_ms": u64::try_from(prepared.took.as_millis()).unwrap_or(u64::MAX),
            })
            .to_string(),
        )?;
    } else {
        print_line(&line(&prepared))?;
    }
    Ok(0)
}

/// Finds the environment, or builds it with progress on stderr.
pub(crate) async fn prepare(
    folder: &std::path::Path,
    python: &PythonSettings,
    install: Install,
    spawner: Spawner,
) -> Result<Prepared, Failure> {
    let mut settings = Settings::new(folder);
    settings.interpreter.clone_from(&python.interpreter);
    settings.venv.clone_from(&python.venv);
    settings.requirements.clone_from(&python.requirements);
    settings.install = install;
    let environment = Environment::new(settings, spawner).map_err(|error| failure(&error))?;
    let progress = Progress::default();
    let prepared = environment.prepare(&|stage| progress.show(&stage)).await;
    progress.clear();
    prepared.map_err(|error| failure(&error))
}

/// `python 3.11.7   28 packages (uv) ......... 3.1 s   kept for the next start`
pub(crate) fn line(prepared: &Prepared) -> String {
    let tool = prepared
        .tool
        .map_or_else(String::new, |tool| format!(" ({tool})"));
    let packages = format!("{} packages{tool}", prepared.packages);
    let version = &prepared.version;
    match prepared.kind {
        Kind::Built => {
            let took = render::duration(prepared.took);
            format!("python {version}   {packages} ......... {took}   kept for the next start")
        }
        Kind::Kept => format!("python {version}   {packages}"),
        Kind::Own => format!(
            "python {version}   {packages}   {}",
            prepared.python.display()
        ),
    }
}

fn failure(error: &EnvironmentError) -> Failure {
    let mut text = report_chain(error);
    for line in error.details() {
        text.push_str("\n  ");
        text.push_str(&line);
    }
    let failure = Failure::new(text).exit(ExitCode::Unavailable);
    match error.help() {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// One line that changes on a terminal; a line a stage elsewhere.
#[derive(Debug, Default)]
struct Progress {
    shown: Mutex<bool>,
}

impl Progress {
    fn show(&self, stage: &Stage) {
        let mut stderr = std::io::stderr().lock();
        if std::io::stderr().is_terminal() {
            drop(write!(stderr, "\r\x1b[2K{stage} ..."));
        } else {
            drop(writeln!(stderr, "{stage} ..."));
        }
        drop(stderr.flush());
        if let Ok(mut shown) = self.shown.lock() {
            *shown = true;
        }
    }

    fn clear(&self) {
        let shown = self.shown.lock().is_ok_and(|shown| *shown);
        if shown && std::io::stderr().is_terminal() {
            drop(write!(std::io::stderr(), "\r\x1b[2K"));
        }
    }
}
