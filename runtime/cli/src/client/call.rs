//! `synapse call`: one call of an agent. The answer alone goes to stdout.

use std::io::{Read, Write};
use std::path::Path;

use serde_json::{Value, json};
use synapse_api::{Client, ExitCode, Fault, RunEvent, RunRequest, RunResult, RunStream};
use synapse_console::render;

use crate::arguments::CallArguments;
use crate::check::{print, print_line};
use crate::client::fail;
use crate::failure::Failure;
use crate::place::connect;

/// The longest prompt that is read from stdin, in bytes: what a call may carry.
const PROMPT_BYTES_MAX: u64 = 16 * 1024 * 1024;

pub(crate) async fn call(arguments: CallArguments) -> Result<u8, Failure> {
    let client = connect(&arguments.place).await?;
    let request = request(&arguments)?;
    tokio::select! {
        code = make(&client, &arguments, &request) => code,
        // Leaving closes the connection, which cancels the run at the node.
        _ = tokio::signal::ctrl_c() => {
            let fault = Fault::new("cancelled", "caller", "the call was cancelled");
            fail(synapse_api::ClientError::Fault(Box::new(fault)), None, arguments.output.json)?;
            Ok(ExitCode::Cancelled.code())
        }
    }
}

async fn make(
    client: &Client,
    arguments: &CallArguments,
    request: &RunRequest,
) -> Result<u8, Failure> {
    let agent = &arguments.agent;
    if arguments.stream {
        return match client.run_stream(agent, request).await {
            Ok(stream) => show_stream(stream, agent, arguments.output.json).await,
            Err(error) => fail(error, Some(agent), arguments.output.json),
        };
    }
    match client.run(agent, request).await {
        Ok(result) if arguments.output.json => print_line(&json!(result).to_string()).map(|()| 0),
        Ok(result) => print_line(&plain(&result.output)).map(|()| 0),
        Err(error) => fail(error, Some(agent), arguments.output.json),
    }
}

fn request(arguments: &CallArguments) -> Result<RunRequest, Failure> {
    let prompt = match (&arguments.prompt, &arguments.input) {
        (Some(prompt), _) if prompt != "-" => Some(prompt.clone()),
        (None, Some(_)) => None,
        _ => Some(read_stdin()?),
    };
    let timeout = arguments
        .timeout
        .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    Ok(RunRequest {
        prompt,
        input: arguments.input.clone(),
        session: arguments.session.clone(),
        deps: arguments.deps.clone(),
        history: arguments.history.as_deref().map(read_history).transpose()?,
        model: arguments.model.clone(),
        settings: arguments.settings.clone(),
        instructions: arguments.instructions.clone(),
        usage_limits: None,
        stream: arguments.stream,
        // What is printed cannot be taken back.
        restarts: false,
        timeout_ms: timeout,
    })
}

fn read_stdin() -> Result<String, Failure> {
    let mut prompt = String::new();
    let read = std::io::stdin()
        .lock()
        .take(PROMPT_BYTES_MAX)
        .read_to_string(&mut prompt);
    read.map_err(|error| {
        Failure::new(format!("cannot read the prompt from stdin: {error}")).exit(ExitCode::Data)
    })?;
    // The end of the last line is the shell's, not the prompt's.
    Ok(prompt
        .strip_suffix('\n')
        .map(str::to_owned)
        .unwrap_or(prompt))
}

fn read_history(file: &Path) -> Result<Vec<Value>, Failure> {
    let failed =
        |what: String| Failure::new(format!("{}: {what}", file.display())).exit(ExitCode::Data);
    let text = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
    match serde_json::from_slice(&text) {
        Ok(Value::Array(messages)) => Ok(messages),
        Ok(_) => Err(failed("a JSON list of messages is wanted".to_owned())),
        Err(error) => Err(failed(format!("not JSON: {error}"))),
    }
}

/// A string is printed as it is, so that it can be piped; anything else as JSON.
pub(crate) fn plain(output: &Value) -> String {
    match output {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

async fn show_stream(mut stream: RunStream, agent: &str, json: bool) -> Result<u8, Failure> {
    let mut printed = false;
    loop {
        let Some(event) = stream.next().await? else {
            return Err(Failure::new("the node ended the stream without a result"));
        };
        if json {
            print_line(&event.to_json().to_string())?;
        }
        match event {
            RunEvent::Chunk { text, .. } if !json => {
                printed = true;
                print(format_args!("{text}"))?;
            }
            RunEvent::Result(result) => {
                if !json {
                    end_of_stream(&result, printed)?;
                }
                return Ok(0);
            }
            RunEvent::Error(fault) => {
                if !json {
                    print_fault(&fault, agent, printed)?;
                }
                return Ok(fault.exit_code().code());
            }
            RunEvent::Run { .. }
            | RunEvent::Chunk { .. }
            | RunEvent::Tool(_)
            | RunEvent::Unknown { .. } => {}
        }
    }
}

/// Structured output has no chunks of text: it is printed whole.
fn end_of_stream(result: &RunResult, printed: bool) -> Result<(), Failure> {
    print_line(&if printed {
        String::new()
    } else {
        plain(&result.output)
    })
}

fn print_fault(fault: &Fault, agent: &str, printed: bool) -> Result<(), Failure> {
    if printed {
        print_line("")?;
    }
    let voice = render::Voice::CommandLine;
    let text = render::fault(fault, Some(agent), voice, render::Palette::PLAIN);
    // A closed stderr is no further failure.
    drop(writeln!(std::io::stderr(), "{text}"));
    Ok(())
}
