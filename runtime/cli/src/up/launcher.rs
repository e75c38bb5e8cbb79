//! From configuration and environment to the way in which agents are started.

use synapse_config::Configuration;
use synapse_environment::Prepared;
use synapse_node::{Launcher, ZygoteSettings};

/// How agents are started with this environment.
pub(crate) fn launcher(configuration: &Configuration, prepared: &Prepared) -> Launcher {
    let (program, args) = prepared.worker_command();
    Launcher {
        program,
        args,
        folder: configuration.folder.clone(),
        path: configuration.python.path.clone(),
        environment: std::env::vars_os().collect(),
        zygote: Some(ZygoteSettings {
            args: prepared.zygote_args(),
            preload: configuration.python.preload.clone(),
        }),
    }
}
