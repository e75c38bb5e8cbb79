//! The gateway over a real node, with real processes: started by the node with `SYNAPSE_AGENT` set,
//! this program is the agent; started by `cargo test`, it is the tests.

mod agent;
mod cases;
mod setup;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// For one case; each takes well below a second where nothing hangs.
const CASE_TIMEOUT: Duration = Duration::from_secs(60);

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if std::env::var_os("SYNAPSE_AGENT").is_some() {
        return agent::run();
    }
    let filter = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let runtime = tokio::runtime::Runtime::new()?;
    let failed = runtime.block_on(run(filter.as_deref().unwrap_or_default()))?;
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Runs the cases whose names contain `filter`; true where one failed.
async fn run(filter: &str) -> Result<bool, Box<dyn Error>> {
    let mut failed = false;
    for (name, case) in cases::all() {
        if !name.contains(filter) {
            continue;
        }
        let told = match tokio::time::timeout(CASE_TIMEOUT, case).await {
            Ok(Ok(())) => "ok".to_owned(),
            Ok(Err(error)) => format!("FAILED: {error} ({error:?})"),
            Err(elapsed) => format!("FAILED: {elapsed}"),
        };
        failed |= told != "ok";
        writeln!(std::io::stdout(), "test {name} ... {told}")?;
    }
    Ok(failed)
}
