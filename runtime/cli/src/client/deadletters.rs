//! `synapse deadletters`: the calls that have killed their agent too often.

use serde::Serialize;
use serde_json::json;
use synapse_api::{Client, ClientError};
use synapse_console::{Surroundings, render, terminal_cells};

use crate::arguments::{DropArguments, LetterArguments, LetterId, LetterVerb};
use crate::check::print_line;
use crate::client::call::plain;
use crate::client::fail;
use crate::failure::Failure;
use crate::place::connect;

/// `synapse deadletters`, and what stands behind it.
pub(crate) async fn deadletters(arguments: &LetterArguments) -> Result<u8, Failure> {
    match &arguments.verb {
        None => list(arguments).await,
        Some(LetterVerb::Show(arguments)) => show(arguments).await,
        Some(LetterVerb::Retry(arguments)) => retry(arguments).await,
        Some(LetterVerb::Drop(arguments)) => drop_some(arguments).await,
    }
}

async fn list(arguments: &LetterArguments) -> Result<u8, Failure> {
    let client = connect(&arguments.place).await?;
    let list = client.dead_letters(arguments.agent.as_deref()).await;
    let json = arguments.output.json;
    print(list, json, |list| {
        let palette = Surroundings::detect().palette;
        render::dead_letters(list, terminal_cells(), render::Voice::CommandLine, palette)
    })
}

async fn show(arguments: &LetterId) -> Result<u8, Failure> {
    let client = connect(&arguments.place).await?;
    let letter = client.dead_letter(&arguments.id).await;
    print(letter, arguments.output.json, |letter| {
        let palette = Surroundings::detect().palette;
        render::dead_letter(
            letter,
            terminal_cells(),
            render::Voice::CommandLine,
            palette,
        )
    })
}

/// Prints what a call prints. Leaving closes the connection, which cancels the run.
async fn retry(arguments: &LetterId) -> Result<u8, Failure> {
    let client = connect(&arguments.place).await?;
    let result = client.retry_dead_letter(&arguments.id).await;
    print(result, arguments.output.json, |result| {
        plain(&result.output)
    })
}

async fn drop_some(arguments: &DropArguments) -> Result<u8, Failure> {
    let client = connect(&arguments.place).await?;
    let dropped = dropped(&client, arguments.id.as_deref()).await;
    let dropped = dropped.map(|number| json!({ "dropped": number }));
    print(dropped, arguments.output.json, |dropped| {
        let number = dropped["dropped"].as_u64().unwrap_or_default();
        format!(
            "dropped {}",
            render::count(number, "dead letter", "dead letters")
        )
    })
}

async fn dropped(client: &Client, id: Option<&str>) -> Result<u64, ClientError> {
    match id {
        Some(id) => client.drop_dead_letter(id).await.map(|()| 1),
        None => client.drop_dead_letters(None).await,
    }
}

fn print<T: Serialize>(
    answer: Result<T, ClientError>,
    json: bool,
    text: impl FnOnce(&T) -> String,
) -> Result<u8, Failure> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return fail(error, None, json),
    };
    let line = match json {
        true => serde_json::to_string(&answer)
            .map_err(|error| Failure::new(format!("cannot print: {error}")))?,
        false => text(&answer),
    };
    print_line(&line).map(|()| 0)
}
