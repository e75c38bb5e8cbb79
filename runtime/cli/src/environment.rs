//! The Python environments for `up` and `sync`: built or found, with progress on the terminal.

mod preparation;
mod progress;

use serde_json::{Value, json};
use synapse_console::render;
use synapse_core::name::Name;
use synapse_environment::{Install, Kind, Prepared};
use synapse_node::Spawner;

use crate::arguments::SyncArguments;
use crate::check::print_line;
use crate::failure::Failure;
pub(crate) use preparation::{Environments, Ready};

/// `synapse sync`: the environments alone.
pub(crate) async fn sync(arguments: &SyncArguments) -> Result<u8, Failure> {
    let loaded = synapse_config::load(&arguments.config.file)
        .map_err(|errors| Failure::configuration(&errors))?;
    let configuration = loaded.configuration;
    let spawner = Spawner::start()
        .map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
    let environments = Environments::prepare(&configuration, Install::Refresh, &spawner).await?;
    if arguments.output.json {
        print_line(&json_of(&environments).to_string())?;
    } else {
        print_line(&lines(&environments))?;
    }
    Ok(0)
}

/// That of `[python]`, and those of agents that have their own.
fn json_of(environments: &Environments) -> Value {
    let own = environments.own.iter().map(|ready| {
        let mut object = fields(&ready.prepared);
        object["agents"] = json!(ready.whose.agents);
        object["requirements"] = json!(ready.whose.requirements);
        object
    });
    let own: Vec<Value> = own.collect();
    let mut object = fields(&environments.base.prepared);
    object["schema"] = json!(1);
    object["of_agents"] = json!(own);
    object
}

fn fields(prepared: &Prepared) -> Value {
    json!({
        "python": prepared.python,
        "version": prepared.version,
        "packages": prepared.packages,
        "kind": format!("{:?}", prepared.kind).to_lowercase(),
        "tool": prepared.tool,
        "took_ms": u64::try_from(prepared.took.as_millis()).unwrap_or(u64::MAX),
    })
}

/// A line for each; those of agents begin with their names.
pub(crate) fn lines(environments: &Environments) -> String {
    let lines: Vec<String> = environments.all().map(line_of).collect();
    lines.join("\n")
}

fn line_of(ready: &Ready) -> String {
    let line = line(&ready.prepared);
    let names: Vec<&str> = ready.whose.agents.iter().map(Name::as_str).collect();
    match names.as_slice() {
        [] => line,
        names => format!("{line}   for {}", names.join(", ")),
    }
}

/// `python 3.11.7   28 packages (uv) ......... 3.1 s   kept for the next start`
fn line(prepared: &Prepared) -> String {
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
