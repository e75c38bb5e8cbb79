//! `synapse status`, `tree`, `inspect` and `stack`.

use synapse_api::{AgentStatus, ExitCode, Status};
use synapse_console::{Surroundings, render, terminal_cells};
use tokio::time::Instant;

use crate::arguments::{InspectArguments, StackArguments, StatusArguments, TreeArguments};
use crate::check::print_line;
use crate::client::{connect_until, fail};
use crate::failure::Failure;
use crate::place::connect;

/// `synapse status`: 0 where all agents are ready, 1 where some are not (with `--wait` only).
pub(crate) async fn status(arguments: &StatusArguments) -> Result<u8, Failure> {
    let status = if arguments.wait {
        let deadline = Instant::now() + arguments.timeout;
        let client = connect_until(&arguments.place, deadline).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        match client.status_settled(left).await {
            Ok(status) => status,
            Err(error) => return fail(error, None, arguments.output.json),
        }
    } else {
        connect(&arguments.place).await?.status().await?
    };
    show(&status, arguments.output.json)?;
    let ready = status.agents.iter().all(AgentStatus::is_ready);
    let failed = arguments.wait && !ready;
    Ok(if failed { ExitCode::Failure.code() } else { 0 })
}

fn show(status: &Status, json: bool) -> Result<(), Failure> {
    if json {
        let text = serde_json::to_string(status)
            .map_err(|error| Failure::new(format!("cannot print the status: {error}")))?;
        return print_line(&text);
    }
    print_line(&render::status(
        status,
        terminal_cells(),
        Surroundings::detect().palette,
    ))
}

/// `synapse tree`.
pub(crate) async fn tree(arguments: &TreeArguments) -> Result<u8, Failure> {
    let status = connect(&arguments.place).await?.status().await?;
    if arguments.output.json {
        show(&status, true)?;
        return Ok(0);
    }
    let palette = Surroundings::detect().palette;
    print_line(&render::tree(&status, terminal_cells(), palette))?;
    Ok(0)
}

/// `synapse inspect AGENT`, and with `--exit` one of its ends.
pub(crate) async fn inspect(arguments: &InspectArguments) -> Result<u8, Failure> {
    let client = connect(&arguments.place).await?;
    let (agent, json) = (arguments.agent.as_str(), arguments.output.json);
    let (cells, palette) = (terminal_cells(), Surroundings::detect().palette);
    let shown = match arguments.exit {
        None => client.agent(agent).await.map(|detail| match json {
            true => serde_json::to_string(&detail),
            false => Ok(render::inspect(&detail, arguments.frames, cells, palette)),
        }),
        Some(which) => client.exit(agent, which).await.map(|dossier| match json {
            true => serde_json::to_string(&dossier),
            false => Ok(render::dossier(&dossier, arguments.frames, cells, palette)),
        }),
    };
    match shown {
        Ok(text) => {
            let text =
                text.map_err(|error| Failure::new(format!("cannot print the agent: {error}")))?;
            print_line(&text)?;
            Ok(0)
        }
        Err(error) => fail(error, Some(agent), json),
    }
}

/// `synapse stack AGENT[/REPLICA]`.
pub(crate) async fn stack(arguments: &StackArguments) -> Result<u8, Failure> {
    let client = connect(&arguments.place).await?;
    let (target, json) = (&arguments.target, arguments.output.json);
    let list = match client.stacks(target).await {
        Ok(list) => list,
        Err(error) => return fail(error, Some(&target.agent), json),
    };
    let text = match json {
        true => serde_json::to_string(&list)
            .map_err(|error| Failure::new(format!("cannot print the stacks: {error}")))?,
        false => render::stacks(&list, Surroundings::detect().palette),
    };
    print_line(&text)?;
    Ok(0)
}
