//! Where the node is that the command line speaks of: its configuration and its data directory.

use std::path::{Path, PathBuf};

use synapse_api::Client;

use crate::arguments::PlaceArguments;
use crate::failure::Failure;

/// The default data directory, beside the configuration.
const DATA_DIR: &str = ".synapse";

/// The data directory: the flag's, else the configuration's, else the default beside it.
///
/// A configuration that cannot be read now does not keep anybody from a node that runs.
pub(crate) fn data_dir(place: &PlaceArguments) -> PathBuf {
    if let Some(data_dir) = &place.data_dir {
        return data_dir.clone();
    }
    let beside = || {
        place
            .config
            .file
            .parent()
            .unwrap_or(Path::new(""))
            .join(DATA_DIR)
    };
    synapse_config::load(&place.config.file).map_or_else(
        |_unreadable| beside(),
        |loaded| loaded.configuration.runtime.data_dir,
    )
}

/// A client of the running node.
pub(crate) async fn connect(place: &PlaceArguments) -> Result<Client, Failure> {
    Ok(Client::connect(&data_dir(place)).await?)
}
