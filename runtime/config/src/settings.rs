//! `[runtime]` and `[python]`: rules between their keys, and the files that they name.

use std::path::PathBuf;

use synapse_core::name::Name;

use crate::configuration::{LogLevel, LogSettings, PythonSettings, RuntimeSettings, SessionLimits};
use crate::document::quoted;
use crate::element::{List, Size, Whole};
use crate::folder::{Folder, Kind};
use crate::key::Spanned;
use crate::problem::{Problem, Problems};
use crate::raw::{RawPython, RawRuntime};

const DATA_DIR: &str = ".synapse";
const LOG_FILE_BYTES: u64 = 10 * 1024 * 1024;
const LOG_FILES: u64 = 5;
const SESSIONS: u64 = 1000;
const SESSION_BYTES: u64 = 64 * 1024 * 1024;

/// The node's settings; `None` only if the default name were none.
pub(crate) fn runtime(raw: &RawRuntime, folder: &Folder) -> Option<RuntimeSettings> {
    let log = raw.log.value().cloned().unwrap_or_default();
    let sessions = raw.sessions.value().cloned().unwrap_or_default();
    let data_dir = raw.data_dir.value().map_or(DATA_DIR, String::as_str);
    Some(RuntimeSettings {
        data_dir: folder.resolve(data_dir),
        node: raw
            .node
            .value()
            .cloned()
            .or_else(|| Name::new("synapse").ok())?,
        log: LogSettings {
            level: log.level.or(LogLevel::Info),
            format: log.format.value().copied(),
            file_bytes_max: log.file_size.or(Size(LOG_FILE_BYTES)).0,
            files_max: count(log.files.or(Whole(LOG_FILES))),
        },
        sessions: SessionLimits {
            count_max: count(sessions.count.or(Whole(SESSIONS))),
            bytes_max: sessions.bytes.or(Size(SESSION_BYTES)).0,
        },
    })
}

/// A number that its element has bounded well below any platform's `usize`.
pub(crate) fn count<const MIN: u64, const MAX: u64>(number: Whole<MIN, MAX>) -> usize {
    usize::try_from(number.0).unwrap_or(usize::MAX)
}

pub(crate) fn python(raw: &RawPython, folder: &Folder, problems: &mut Problems) -> PythonSettings {
    exclusive(raw, problems);
    let requirements = raw
        .requirements
        .given()
        .and_then(|written| folder.existing(written, "python.requirements", Kind::File, problems));
    PythonSettings {
        venv: raw
            .venv
            .given()
            .and_then(|written| venv(written, folder, problems)),
        requirements,
        interpreter: raw
            .interpreter
            .given()
            .and_then(|written| interpreter(written, folder, problems)),
        path: path(raw.path.value(), folder, problems),
        preload: preload(raw),
    }
}

/// A ready environment is used as it is: what would build one has no place beside it.
fn exclusive(raw: &RawPython, problems: &mut Problems) {
    let Some(venv) = raw.venv.given() else {
        return;
    };
    for (name, other) in [
        ("requirements", &raw.requirements),
        ("interpreter", &raw.interpreter),
    ] {
        if let Some(other) = other.given() {
            let message = format!("`python.{name}` cannot be used with `python.venv`");
            problems.push(
                Problem::error(format!("python.{name}"), message)
                    .at(other.key.clone(), "")
                    .at(venv.key.clone(), "this environment is used as it is")
                    .help(format!(
                        "remove one: without `venv`, Synapse builds an environment with `{name}`"
                    )),
            );
        }
    }
}

fn venv(written: &Spanned<String>, folder: &Folder, problems: &mut Problems) -> Option<PathBuf> {
    let path = folder.resolve(&written.value);
    if path.join("bin/python").exists() || path.join("Scripts/python.exe").exists() {
        return Some(path);
    }
    let message = if path.is_dir() {
        format!(
            "`python.venv`: {} has no bin/python",
            quoted(&written.value)
        )
    } else {
        format!(
            "`python.venv`: there is no folder {}",
            quoted(&written.value)
        )
    };
    problems.push(
        Problem::error("python.venv", message)
            .at(written.span.clone(), "")
            .help(format!(
                "create it with `python3 -m venv {}`",
                written.value
            ))
            .help("or leave the key out: Synapse then builds its own environment"),
    );
    None
}

/// A path is looked at; a bare command name is left for PATH.
fn interpreter(
    written: &Spanned<String>,
    folder: &Folder,
    problems: &mut Problems,
) -> Option<PathBuf> {
    if !written.value.contains('/') {
        return Some(PathBuf::from(&written.value));
    }
    folder.existing(written, "python.interpreter", Kind::File, problems)
}

/// Each once, in the order in which they are imported.
fn preload(raw: &RawPython) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for module in raw
        .preload
        .value()
        .map(|list| list.0.as_slice())
        .unwrap_or_default()
    {
        let name = &module.value.0;
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn path(raw: Option<&List<String>>, folder: &Folder, problems: &mut Problems) -> Vec<PathBuf> {
    let mut path = vec![folder.path().to_owned()];
    for written in raw.map(|list| list.0.as_slice()).unwrap_or_default() {
        let found = folder.existing(written, "python.path", Kind::Directory, problems);
        path.extend(found.filter(|found| !path.contains(found)));
    }
    path
}
