//! What the api's types look like as text: pure functions, with colours or without. Used by the
//! console and by the command line's verbs; it does not know where the text goes.

mod answer;
mod chronicle;
mod deadletters;
mod dossier;
mod help;
mod inspect;
mod layout;
mod measure;
mod opening;
mod page;
mod palette;
mod stacks;
mod status;
mod tree;

#[cfg(test)]
mod tests;

pub use answer::{Voice, cost, cost_at_right, fault, history, output, tool};
pub use chronicle::{actions, event, log_line, notice};
pub use deadletters::{dead_letter, dead_letters};
pub use dossier::dossier;
pub use help::help;
pub use inspect::inspect;
pub use layout::{Align, clip, columns, pad, pad_left, printable, strip_escapes, width, wrap};
pub use measure::{bytes, clock, count, duration, duration_ms, setting_ms};
pub use opening::{attached, header, invitation, readiness};
pub use palette::Palette;
pub use stacks::stacks;
pub use status::status;
pub use tree::tree;

/// A state in its colour; unknown states have none.
#[must_use]
pub fn state_colour(state: &str, palette: Palette) -> String {
    match state {
        "ready" => palette.good(state),
        "starting" | "backoff" | "draining" | "stopping" => palette.warn(state),
        "failed" => palette.bad(state),
        "stopped" | "hibernated" => palette.dim(state),
        other => other.to_owned(),
    }
}
