//! The Python package of the runtime, carried inside the binary. It refuses to know what it does.

use std::fs;
use std::path::PathBuf;

use crate::cache::{Cache, failed, remove};
use crate::error::EnvironmentError;

pub(crate) mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// What a worker is started with: like `-m synapse_agent`, but with the package at the END of the
/// path, so that it can shadow nothing of the user's.
const LAUNCHER: &str = r#"import os
import runpy
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))
runpy.run_module("synapse_agent", run_name="__main__", alter_sys=True)
"#;
const LAUNCHER_NAME: &str = "synapse_worker.py";
/// The same for a zygote: `-m synapse_agent.zygote`.
const ZYGOTE_NAME: &str = "synapse_zygote.py";

/// The unpacked package.
#[derive(Clone, Debug)]
pub(crate) struct Sdk {
    pub(crate) folder: PathBuf,
}

impl Sdk {
    /// Unpacks it where that was not done before. The folder appears whole or not at all.
    pub(crate) fn unpack(cache: &Cache) -> Result<Self, EnvironmentError> {
        let (hash, _) = embedded::SDK_HASH.split_at(32);
        let name = format!("sdk-{hash}");
        let folder = cache.path(&name);
        if folder.join(ZYGOTE_NAME).is_file() {
            return Ok(Self { folder });
        }
        cache.create()?;
        let part = cache.temporary(&name);
        remove(&part)?;
        let zygote = LAUNCHER.replace(r#""synapse_agent""#, r#""synapse_agent.zygote""#);
        let launchers = [
            (LAUNCHER_NAME, LAUNCHER.as_bytes()),
            (ZYGOTE_NAME, zygote.as_bytes()),
        ];
        for (name, content) in embedded::SDK_FILES.iter().copied().chain(launchers) {
            let path = part.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(failed("create", parent))?;
            }
            fs::write(&path, content).map_err(failed("write", &path))?;
        }
        match fs::rename(&part, &folder) {
            Ok(()) => Ok(Self { folder }),
            // Another process was faster, with the same content.
            Err(_) if folder.join(ZYGOTE_NAME).is_file() => {
                remove(&part)?;
                Ok(Self { folder })
            }
            Err(error) => Err(failed("rename into place", &folder)(error)),
        }
    }

    /// Whether a start has compiled it for this version of Python; one that was cut off has not.
    pub(crate) fn is_compiled(&self, version: &str) -> bool {
        self.compiled_mark(version).is_file()
    }

    /// Says so to later starts. Where the cache cannot be written to, each of them compiles anew,
    /// and finds little to do.
    pub(crate) fn note_compiled(&self, version: &str) {
        let mark = self.compiled_mark(version);
        if let Err(error) = fs::write(&mark, "") {
            tracing::debug!(mark = %mark.display(), %error, "not noted as compiled");
        }
    }

    fn compiled_mark(&self, version: &str) -> PathBuf {
        self.folder.join(format!(".compiled-{version}"))
    }

    pub(crate) fn launcher(folder: &std::path::Path) -> PathBuf {
        folder.join(LAUNCHER_NAME)
    }

    pub(crate) fn zygote(folder: &std::path::Path) -> PathBuf {
        folder.join(ZYGOTE_NAME)
    }
}
