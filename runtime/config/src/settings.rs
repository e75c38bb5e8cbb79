//! `[runtime]`: its defaults, and the folder that it names.

use synapse_core::name::Name;

use crate::configuration::{ControlGroups, LogLevel, LogSettings, RuntimeSettings, SessionLimits};
use crate::element::{Size, Whole};
use crate::folder::Folder;
use crate::raw::RawRuntime;

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
        cgroup: raw.cgroup.or(ControlGroups::Auto),
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
