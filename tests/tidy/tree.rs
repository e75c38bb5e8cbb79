//! The files of the project, as a clean clone would have them.

use std::fs;
use std::path::{Path, PathBuf};

/// One file of text.
pub(crate) struct File {
    /// From the root of the project, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    pub(crate) fn is(&self, ending: &str) -> bool {
        self.path.ends_with(ending)
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files of text, but for those that .gitignore names and the locks of package managers.
pub(crate) fn files() -> Vec<File> {
    let ignored = ignored();
    let mut files = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if ignored.iter().any(|pattern| is_ignored(pattern, &path)) {
                continue;
            } else if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = relative(&path);
                files.push(File { path, text });
            }
        }
    }
    files.retain(|file| !file.is(".lock"));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.len() > 100, "this is not the source tree");
    files
}

/// Those whose names end so.
pub(crate) fn files_ending(ending: &str) -> Vec<File> {
    files().into_iter().filter(|file| file.is(ending)).collect()
}

pub(crate) fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// Resolves `.` and `..` without asking the disk.
pub(crate) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

/// Fails with all findings at once.
pub(crate) fn none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

fn ignored() -> Vec<String> {
    let text = fs::read_to_string(root().join(".gitignore")).unwrap();
    text.lines()
        .map(str::to_owned)
        .chain([".git".to_owned()])
        .collect()
}

/// The forms that .gitignore has here: `/here/` from the root, `anywhere/`, `*.ending`.
fn is_ignored(pattern: &str, path: &Path) -> bool {
    let pattern = pattern.trim_end_matches('/');
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if let Some(from_root) = pattern.strip_prefix('/') {
        return relative(path) == from_root;
    }
    match pattern.strip_prefix('*') {
        Some(ending) => name.ends_with(ending),
        None => name == pattern,
    }
}
