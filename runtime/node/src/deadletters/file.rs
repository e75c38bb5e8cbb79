//! Dead letters as files: `d-3.jsonl`, whose first line is the head and whose second is the rest.
//! So a start reads a line of each, however large the letters are.
//!
//! A file is written beside its place, brought to the disk, and renamed: it is whole or not there.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::deadletters::{DeadLetter, DeadLetterHead, LetterId};

/// Bytes of a first line: its longest parts are a session's id and the preview.
const HEAD_BYTES_MAX: u64 = 64 * 1024;
/// Names of damaged files that are told: enough to see what is wrong.
const DAMAGED_MAX: usize = 100;
const SUFFIX: &str = ".jsonl";
const UNFINISHED: &str = ".tmp";

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// One writer at a time.
    writing: Mutex<()>,
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct FirstLine {
    head: DeadLetterHead,
    /// Bytes of the second line, without its end: a file that was cut is seen by it.
    bytes: u64,
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) heads: Vec<(DeadLetterHead, u64)>,
    pub(super) damaged: Vec<String>,
    /// The largest number that a file has.
    pub(super) last: u64,
}

impl Folder {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self {
            path,
            writing: Mutex::new(()),
        }
    }

    /// Looks at every letter's first line. A folder that is not there has none.
    pub(super) fn scan(&self) -> Found {
        let mut found = Found::default();
        let entries = match std::fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return found,
            Err(error) => {
                let text = format!("{}: {error}", self.path.display());
                found.damaged.push(text);
                return found;
            }
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(UNFINISHED) {
                // The node ended while it wrote this; the call was not answered then.
                std::fs::remove_file(entry.path()).ok();
                continue;
            }
            let Some(id) = name.strip_suffix(SUFFIX).and_then(|it| it.parse().ok()) else {
                continue;
            };
            let LetterId(number) = id;
            found.last = found.last.max(number);
            match self.head(id) {
                Ok(head) => found.heads.push(head),
                Err(error) if found.damaged.len() < DAMAGED_MAX => {
                    found
                        .damaged
                        .push(format!("{}: {error}", entry.path().display()));
                }
                Err(_) => {}
            }
        }
        found
    }

    fn head(&self, id: LetterId) -> io::Result<(DeadLetterHead, u64)> {
        let file = File::open(self.file(id))?;
        let bytes = file.metadata()?.len();
        let mut line = String::new();
        BufReader::new(file)
            .take(HEAD_BYTES_MAX)
            .read_line(&mut line)?;
        let first: FirstLine = serde_json::from_str(&line).map_err(not_one)?;
        let whole = u64::try_from(line.len()).unwrap_or(u64::MAX) + first.bytes + 1;
        if whole != bytes || first.head.id != id {
            let text = format!("{bytes} bytes where {whole} were written");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok((first.head, bytes))
    }

    /// Writes a letter; it is on the disk when this returns. How many bytes it takes.
    pub(super) fn write(&self, letter: &DeadLetter) -> io::Result<u64> {
        let mut text = serde_json::to_vec(letter)?;
        let first = FirstLine {
            head: letter.head.clone(),
            bytes: u64::try_from(text.len()).unwrap_or(u64::MAX),
        };
        let mut whole = serde_json::to_vec(&first)?;
        whole.push(b'\n');
        whole.append(&mut text);
        whole.push(b'\n');
        let place = self.file(letter.head.id);
        let beside = place.with_extension("jsonl.tmp");
        let _writing = self.writing.lock();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(&whole)?;
        file.sync_all()?;
        std::fs::rename(&beside, &place)?;
        // The name, too, is to be on the disk.
        File::open(&self.path)?.sync_all()?;
        Ok(u64::try_from(whole.len()).unwrap_or(u64::MAX))
    }

    pub(super) fn read(&self, id: LetterId) -> io::Result<DeadLetter> {
        let mut file = BufReader::new(File::open(self.file(id))?);
        let mut line = String::new();
        file.by_ref().take(HEAD_BYTES_MAX).read_line(&mut line)?;
        let first: FirstLine = serde_json::from_str(&line).map_err(not_one)?;
        let mut text = Vec::new();
        file.take(first.bytes).read_to_end(&mut text)?;
        let letter: DeadLetter = serde_json::from_slice(&text).map_err(not_one)?;
        Ok(DeadLetter {
            head: first.head,
            ..letter
        })
    }

    pub(super) fn remove(&self, id: LetterId) -> io::Result<()> {
        let _writing = self.writing.lock();
        match std::fs::remove_file(self.file(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn file(&self, id: LetterId) -> PathBuf {
        self.path.join(format!("{id}{SUFFIX}"))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form of map_err")]
fn not_one(error: serde_json::Error) -> io::Error {
    let text = format!("not a dead letter: {error}");
    io::Error::new(io::ErrorKind::InvalidData, text)
}
