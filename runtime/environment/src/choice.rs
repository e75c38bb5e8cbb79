//! Remembers which environment an earlier start came to, so that the next one has to run nothing. It
//! refuses to trust a memory whose witnesses have changed.

use std::fs::{self, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cache::{Cache, write_whole};
use crate::digest::Digest;
use crate::interpreter::{NAMES, on_path, program};
use crate::settings::{Settings, Tool};
use crate::variables::{HOME, PYENV_ROOT, SHIM_CHOICES};

/// Remembered answers that are kept; each is below a kilobyte, and a changed file makes a new one.
const CHOICES_MAX: usize = 64;
/// Folders above the configuration in which a version manager's file is looked for.
const ANCESTORS_MAX: usize = 32;
/// By these files a version manager's shim chooses the interpreter.
const SHIM_FILES: [&str; 4] = [
    ".python-version",
    ".tool-versions",
    "mise.toml",
    ".mise.toml",
];

/// What an earlier start came to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Choice {
    pub(crate) python: PathBuf,
    pub(crate) version: String,
    pub(crate) packages: usize,
    pub(crate) tool: Option<Tool>,
    witnesses: Vec<Witness>,
}

/// A file as it was when the choice was made.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Witness {
    path: PathBuf,
    state: Option<(u64, u64, i64, i64)>,
}

impl Witness {
    fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            state: fs::metadata(path).ok().map(|found| state(&found)),
        }
    }
}

fn state(found: &Metadata) -> (u64, u64, i64, i64) {
    (found.ino(), found.size(), found.mtime(), found.mtime_nsec())
}

impl Choice {
    /// A choice that holds as long as `witnesses` stay what they are now.
    pub(crate) fn new(
        python: PathBuf,
        version: String,
        packages: usize,
        tool: Option<Tool>,
        witnesses: &[&Path],
    ) -> Self {
        let witnesses = witnesses.iter().map(|path| Witness::of(path)).collect();
        Self {
            python,
            version,
            packages,
            tool,
            witnesses,
        }
    }

    /// The answer to a question, if it was given before and still holds.
    pub(crate) fn recall(cache: &Cache, question: &str) -> Option<Self> {
        let text = fs::read_to_string(cache.path(&file_name(question))).ok()?;
        let choice: Self = serde_json::from_str(&text).ok()?;
        let holds = choice
            .witnesses
            .iter()
            .all(|was| *was == Witness::of(&was.path));
        (holds && choice.python.exists()).then_some(choice)
    }

    /// Keeps the answer. A cache that may not be written to costs the next start its speed only.
    pub(crate) fn remember(&self, cache: &Cache, question: &str) {
        let Ok(text) = serde_json::to_string(self) else {
            return;
        };
        let written = cache
            .create()
            .map_err(|error| error.to_string())
            .and_then(|()| {
                write_whole(&cache.path(&file_name(question)), text)
                    .map_err(|error| error.to_string())
            });
        if let Err(error) = written {
            tracing::debug!(error, "choice of the environment not remembered");
        }
        forget_oldest(cache);
    }
}

fn file_name(question: &str) -> String {
    format!("choice-{question}.json")
}

fn forget_oldest(cache: &Cache) {
    let Ok(entries) = fs::read_dir(cache.path("")) else {
        return;
    };
    let choices = entries
        .flatten()
        .filter(|e| e.file_name().as_encoded_bytes().starts_with(b"choice-"));
    let mut choices: Vec<_> = choices
        .filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path())))
        .collect();
    choices.sort();
    let excess = choices.len().saturating_sub(CHOICES_MAX);
    for (_, path) in choices.into_iter().take(excess) {
        // Another process may have removed it already.
        fs::remove_file(path).ok();
    }
}

/// All that decides which interpreter is found and what is installed, without running anything.
pub(crate) fn question(settings: &Settings, packages: &[&str]) -> String {
    let mut digest = Digest::default();
    for field in packages {
        digest = digest.field(field);
    }
    let programs: Vec<PathBuf> = match settings.asked_interpreter() {
        Some(asked) => program(settings, asked).into_iter().collect(),
        None => NAMES
            .iter()
            .filter_map(|name| on_path(settings, Path::new(name)))
            .collect(),
    };
    for path in &programs {
        let now = fs::metadata(path).ok().map(|found| state(&found));
        digest = digest
            .field(path.as_os_str().as_encoded_bytes())
            .field(format!("{now:?}"));
    }
    if programs.iter().any(|path| is_shim(path)) {
        digest = with_shim_choices(digest, settings);
    }
    digest.name()
}

/// A shim is a script, or another program under Python's name.
fn is_shim(path: &Path) -> bool {
    let mut start = [0; 2];
    let script = fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut start))
        .is_ok()
        && start == *b"#!";
    let real = path.canonicalize().ok();
    let name = real
        .as_deref()
        .and_then(Path::file_name)
        .and_then(|name| name.to_str());
    script || !name.is_some_and(|name| name.starts_with("python"))
}

fn with_shim_choices(mut digest: Digest, settings: &Settings) -> Digest {
    for name in SHIM_CHOICES {
        digest = digest.field(
            settings
                .variable(name)
                .unwrap_or_default()
                .as_encoded_bytes(),
        );
    }
    let home = settings
        .variable(HOME)
        .map(PathBuf::from)
        .unwrap_or_default();
    let pyenv = settings
        .variable(PYENV_ROOT)
        .map_or_else(|| home.join(".pyenv"), PathBuf::from);
    let files = settings
        .folder
        .ancestors()
        .take(ANCESTORS_MAX)
        .chain([home.as_path()]);
    let files = files.flat_map(|folder| SHIM_FILES.map(|name| folder.join(name)));
    let global = [pyenv.join("version"), home.join(".config/mise/config.toml")];
    for path in files.chain(global) {
        let now = fs::metadata(&path).ok().map(|found| state(&found));
        digest = digest.field(format!("{now:?}"));
    }
    digest
}
