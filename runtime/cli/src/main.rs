//! The `synapse` binary: glue only. It reads the command line, brings the rooms together, and
//! translates how it ended into an exit code.

mod arguments;
mod bench;
mod check;
mod client;
mod environment;
mod failure;
mod logging;
mod machine;
mod place;
mod up;

use std::process::ExitCode;

use arguments::{Arguments, BenchArguments, Verb};
use failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::read();
    let verb = arguments.verb.unwrap_or(Verb::Up(arguments.up));
    let end = match verb {
        Verb::Up(arguments) => up::guarded(arguments),
        verb => run(verb),
    };
    match end {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            failure.print();
            failure.exit.into()
        }
    }
}

fn run(verb: Verb) -> Result<u8, Failure> {
    match &verb {
        Verb::Check(arguments) => return check::check(arguments),
        Verb::Schema => return check::schema(),
        Verb::Bench(BenchArguments { pin: Some(cpu), .. }) => bench::pin(*cpu)?,
        _ => {}
    }
    block_on(dispatch(verb))
}

/// Begins the async part of the program, with its threads, and ends it.
fn block_on(program: impl Future<Output = Result<u8, Failure>>) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the async runtime: {error}")))?;
    let code = runtime.block_on(program);
    // Tasks of a stopped node have nothing left to do; a blocked one must not hold the exit.
    runtime.shutdown_background();
    code
}

async fn dispatch(verb: Verb) -> Result<u8, Failure> {
    match verb {
        Verb::Sync(arguments) => environment::sync(&arguments).await,
        Verb::Console(arguments) => client::console(&arguments).await,
        Verb::Down(arguments) => client::down(&arguments).await,
        Verb::Status(arguments) => client::status::status(&arguments).await,
        Verb::Tree(arguments) => client::status::tree(&arguments).await,
        Verb::Call(arguments) => client::call::call(*arguments).await,
        Verb::Restart(arguments) => client::act(synapse_api::ActionKind::Restart, &arguments).await,
        Verb::Stop(arguments) => client::act(synapse_api::ActionKind::Stop, &arguments).await,
        Verb::Start(arguments) => client::act(synapse_api::ActionKind::Start, &arguments).await,
        Verb::Kill(arguments) => client::act(synapse_api::ActionKind::Kill, &arguments).await,
        Verb::Logs(arguments) => client::feeds::logs(&arguments).await,
        Verb::Events(arguments) => client::feeds::events(&arguments).await,
        Verb::Stack(arguments) => client::status::stack(&arguments).await,
        Verb::Deadletters(arguments) => client::deadletters::deadletters(&arguments).await,
        Verb::Inspect(arguments) => client::status::inspect(&arguments).await,
        Verb::Bench(arguments) => bench::bench(arguments).await,
        // Done before the runtime was started.
        Verb::Up(_) | Verb::Check(_) | Verb::Schema => Ok(0),
    }
}
