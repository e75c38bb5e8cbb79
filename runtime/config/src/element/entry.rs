//! `module:attribute`: where Python code is found.

use serde_json::{Value, json};
use synapse_core::spec::Entry;

use crate::document::{Data, Node};
use crate::key::{Element, wrong};
use crate::problem::Problems;

/// The attribute that is suggested where none is written.
const ATTRIBUTE_GUESS: &str = "agent";

impl Element for Entry {
    fn wanted() -> String {
        r#"a Python place "module:attribute""#.to_owned()
    }

    fn schema() -> Value {
        json!({
            "type": "string",
            "pattern": "^[^\\s:./]+(\\.[^\\s:./]+)*:[^\\s:./]+(\\.[^\\s:./]+)*$",
            "examples": ["agents.assistant:agent"],
        })
    }

    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        let Data::Text(text) = &node.data else {
            problems.push(wrong::<Self>(node, path));
            return None;
        };
        let entry = parse(text);
        if entry.is_none() {
            let help = guess(text).map(|entry| format!("did you mean \"{entry}\"?"));
            problems.push(wrong::<Self>(node, path).help_if(help));
        }
        entry
    }
}

/// Parses `a.b:c.d`.
pub(crate) fn parse(text: &str) -> Option<Entry> {
    let (module, attribute) = text.split_once(':')?;
    // Legal as a module `py` in a package, and never meant so.
    let is_file = module.ends_with(".py");
    (!is_file && is_dotted(module) && is_dotted(attribute)).then(|| Entry {
        module: module.to_owned(),
        attribute: attribute.to_owned(),
    })
}

pub(super) fn is_dotted(text: &str) -> bool {
    text.split('.').all(is_identifier)
}

fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|c| c.is_alphanumeric() || c == '_')
}

/// A path, a file or a module without attribute to the entry that was likely meant.
fn guess(text: &str) -> Option<Entry> {
    let text = text.trim().replace("::", ":").replace('\\', "/");
    let text = text.strip_prefix("./").unwrap_or(&text);
    let (module, attribute) = match text.split_once(':') {
        Some((module, attribute)) => (module, attribute.trim()),
        None => (text, ""),
    };
    let module = module.trim().trim_end_matches(".py").replace('/', ".");
    let attribute = if attribute.is_empty() {
        ATTRIBUTE_GUESS
    } else {
        attribute.trim_end_matches("()")
    };
    parse(&format!("{module}:{attribute}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_and_an_attribute_is_an_entry() {
        for text in [
            "agents.assistant:agent",
            "main:app.agent",
            "_a1:b",
            "größe:wert",
        ] {
            assert_eq!(
                parse(text).map(|entry| entry.to_string()).as_deref(),
                Some(text)
            );
        }
    }

    #[test]
    fn near_misses_are_repaired() {
        for text in [
            "agents/assistant.py:agent",
            "agents.assistant.py:agent",
            "./agents/assistant.py:agent",
            "agents.assistant",
            "agents/assistant.py",
            "agents.assistant::agent",
            "agents.assistant:agent()",
            "agents.assistant: agent",
        ] {
            assert_eq!(parse(text), None, "{text}");
            let guessed = guess(text).map(|entry| entry.to_string());
            assert_eq!(guessed.as_deref(), Some("agents.assistant:agent"), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_entries() {
        for text in ["", ":", "a:", ":b", "a..b:c", "1a:b", "a:b:c", "a b:c"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(guess("/etc/agents.py:agent"), None);
    }
}
