//! Where the Python threads of an agent's processes stand.

use synapse_api::{Stack, StackList};

use super::{Palette, printable};

/// The view of `/stack`: each process by its name and number, then its threads.
#[must_use]
pub fn stacks(list: &StackList, palette: Palette) -> String {
    let pages: Vec<String> = list
        .stacks
        .iter()
        .map(|stack| {
            let text = match (&stack.text, &stack.why) {
                (Some(text), _) => printable(text).trim_end().to_owned(),
                (None, Some(why)) => palette.warn(&printable(why)),
                (None, None) => String::new(),
            };
            format!("{}\n{text}", head(stack, palette))
        })
        .collect();
    pages.join("\n\n")
}

fn head(stack: &Stack, palette: Palette) -> String {
    let Stack {
        agent,
        replica,
        incarnation,
        pid,
        ..
    } = stack;
    let incarnation = incarnation.map_or_else(String::new, |it| format!(" #{it}"));
    let pid = pid.map_or_else(|| "no process".to_owned(), |pid| format!("pid {pid}"));
    format!(
        "{}{incarnation}   replica {replica}   {pid}",
        palette.strong(agent)
    )
}
