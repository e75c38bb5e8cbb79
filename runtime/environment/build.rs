//! Puts the Python SDK and its lock into the binary, with their hashes. It refuses to change them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use sha2::{Digest, Sha256};

/// What of the package an agent process needs; tests and caches stay behind.
const KEPT_EXTENSIONS: [&str; 2] = ["py", "pyi"];
const KEPT_FILES: [&str; 1] = ["py.typed"];
const LEFT_FOLDERS: [&str; 2] = ["__pycache__", "tests"];

fn main() -> io::Result<()> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../python")
        .canonicalize()?;
    let source = python.join("src");
    let mut files = Vec::new();
    collect(&source.join("synapse_agent"), &mut files)?;
    files.sort();
    let lock = python.join("requirements.lock");
    watch(&lock);
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("embedded.rs"), embedded(&source, &files, &lock)?)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    // The folder itself too, so that a new file is seen.
    watch(folder);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
            .to_owned();
        if path.is_dir() {
            if !LEFT_FOLDERS.contains(&name.as_str()) {
                collect(&path, files)?;
            }
        } else if is_kept(&path, &name) {
            watch(&path);
            files.push(path);
        }
    }
    Ok(())
}

fn is_kept(path: &Path, name: &str) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    KEPT_FILES.contains(&name) || extension.is_some_and(|known| KEPT_EXTENSIONS.contains(&known))
}

fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

fn embedded(source: &Path, files: &[PathBuf], lock: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut text = "pub(crate) static SDK_FILES: &[(&str, &[u8])] = &[\n".to_owned();
    for path in files {
        let name = path
            .strip_prefix(source)
            .map_err(io::Error::other)?
            .display()
            .to_string();
        let content = fs::read(path)?;
        hash.update(format!("{} {name} {} ", name.len(), content.len()));
        hash.update(&content);
        let _infallible = writeln!(text, "    ({name:?}, include_bytes!({path:?})),");
    }
    let _infallible = writeln!(
        text,
        "];\npub(crate) const SDK_HASH: &str = {:?};",
        hex(hash)
    );
    let mut hash = Sha256::new();
    hash.update(fs::read(lock)?);
    let _infallible = writeln!(
        text,
        "pub(crate) const LOCK: &str = include_str!({lock:?});\n\
         pub(crate) const LOCK_HASH: &str = {:?};",
        hex(hash)
    );
    Ok(text)
}

fn hex(hash: Sha256) -> String {
    hash.finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _infallible = write!(text, "{byte:02x}");
            text
        })
}
