//! The runtime's own log: a bounded, rotated file in the data directory, and stderr where there is
//! no console.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use synapse_api::ExitCode;
use synapse_config::{LogFormat, LogLevel, LogSettings};
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::failure::Failure;

/// The log file in the data directory.
const LOG_FILE: &str = "synapse.log";

/// Begins to log. `RUST_LOG` wins over the configured level.
pub(crate) fn begin(data_dir: &Path, settings: LogSettings, stderr: bool) -> Result<(), Failure> {
    let cannot =
        |error: io::Error| Failure::new(format!("cannot log into {}: {error}", data_dir.display()));
    let file = RotatedFile::open(data_dir.join(LOG_FILE), settings).map_err(cannot)?;
    let file = tracing_subscriber::fmt::layer()
        .json()
        .with_writer(file)
        .with_filter(filter(settings)?);
    let console = stderr.then(|| on_stderr(settings)).transpose()?;
    // The only subscriber of this process.
    Registry::default()
        .with(console)
        .with(file)
        .try_init()
        .map_err(|error| cannot(io::Error::other(error)))
}

fn on_stderr(settings: LogSettings) -> Result<Box<dyn Layer<Registry> + Send + Sync>, Failure> {
    let terminal = io::stderr().is_terminal();
    let json = match settings.format {
        Some(format) => format == LogFormat::Json,
        None => !terminal,
    };
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(terminal);
    // A dossier is a wall, and its crash report stands above it: it is in the file.
    let filter = filter(settings)?.and(filter_fn(|record| record.target() != "exit"));
    Ok(if json {
        Box::new(layer.json().with_filter(filter))
    } else {
        Box::new(layer.with_filter(filter))
    })
}

fn filter(settings: LogSettings) -> Result<EnvFilter, Failure> {
    let level = match settings.level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    // Actors' own life is no news to an operator.
    let quiet = "ractor=warn,hyper=warn";
    let configured = format!("{level},{quiet}");
    // An empty variable means what an absent one does.
    let asked = std::env::var_os(EnvFilter::DEFAULT_ENV).filter(|asked| !asked.is_empty());
    let Some(asked) = asked else {
        return Ok(EnvFilter::new(configured));
    };
    let asked = asked.to_string_lossy();
    EnvFilter::try_new(&asked).map_err(|error| {
        Failure::new(format!("RUST_LOG={asked:?} is no filter: {error}"))
            .exit(ExitCode::Usage)
            .help("for example RUST_LOG=info, or RUST_LOG=info,synapse_node=debug")
    })
}

/// A log file that makes room for a new one when it is full: `synapse.log`, `synapse.log.1`, …
#[derive(Clone, Debug)]
struct RotatedFile {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    path: PathBuf,
    file: File,
    bytes: u64,
    settings: LogSettings,
}

impl RotatedFile {
    fn open(path: PathBuf, settings: LogSettings) -> io::Result<Self> {
        let file = append(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self {
            state: Arc::new(Mutex::new(State {
                path,
                file,
                bytes,
                settings,
            })),
        })
    }
}

impl Write for RotatedFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if state.bytes > 0 && state.bytes.saturating_add(length) > state.settings.file_bytes_max {
            // Where there is no room for a new file, the old one goes on: a line more is better
            // than none. It is tried again with the next line.
            state.rotate().ok();
        }
        state.file.write_all(line)?;
        state.bytes = state.bytes.saturating_add(length);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .file
            .flush()
    }
}

impl<'a> MakeWriter<'a> for RotatedFile {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl State {
    fn rotate(&mut self) -> io::Result<()> {
        let numbered = |number: usize| {
            let mut name = self.path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..self.settings.files_max.saturating_sub(1)).rev() {
            // One that is not there need not be moved.
            std::fs::rename(numbered(number), numbered(number + 1)).ok();
        }
        if self.settings.files_max > 1 {
            std::fs::rename(&self.path, numbered(1))?;
        } else {
            std::fs::remove_file(&self.path)?;
        }
        self.file = append(&self.path)?;
        self.bytes = 0;
        Ok(())
    }
}

/// What agents print may be private, and the data directory may be one that others can enter.
fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}
