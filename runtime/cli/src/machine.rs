//! supervision.toml read for the system that it is to run on here.

use std::path::Path;

use synapse_config::{ConfigErrors, Loaded, Machine};
use synapse_process::Enforceable;

/// Every mistake at once; what this system cannot enforce is one.
pub(crate) fn load(config: &Path) -> Result<Loaded, ConfigErrors> {
    let Enforceable {
        sees_processes,
        open_files_max,
        cpu_seconds_max,
    } = Enforceable::look();
    let machine = Machine {
        sees_processes,
        open_files_max,
        cpu_seconds_max,
    };
    synapse_config::load_for(config, machine)
}
