//! The verbs that speak with a running node, through its control socket.

pub(crate) mod call;
pub(crate) mod deadletters;
pub(crate) mod feeds;
pub(crate) mod status;

use std::io::Write;

use serde_json::json;
use synapse_api::{ActionKind, ExitCode};
use synapse_console::{ConsoleOptions, Place, Surroundings, render};
use tokio::time::{Instant, sleep, timeout};

use crate::arguments::{DownArguments, PlaceArguments, TargetArguments};
use crate::check::print_line;
use crate::failure::{Failure, report_chain};
use crate::place::{connect, data_dir};

/// How often it is looked whether a node has come or gone.
const POLL: std::time::Duration = std::time::Duration::from_millis(50);

/// `synapse console`: attached; leaving it leaves the node running.
pub(crate) async fn console(arguments: &PlaceArguments) -> Result<u8, Failure> {
    let client = connect(arguments).await?;
    let history_file = Some(client.data_dir().join("history"));
    let options = ConsoleOptions {
        place: Place::Attached,
        history_file,
    };
    let end = synapse_console::run(options, client).await;
    let end = end.map_err(|error| Failure::new(report_chain(&error)).exit(error.exit_code()))?;
    Ok(end.exit_code())
}

/// `synapse down`: asks the node to stop, and waits until it has.
pub(crate) async fn down(arguments: &DownArguments) -> Result<u8, Failure> {
    let client = connect(&arguments.place).await?;
    client.shutdown().await?;
    let data_dir = data_dir(&arguments.place);
    let gone = async {
        while synapse_api::Client::connect(&data_dir).await.is_ok() {
            sleep(POLL).await;
        }
    };
    if timeout(arguments.timeout, gone).await.is_err() {
        let text = format!("the node has not stopped within {:?}", arguments.timeout);
        return Err(Failure::new(text).exit(ExitCode::DeadlineExceeded));
    }
    print_line(if arguments.output.json {
        r#"{"stopped":true}"#
    } else {
        "stopped"
    })?;
    Ok(0)
}

/// `synapse restart|stop|start|kill`.
pub(crate) async fn act(kind: ActionKind, arguments: &TargetArguments) -> Result<u8, Failure> {
    let client = connect(&arguments.place).await?;
    let outcomes = match client.action(kind, &arguments.targets).await {
        Ok(outcomes) => outcomes,
        Err(error) => return fail(error, None, arguments.output.json),
    };
    if arguments.output.json {
        print_line(&json!({ "results": outcomes }).to_string())?;
    } else {
        print_line(&render::actions(&outcomes, Surroundings::detect().palette))?;
    }
    let failed = outcomes.iter().any(|outcome| !outcome.ok);
    Ok(if failed { ExitCode::Failure.code() } else { 0 })
}

/// A failed request: its fault as JSON on stdout, or in words on stderr.
pub(crate) fn fail(
    error: synapse_api::ClientError,
    agent: Option<&str>,
    json: bool,
) -> Result<u8, Failure> {
    let exit = error.exit_code();
    let synapse_api::ClientError::Fault(fault) = error else {
        return Err(error.into());
    };
    if json {
        print_line(&json!(synapse_api::ErrorBody { error: *fault }).to_string())?;
    } else {
        let palette = render::Palette::PLAIN;
        let text = render::fault(&fault, agent, render::Voice::CommandLine, palette);
        // A closed stderr is no further failure.
        drop(writeln!(std::io::stderr(), "{text}"));
    }
    Ok(exit.code())
}

/// Connects to a node that may only be coming up, until the deadline.
pub(crate) async fn connect_until(
    place: &PlaceArguments,
    deadline: Instant,
) -> Result<synapse_api::Client, Failure> {
    loop {
        match connect(place).await {
            Ok(client) => return Ok(client),
            Err(failure) if Instant::now() + POLL >= deadline => return Err(failure),
            Err(_) => sleep(POLL).await,
        }
    }
}
