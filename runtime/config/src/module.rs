//! Whether the Python module of an entry can be there. It reads source as text and imports nothing:
//! what only Python knows shows when the agent starts.

use std::io::Read;
use std::path::{Path, PathBuf};

use synapse_core::spec::Entry;

use crate::folder::names;
use crate::key::Spanned;
use crate::nearest::{alternatives, nearest};
use crate::problem::{Problem, Problems};

/// Bytes of a module that are searched for the attribute.
const MODULE_BYTES_MAX: u64 = 1024 * 1024;

/// Names that a help line lists; more do not help.
const NAMES_SHOWN_MAX: usize = 8;

/// Ways in which a module gets attributes that its text does not show.
const DYNAMIC: [&str; 3] = ["import *", "__getattr__", "globals()"];

/// Checks `entry` of the key `path` against the folders that agents import from.
pub(crate) fn check(
    entry: &Spanned<Entry>,
    path: &str,
    folders: &[PathBuf],
    problems: &mut Problems,
) {
    let segments: Vec<&str> = entry.value.module.split('.').collect();
    let top = segments.first().copied().unwrap_or_default();
    let Some(folder) = folders.iter().find(|folder| has_module(folder, top)) else {
        foreign(entry, path, top, folders, problems);
        return;
    };
    match find(folder, &segments) {
        Ok(Some(file)) => attribute(entry, path, &file, problems),
        Ok(None) => {}
        Err(missing) => problems.push(absent(entry, path, folder, &missing)),
    }
}

/// Where the search for a module ended: the folder, and the segments that led to it.
struct Missing<'a> {
    folder: PathBuf,
    found: Vec<&'a str>,
    sought: &'a str,
}

/// The module's source, if it has one.
fn find<'a>(folder: &Path, segments: &[&'a str]) -> Result<Option<PathBuf>, Missing<'a>> {
    let mut folder = folder.to_owned();
    for (index, segment) in segments.iter().enumerate() {
        if !has_module(&folder, segment) {
            let found = segments.iter().take(index).copied().collect();
            return Err(Missing {
                folder,
                found,
                sought: segment,
            });
        }
        let file = folder.join(format!("{segment}.py"));
        folder.push(segment);
        // A package wins over a module of the same name, as in Python.
        if !folder.is_dir() {
            let last = index.saturating_add(1) == segments.len();
            // A module may hold a submodule by its own doing (as `os` does `os.path`).
            return Ok((last && file.is_file()).then_some(file));
        }
    }
    let package = folder.join("__init__.py");
    Ok(package.is_file().then_some(package))
}

fn has_module(folder: &Path, name: &str) -> bool {
    folder.join(name).is_dir()
        || folder.join(format!("{name}.py")).is_file()
        || names(folder).iter().any(|file| is_extension(file, name))
}

/// `name.cpython-311-x86_64-linux-gnu.so`, a compiled module.
fn is_extension(file: &str, name: &str) -> bool {
    file.strip_prefix(name).is_some_and(|rest| {
        rest.starts_with('.') && (rest.ends_with(".so") || rest.ends_with(".pyd"))
    })
}

/// What can be imported from a folder.
fn modules(folder: &Path) -> Vec<String> {
    names(folder)
        .into_iter()
        .filter_map(|name| {
            if let Some(module) = name.strip_suffix(".py") {
                return (module != "__init__").then(|| module.to_owned());
            }
            let hidden = name.starts_with('.') || name.starts_with("__") || name.contains('.');
            (!hidden && folder.join(&name).is_dir()).then_some(name)
        })
        .collect()
}

fn absent(entry: &Spanned<Entry>, path: &str, start: &Path, missing: &Missing<'_>) -> Problem {
    let modules = modules(&missing.folder);
    let help = match nearest(missing.sought, modules.iter().map(String::as_str)) {
        Some(near) => {
            let module = [missing.found.as_slice(), &[near]].concat().join(".");
            format!("did you mean \"{module}:{}\"?", entry.value.attribute)
        }
        None if modules.is_empty() => "the folder has no Python modules".to_owned(),
        None => {
            let shown: Vec<&str> = modules
                .iter()
                .map(String::as_str)
                .take(NAMES_SHOWN_MAX)
                .collect();
            format!("the modules there are {}", shown.join(", "))
        }
    };
    let place = missing
        .folder
        .strip_prefix(start)
        .unwrap_or(&missing.folder);
    let message = format!(
        "`{path}`: there is no module `{}` in {}/",
        missing.sought,
        place.display()
    );
    Problem::error(path, message)
        .at(entry.span.clone(), "")
        .help(help)
}

/// A module of no folder of ours may be installed, so it is no mistake; one that is like a folder
/// of ours is likely a slip.
fn foreign(
    entry: &Spanned<Entry>,
    path: &str,
    top: &str,
    folders: &[PathBuf],
    problems: &mut Problems,
) {
    let modules: Vec<String> = folders.iter().flat_map(|folder| modules(folder)).collect();
    let Some(near) = nearest(top, modules.iter().map(String::as_str)) else {
        return;
    };
    let rest = entry.value.module.strip_prefix(top).unwrap_or_default();
    let message = format!("`{path}`: there is no module `{top}` in the folder of this file");
    problems.push(
        Problem::warning(path, message)
            .at(entry.span.clone(), "")
            .help(format!(
                "did you mean \"{near}{rest}:{}\"?",
                entry.value.attribute
            ))
            .help("this is right if the module is installed in the Python environment"),
    );
}

fn attribute(entry: &Spanned<Entry>, path: &str, file: &Path, problems: &mut Problems) {
    let Some(text) = source(file) else {
        return;
    };
    let sought = entry.value.attribute.split('.').next().unwrap_or_default();
    let word = |c: char| !(c.is_alphanumeric() || c == '_');
    if DYNAMIC.iter().any(|way| text.contains(way)) || text.split(word).any(|w| w == sought) {
        return;
    }
    let defined = definitions(&text);
    let help = match nearest(sought, defined.iter().copied()) {
        Some(near) => Some(format!("did you mean \"{}:{near}\"?", entry.value.module)),
        None if defined.is_empty() => None,
        None => {
            let shown: Vec<&str> = defined.iter().copied().take(NAMES_SHOWN_MAX).collect();
            Some(format!(
                "it defines {}",
                alternatives(&shown).replace(" or ", " and ")
            ))
        }
    };
    let message = format!(
        "`{path}`: nothing in module `{}` is called `{sought}`",
        entry.value.module
    );
    problems.push(
        Problem::warning(path, message)
            .at(entry.span.clone(), "")
            .help_if(help),
    );
}

fn source(file: &Path) -> Option<String> {
    let mut text = String::new();
    std::fs::File::open(file)
        .ok()?
        .take(MODULE_BYTES_MAX)
        .read_to_string(&mut text)
        .ok()?;
    Some(text)
}

/// The names that lines without indentation define.
fn definitions(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| {
            let line = line.strip_prefix("async ").unwrap_or(line);
            let (line, definition) = ["def ", "class "]
                .iter()
                .find_map(|keyword| line.strip_prefix(keyword))
                .map_or((line, false), |rest| (rest, true));
            let end = line.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
            let (name, rest) = line.split_at_checked(end)?;
            let rest = rest.trim_start();
            let assigned =
                (rest.starts_with('=') && !rest.starts_with("==")) || rest.starts_with(':');
            let keyword = ["if", "try", "else", "with", "for", "while", "finally"].contains(&name);
            (!name.is_empty() && !keyword && (definition || assigned)).then_some(name)
        })
        .collect()
}
