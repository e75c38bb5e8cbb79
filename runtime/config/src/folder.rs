//! The folder of the file, where what the file names is looked up. It reads names, not contents.

use std::path::{Path, PathBuf};

use crate::document::quoted;
use crate::key::Spanned;
use crate::nearest::nearest;
use crate::problem::{Problem, Problems};

/// Entries of a folder that are read for a suggestion.
const ENTRIES_MAX: usize = 1000;

/// Where relative paths start; absolute.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

/// What a path must lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
}

impl Folder {
    /// The folder of `file`, which is absolute.
    pub(crate) fn of(file: &Path) -> Self {
        Self(file.parent().unwrap_or(file).to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// An absolute path, without looking.
    pub(crate) fn resolve(&self, written: &str) -> PathBuf {
        let joined = self.0.join(written);
        std::path::absolute(&joined).unwrap_or(joined)
    }

    /// An absolute path to something that is there, or a report at `key`.
    pub(crate) fn existing(
        &self,
        written: &Spanned<String>,
        key: &str,
        kind: Kind,
        problems: &mut Problems,
    ) -> Option<PathBuf> {
        let path = self.resolve(&written.value);
        let (there, word) = match kind {
            Kind::File => (path.is_file(), "file"),
            Kind::Directory => (path.is_dir(), "folder"),
        };
        if there {
            return Some(path);
        }
        let message = format!("`{key}`: there is no {word} {}", quoted(&written.value));
        problems.push(
            Problem::error(key, message)
                .at(written.span.clone(), "")
                .help_if(self.similar(&written.value))
                .help_if(
                    written
                        .value
                        .starts_with("~")
                        .then_some("`~` is not expanded here"),
                ),
        );
        None
    }

    /// "did you mean" among the neighbours of a path that is not there.
    fn similar(&self, written: &str) -> Option<String> {
        let (parent, name) = written.rsplit_once('/').unwrap_or(("", written));
        let names = names(&self.0.join(parent));
        let near = nearest(name, names.iter().map(String::as_str))?;
        let near = if parent.is_empty() {
            near.to_owned()
        } else {
            format!("{parent}/{near}")
        };
        Some(format!("did you mean {near:?}?"))
    }
}

/// What is in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .take(ENTRIES_MAX)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}
