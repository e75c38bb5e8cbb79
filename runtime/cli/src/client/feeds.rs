//! `synapse logs` and `events`: what was, and with `-f` what comes.

use serde::Serialize;
use synapse_api::{LogLine, LogQuery, NodeEvent};
use synapse_console::{Surroundings, render};

use crate::arguments::{EventArguments, LogArguments};
use crate::check::print_line;
use crate::client::fail;
use crate::failure::Failure;
use crate::place::connect;

/// `synapse logs AGENT`.
pub(crate) async fn logs(arguments: &LogArguments) -> Result<u8, Failure> {
    let client = connect(&arguments.place).await?;
    let query = LogQuery {
        previous: arguments.previous,
        tail: arguments.tail,
    };
    let show = |line: &LogLine| print(line, arguments.output.json, render::log_line);
    if !arguments.follow {
        match client.logs(&arguments.agent, query).await {
            Ok(lines) => lines.iter().try_for_each(show)?,
            Err(error) => return fail(error, Some(&arguments.agent), arguments.output.json),
        }
        return Ok(0);
    }
    let mut feed = match client.logs_follow(&arguments.agent, query).await {
        Ok(feed) => feed,
        Err(error) => return fail(error, Some(&arguments.agent), arguments.output.json),
    };
    while let Some(line) = feed.next().await? {
        show(&line)?;
    }
    Ok(0)
}

/// `synapse events`.
pub(crate) async fn events(arguments: &EventArguments) -> Result<u8, Failure> {
    let client = connect(&arguments.place).await?;
    let show = |event: &NodeEvent| print(event, arguments.output.json, render::event);
    if !arguments.follow {
        client
            .events(arguments.tail)
            .await?
            .iter()
            .try_for_each(show)?;
        return Ok(0);
    }
    let mut feed = client.events_follow(arguments.tail).await?;
    while let Some(event) = feed.next().await? {
        show(&event)?;
    }
    Ok(0)
}

fn print<T: Serialize>(
    item: &T,
    json: bool,
    text: fn(&T, render::Palette) -> String,
) -> Result<(), Failure> {
    if json {
        let line = serde_json::to_string(item)
            .map_err(|error| Failure::new(format!("cannot print: {error}")))?;
        return print_line(&line);
    }
    print_line(&text(item, Surroundings::detect().palette))
}
