//! From configuration and environments to the way in which agents are started.

use synapse_config::Configuration;
use synapse_environment::Prepared;
use synapse_node::{Launcher, PythonEnvironment, ZygoteSettings};

use crate::environment::Environments;

/// How agents are started in these environments.
pub(crate) fn launcher(configuration: &Configuration, environments: &Environments) -> Launcher {
    let settings = &configuration.python;
    let pythons = settings.agents.iter().map(|(name, own)| {
        let prepared = &environments.of(name).prepared;
        (name.to_string(), python(prepared, &own.preload))
    });
    Launcher {
        python: python(&environments.base.prepared, &settings.preload),
        pythons: pythons.collect(),
        folder: configuration.folder.clone(),
        path: settings.path.clone(),
        environment: std::env::vars_os().collect(),
    }
}

/// One of them, with what is imported ahead.
pub(super) fn python(prepared: &Prepared, preload: &[String]) -> PythonEnvironment {
    let (program, args) = prepared.worker_command();
    PythonEnvironment {
        program,
        args,
        zygote: Some(ZygoteSettings {
            args: prepared.zygote_args(),
            preload: preload.to_vec(),
        }),
    }
}
