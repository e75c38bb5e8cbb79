//! What is to be installed: the runtime's own lock, and a requirements file of the user. It refuses
//! to resolve anything.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::EnvironmentError;
use crate::sdk::embedded;

/// Files that a requirements file may include; more are a mistake or a circle.
const INCLUDES_MAX: usize = 32;
/// Bytes of one requirements file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Options whose value is a path or an address.
const PATH_OPTIONS: [&str; 4] = ["--editable", "--find-links", "-e", "-f"];
/// Endings of packages that are files; where such a file is there, it needs no slash.
const ARCHIVES: [&str; 4] = [".whl", ".zip", ".tar.gz", ".tar.bz2"];

/// The packages of the runtime itself, pinned, with hashes.
#[derive(Clone, Debug)]
pub(crate) struct Lock {
    pub(crate) text: Cow<'static, str>,
    pub(crate) hash: Cow<'static, str>,
}

impl Lock {
    pub(crate) fn embedded() -> Self {
        Self {
            text: embedded::LOCK.into(),
            hash: embedded::LOCK_HASH.into(),
        }
    }

    /// The lock without its hashes: constraints for what the user adds, whose packages have none.
    pub(crate) fn pins(&self) -> String {
        let pinned = self.text.lines().filter(|line| is_pin(line));
        pinned
            .map(|line| format!("{}\n", line.trim_end_matches([' ', '\\'])))
            .collect()
    }

    /// How many there are. What is locked for the browser's Python is never installed here.
    pub(crate) fn packages(&self) -> usize {
        let here = |line: &&str| !line.contains("sys_platform == 'emscripten'");
        self.text
            .lines()
            .filter(|line| is_pin(line))
            .filter(here)
            .count()
    }
}

fn is_pin(line: &str) -> bool {
    line.starts_with(|first: char| first.is_ascii_alphanumeric()) && line.contains("==")
}

/// A hash of a requirements file and of all that it includes, and of the folder that relative paths
/// start in, where it has some: the same words mean other packages elsewhere.
pub(crate) fn fingerprint(file: &Path, folder: &Path) -> Result<String, EnvironmentError> {
    let mut digest = Digest::default();
    let mut waiting = vec![file.to_owned()];
    let mut seen: Vec<PathBuf> = Vec::new();
    let mut is_relative = false;
    while let Some(path) = waiting.pop() {
        if seen.contains(&path) {
            continue;
        }
        let refuse = |source| EnvironmentError::Requirements {
            file: path.clone(),
            source,
        };
        if seen.len() >= INCLUDES_MAX {
            let text = format!("more than {INCLUDES_MAX} files are included");
            return Err(refuse(io::Error::new(io::ErrorKind::InvalidInput, text)));
        }
        let text = read_bounded(&path).map_err(refuse)?;
        let parent = path.parent().unwrap_or(Path::new(""));
        waiting.extend(
            text.lines()
                .filter_map(included)
                .map(|name| parent.join(name)),
        );
        is_relative |= text.lines().any(names_a_relative_path);
        digest = digest.field(&text);
        seen.push(path);
    }
    if is_relative {
        digest = digest.field(folder.as_os_str().as_encoded_bytes());
    }
    Ok(digest.name())
}

fn read_bounded(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > FILE_BYTES_MAX {
        let text = format!("it has more than {FILE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    fs::read_to_string(path)
}

/// Whether a line names a file or a folder by a path that does not begin at the root.
fn names_a_relative_path(line: &str) -> bool {
    let line = line.split(" #").next().unwrap_or_default().trim();
    if line.starts_with('#') {
        return false;
    }
    let is_relative = |word: &&str| !word.starts_with('/') && !word.contains("://");
    let value = PATH_OPTIONS
        .iter()
        .find_map(|option| line.strip_prefix(option));
    if let Some(value) = value {
        return is_relative(&value.trim_start_matches(['=', ' ', '\t']));
    }
    let looks_like_a_path = |word: &str| {
        word.contains('/')
            || word.starts_with('.')
            || ARCHIVES.iter().any(|ending| word.ends_with(ending))
    };
    let mut words = line.split_whitespace().filter(is_relative);
    words.any(looks_like_a_path)
}

/// The file that a line such as `-r other.txt` includes. An address is no file.
fn included(line: &str) -> Option<&str> {
    let line = line.trim();
    let name = ["--requirement", "--constraint", "-r", "-c"]
        .iter()
        .find_map(|option| line.strip_prefix(option))?
        .trim_start_matches(['=', ' ', '\t']);
    let name = name.split(" #").next()?.trim();
    (!name.is_empty() && !name.contains("://")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_lock_is_pinned_and_hashed_and_names_no_index() {
        let lock = Lock::embedded();
        let pins = lock.pins();
        assert!(lock.packages() > 20 && lock.packages() <= pins.lines().count());
        for needed in [
            "msgpack==",
            "pydantic-ai-slim==2.68.",
            "openai==",
            "pydantic-core==",
        ] {
            assert!(
                pins.lines().any(|line| line.starts_with(needed)),
                "{needed} in {pins}"
            );
        }
        assert!(lock.text.matches("--hash=sha256:").count() >= lock.packages());
        assert!(
            !lock.text.contains("://") && !lock.text.contains("index"),
            "{}",
            lock.text
        );
        assert!(!pins.contains("--hash") && !pins.contains('\\'), "{pins}");
    }

    #[test]
    fn included_files_count() {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("requirements.txt");
        let other = folder.path().join("other.txt");
        fs::write(
            &main,
            "pandas\n-r other.txt\n-r requirements.txt\n--index-url http://x/\n",
        )
        .unwrap();
        fs::write(&other, "numpy\n").unwrap();
        let fingerprint = |file: &Path| fingerprint(file, folder.path());
        let before = fingerprint(&main).unwrap();
        assert_eq!(fingerprint(&main).unwrap(), before);
        fs::write(&other, "numpy==2\n").unwrap();
        assert_ne!(fingerprint(&main).unwrap(), before);
        fs::remove_file(&other).unwrap();
        let error = fingerprint(&main).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("read the requirements {}", other.display())
        );
    }

    #[test]
    fn the_folder_counts_where_something_is_named_by_a_relative_path() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("requirements.txt");
        let differs = |text: &str| {
            fs::write(&file, text).unwrap();
            let of = |folder: &str| fingerprint(&file, Path::new(folder)).unwrap();
            of("/a") != of("/b")
        };
        for text in [
            "./lib",
            "lib/",
            ".",
            "-e lib",
            "-e.",
            "--find-links=wheels",
            "lib-1.0-py3-none-any.whl",
            "pandas\nlib @ file:lib-1.0.tar.gz",
        ] {
            assert!(differs(text), "{text}");
        }
        for text in [
            "# see ./lib",
            "pandas==2.2.0 ; python_version > '3.10'  # not 2/3",
            "/srv/wheels/lib-1.0-py3-none-any.whl",
            "-e /srv/lib",
            "lib @ file:///srv/lib-1.0.tar.gz",
            "lib @ git+https://host/lib.git",
        ] {
            assert!(!differs(text), "{text}");
        }
    }

    #[test]
    fn includes_are_recognised_in_every_spelling() {
        for line in [
            "-r a.txt",
            "-ra.txt",
            "--requirement=a.txt",
            " -c a.txt # why",
            "--constraint a.txt",
        ] {
            assert_eq!(included(line), Some("a.txt"), "{line}");
        }
        for line in [
            "requests",
            "-e .",
            "-r http://host/a.txt",
            "# -r a.txt",
            "-r",
        ] {
            assert_eq!(included(line), None, "{line}");
        }
    }
}
