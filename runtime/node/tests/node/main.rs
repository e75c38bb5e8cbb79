//! A node with real processes: started by the node with `SYNAPSE_AGENT` set, this program is the
//! agent; started by `cargo test`, it is the tests.
//!
//! Each case has a tokio runtime of its own, and has failed where it leaves a task, a descriptor or
//! a process behind.

mod agent;
mod calls;
mod chaos;
mod crashes;
mod hibernation;
mod leftovers;
mod operators;
mod starts;
mod world;

use std::error::Error;
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use leftovers::Baseline;

/// For one case; each takes well below five seconds where nothing hangs.
const CASE_TIMEOUT: Duration = Duration::from_secs(30);

type Outcome = Result<(), Box<dyn Error>>;
type Case = (&'static str, Pin<Box<dyn Future<Output = Outcome>>>);

/// The cases of a file, by the names of their functions.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        pub(crate) fn all() -> Vec<crate::Case> {
            vec![$((stringify!($case), Box::pin($case()) as _)),*]
        }
    };
}
pub(crate) use cases;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if std::env::var_os("SYNAPSE_AGENT").is_some() {
        return agent::run();
    }
    let filter = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'))
        .unwrap_or_default();
    let rooms = [
        calls::all(),
        crashes::all(),
        hibernation::all(),
        starts::all(),
        operators::all(),
        chaos::all(),
    ];
    // tokio keeps a pipe for signals as long as the process lives.
    drop(runtime()?);
    let mut failed = false;
    for (name, case) in rooms.into_iter().flatten() {
        if name.contains(&filter) {
            failed |= !run(name, case)?;
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

/// Runs one case; whether it passed.
fn run(name: &str, case: Pin<Box<dyn Future<Output = Outcome>>>) -> Result<bool, Box<dyn Error>> {
    let baseline = Baseline::take()?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        tokio::time::timeout(CASE_TIMEOUT, case)
            .await
            .map_err(Box::<dyn Error>::from)
            .flatten()?;
        leftovers::no_tasks().await
    });
    drop(runtime);
    let told = match outcome.and_then(|()| baseline.check()) {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("FAILED: {error}"),
    };
    writeln!(std::io::stdout(), "test {name} ... {told}")?;
    Ok(told == "ok")
}
