//! The lines around a start: header, environment, "all ready". They come from the command line's
//! hands; the console prints only its own greeting.

use std::time::Duration;

use synapse_api::Status;

use super::Palette;
use super::layout::printable;
use super::measure::{count, duration};

/// `synapse 0.1.0   supervision.toml   data .synapse/`
#[must_use]
pub fn header(version: &str, configuration: &str, data: &str, palette: Palette) -> String {
    let data = data.trim_end_matches('/');
    format!(
        "{} {version}   {configuration}   data {data}/",
        palette.strong("synapse")
    )
}

/// `All 5 ready in 0.9 s.`, or how many are and which are not.
#[must_use]
pub fn readiness(status: &Status, took: Duration, palette: Palette) -> String {
    let total = status.agents.len();
    let down: Vec<&str> = status
        .agents
        .iter()
        .filter(|agent| !agent.is_ready())
        .map(|agent| agent.name.as_str())
        .collect();
    let took = tenths_of_seconds(took);
    match (total, down.len()) {
        (0, _) => "No agents.".to_owned(),
        (1, 0) => format!("Ready in {took}."),
        (_, 0) => format!("All {total} ready in {took}."),
        (_, missing) => {
            let names = down.join(", ");
            let ready = total - missing;
            palette.warn(&format!(
                "{ready} of {total} ready in {took}; not ready: {names}."
            ))
        }
    }
}

/// `Type to talk to assistant; /help lists commands; Ctrl-D stops.`
#[must_use]
pub fn invitation(current: Option<&str>, leaving: &str) -> String {
    let talk = current.map_or_else(String::new, |agent| format!("Type to talk to {agent}; "));
    let text = format!("{talk}/help lists commands; Ctrl-D {leaving}.");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// `Attached to node local (pid 4100): 5 agents.`
#[must_use]
pub fn attached(status: &Status) -> String {
    let agents = count(status.agents.len() as u64, "agent", "agents");
    format!(
        "Attached to node {} (pid {}): {agents}.",
        printable(&status.node),
        status.pid
    )
}

/// Start times are told to a tenth of a second, milliseconds being noise there.
fn tenths_of_seconds(time: Duration) -> String {
    if time < Duration::from_secs(60) {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        duration(time)
    }
}
