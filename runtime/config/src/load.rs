//! From a path to a [`Configuration`]: read, parse, check, in one pass over all mistakes.

use std::io::Read;
use std::path::Path;

use crate::check;
use crate::configuration::Configuration;
use crate::document::{Data, Node};
use crate::finding::{ConfigErrors, Findings};
use crate::key::Element;
use crate::limits::Machine;
use crate::nearest::nearest;
use crate::problem::{Problem, Problems};
use crate::raw::RawTree;
use crate::syntax::{self, Parsed};

/// Bytes of a configuration file that are read; a larger one is some other file.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A usable file.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the file says.
    pub configuration: Configuration,
    /// What may surprise its author.
    pub warnings: Findings,
}

/// Reads and checks the file at `path`, wherever it is to run.
///
/// # Errors
/// Every mistake at once, or that the file cannot be read.
pub fn load(path: &Path) -> Result<Loaded, ConfigErrors> {
    load_for(path, Machine::ABLE)
}

/// The same for a file that is to run on this system: what that cannot enforce is a mistake, too.
///
/// # Errors
/// As [`load`].
pub fn load_for(path: &Path, machine: Machine) -> Result<Loaded, ConfigErrors> {
    let name = path.display().to_string();
    let text = read(path).map_err(|problem| {
        let mut problems = Problems::default();
        problems.push(problem);
        ConfigErrors(Findings::new(&name, "", problems))
    })?;
    parse_for(&text, path, machine)
}

/// Checks `text` as if it stood in `file`; relative paths start in that file's folder.
///
/// # Errors
/// Every mistake at once.
pub fn parse(text: &str, file: &Path) -> Result<Loaded, ConfigErrors> {
    parse_for(text, file, Machine::ABLE)
}

/// The same for this system.
pub(crate) fn parse_for(text: &str, file: &Path, machine: Machine) -> Result<Loaded, ConfigErrors> {
    let mut problems = Problems::default();
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let configuration = match syntax::parse(text, &mut problems) {
        Parsed::Whole(root) => RawTree::read(&root, "", &mut problems).and_then(|raw| {
            check::check(&raw, &misspelt(&root), &absolute, machine, &mut problems)
        }),
        // What was read of a broken file shows its wrong keys and values, but not what it lacks.
        Parsed::Damaged(root) => {
            root.and_then(|root| RawTree::read(&root, "", &mut problems));
            None
        }
    };
    let findings = Findings::new(&file.display().to_string(), text, problems);
    match configuration {
        Some(configuration) => Ok(Loaded {
            configuration,
            warnings: findings,
        }),
        None => Err(ConfigErrors(findings)),
    }
}

/// The names in tables such as `[agents.echo]`: a mistake that was reported, and not to be reported
/// again by every list that has the name.
fn misspelt(root: &Node) -> Vec<String> {
    let Data::Table(tables) = &root.data else {
        return Vec::new();
    };
    tables
        .iter()
        .filter(|(key, _)| !["agent", "supervisor"].contains(&key.name.as_str()))
        .filter(|(key, _)| nearest(&key.name, ["agent", "supervisor"]).is_some())
        .filter_map(|(_, node)| match &node.data {
            Data::Table(named) => Some(named),
            _ => None,
        })
        .flat_map(|named| named.iter().map(|(key, _)| key.name.clone()))
        .collect()
}

fn read(path: &Path) -> Result<String, Problem> {
    let failed = |error: &std::io::Error| {
        let problem = Problem::error("", format!("the file cannot be read: {error}"));
        if error.kind() == std::io::ErrorKind::NotFound {
            problem.help(
                "run synapse in a folder with a supervision.toml, or name one with --config FILE",
            )
        } else {
            problem
        }
    };
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| failed(&error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(Problem::error("", "the file is larger than 1 MiB")
            .help("a supervision.toml is a few kilobytes; is this the right file?"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        Problem::error(
            "",
            format!("the file is not UTF-8 text: byte {valid} begins no character"),
        )
    })
}
