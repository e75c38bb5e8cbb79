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

/// The unpacked package.
#[derive(Clone, Debug)]
pub(crate) struct Sdk {
    pub(crate) folder: PathBuf,
    /// Whether it was unpacked just now, and so is not compiled yet.
    pub(crate) is_new: bool,
}

impl Sdk {
    /// Unpacks it where that was not done before. The folder appears whole or not at all.
    pub(crate) fn unpack(cache: &Cache) -> Result<Self, EnvironmentError> {
        let (hash, _) = embedded::SDK_HASH.split_at(32);
        let name = format!("sdk-{hash}");
        let folder = cache.path(&name);
        if folder.join(LAUNCHER_NAME).is_file() {
            return Ok(Self {
                folder,
                is_new: false,
            });
        }
        cache.create()?;
        let part = cache.temporary(&name);
        remove(&part)?;
        let launcher = (LAUNCHER_NAME, LAUNCHER.as_bytes());
        for (name, content) in embedded::SDK_FILES.iter().copied().chain([launcher]) {
            let path = part.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(failed("create", parent))?;
            }
            fs::write(&path, content).map_err(failed("write", &path))?;
        }
        match fs::rename(&part, &folder) {
            Ok(()) => Ok(Self {
                folder,
                is_new: true,
            }),
            // Another process was faster, with the same content.
            Err(_) if folder.join(LAUNCHER_NAME).is_file() => {
                remove(&part)?;
                Ok(Self {
                    folder,
                    is_new: false,
                })
            }
            Err(error) => Err(failed("rename into place", &folder)(error)),
        }
    }

    pub(crate) fn launcher(folder: &std::path::Path) -> PathBuf {
        folder.join(LAUNCHER_NAME)
    }
}
