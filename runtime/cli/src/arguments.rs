//! The command line. Every flag has a `SYNAPSE_` variable; what is given wins over any variable.

mod given;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};
use serde_json::{Map, Value};
use synapse_api::{StackTarget, WhichExit};

/// Runs Python AI agents the way OTP runs processes. No verb means `up`.
#[derive(Debug, Parser)]
#[command(
    name = "synapse",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
#[command(
    after_help = "Exit codes: 0 done, 1 agent failed, 2 usage, 65 wrong input or name, \
    69 no node or no Python environment, 70 the tree gave up, 75 try again, 78 configuration, \
    124 deadline, 130 cancelled."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
    #[command(flatten)]
    pub(crate) up: UpArguments,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start the tree of supervision.toml, with a console
    #[command(visible_alias = "run")]
    Up(UpArguments),
    /// Check supervision.toml: every mistake at once, and what may surprise
    Check(CheckArguments),
    /// Build the Python environment alone
    Sync(SyncArguments),
    /// Print the JSON Schema of supervision.toml
    Schema,
    /// Attach a console to the running node
    Console(PlaceArguments),
    /// Stop the running node
    Down(DownArguments),
    /// Show agents and supervisors
    #[command(visible_alias = "ps")]
    Status(StatusArguments),
    /// Show the supervision tree
    Tree(TreeArguments),
    /// Show everything that is known of one agent
    Inspect(InspectArguments),
    /// Show where an agent's Python threads stand now, also while they are blocked
    Stack(StackArguments),
    /// Call an agent and print its answer
    Call(Box<CallArguments>),
    /// Stop and start agents (names, globs, or a supervisor for its subtree)
    Restart(TargetArguments),
    /// Stop agents until they are started again
    Stop(TargetArguments),
    /// Start agents that are stopped or failed
    Start(TargetArguments),
    /// Send SIGKILL to agents' processes, to see them come back
    Kill(TargetArguments),
    /// Print an agent's log
    Logs(LogArguments),
    /// Print what happened in the node
    Events(EventArguments),
    /// List the calls that have killed their agent too often, show one, retry or drop it
    #[command(visible_alias = "dlq")]
    Deadletters(LetterArguments),
    /// Measure what the runtime adds to an agent, beside the floor of the same run
    Bench(BenchArguments),
}

/// Which configuration.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConfigArguments {
    /// The configuration
    #[arg(
        id = "config",
        long,
        value_name = "FILE",
        env = "SYNAPSE_CONFIG",
        default_value = "supervision.toml"
    )]
    pub(crate) file: PathBuf,
}

/// For people or for programs.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OutputArguments {
    /// Print JSON (what comes in pieces: JSON lines)
    #[arg(long, env = "SYNAPSE_JSON", value_parser = truth())]
    pub(crate) json: bool,
}

/// Which node, and where.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PlaceArguments {
    #[command(flatten)]
    pub(crate) config: ConfigArguments,
    /// Where the node keeps its socket and logs [default: .synapse beside the configuration]
    #[arg(long, value_name = "DIR", env = "SYNAPSE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// `up`.
#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// Run without a console, until a signal or `synapse down`
    #[arg(long, env = "SYNAPSE_NO_CONSOLE", value_parser = truth())]
    pub(crate) no_console: bool,
    /// Never install: fail where the Python environment is not there
    #[arg(long, env = "SYNAPSE_FROZEN", value_parser = truth())]
    pub(crate) frozen: bool,
}

/// `check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) config: ConfigArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// `sync`.
#[derive(Debug, Args)]
pub(crate) struct SyncArguments {
    #[command(flatten)]
    pub(crate) config: ConfigArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// `down`.
#[derive(Debug, Args)]
pub(crate) struct DownArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// How long to wait for the node's end
    #[arg(long, value_name = "TIME", env = "SYNAPSE_TIMEOUT", default_value = "60s", value_parser = duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// `tree`.
#[derive(Debug, Args)]
pub(crate) struct TreeArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// Wait until every agent is ready or down for good
    #[arg(long, env = "SYNAPSE_WAIT", value_parser = truth())]
    pub(crate) wait: bool,
    /// How long to wait
    #[arg(long, value_name = "TIME", env = "SYNAPSE_TIMEOUT", default_value = "60s", value_parser = duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// `inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// The agent
    pub(crate) agent: String,
    /// All that is known of one end of it: of this incarnation, or `last`
    #[arg(long, value_name = "N", env = "SYNAPSE_EXIT")]
    pub(crate) exit: Option<WhichExit>,
    /// Also the frames that passed last, all that are kept
    #[arg(long, env = "SYNAPSE_FRAMES", value_parser = truth())]
    pub(crate) frames: bool,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// `stack`.
#[derive(Debug, Args)]
pub(crate) struct StackArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// The agent; one of its replicas alone by its number from 0
    #[arg(value_name = "AGENT[/REPLICA]")]
    pub(crate) target: StackTarget,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// `restart`, `stop`, `start`, `kill`.
#[derive(Debug, Args)]
pub(crate) struct TargetArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// Agents: names, globs, or a supervisor for its subtree
    #[arg(required = true, value_name = "AGENT")]
    pub(crate) targets: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// `logs`.
#[derive(Debug, Args)]
pub(crate) struct LogArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// The agent
    pub(crate) agent: String,
    /// Go on with lines as they come
    #[arg(short, long, env = "SYNAPSE_FOLLOW", value_parser = truth())]
    pub(crate) follow: bool,
    /// The log of the incarnation before
    #[arg(long, env = "SYNAPSE_PREVIOUS", value_parser = truth())]
    pub(crate) previous: bool,
    /// The last so many lines
    #[arg(long, value_name = "N", env = "SYNAPSE_TAIL")]
    pub(crate) tail: Option<usize>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// `events`.
#[derive(Debug, Args)]
pub(crate) struct EventArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// Go on with events as they come
    #[arg(short, long, env = "SYNAPSE_FOLLOW", value_parser = truth())]
    pub(crate) follow: bool,
    /// The last so many events
    #[arg(long, value_name = "N", env = "SYNAPSE_TAIL")]
    pub(crate) tail: Option<usize>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// `deadletters`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, flatten_help = true)]
pub(crate) struct LetterArguments {
    #[command(subcommand)]
    pub(crate) verb: Option<LetterVerb>,
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// Only those of this agent
    pub(crate) agent: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// What is done with a dead letter.
#[derive(Debug, Subcommand)]
pub(crate) enum LetterVerb {
    /// Show everything that is known of one
    Show(LetterId),
    /// Make its call again, alone in the agent's process; a result ends the letter
    Retry(LetterId),
    /// Forget one, or all: its call is as any other again
    Drop(DropArguments),
}

/// One dead letter.
#[derive(Debug, Args)]
pub(crate) struct LetterId {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// The letter, such as d-3
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// `deadletters drop`.
#[derive(Debug, Args)]
pub(crate) struct DropArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// The letter, such as d-3
    #[arg(required_unless_present = "all")]
    pub(crate) id: Option<String>,
    /// Every letter
    #[arg(long, conflicts_with = "id", env = "SYNAPSE_ALL", value_parser = truth())]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// `call`.
#[derive(Debug, Args)]
pub(crate) struct CallArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// The agent
    pub(crate) agent: String,
    /// The prompt; `-` or nothing reads standard input
    pub(crate) prompt: Option<String>,
    /// Continue (or begin) the conversation of this id
    #[arg(long, value_name = "ID", env = "SYNAPSE_SESSION")]
    pub(crate) session: Option<String>,
    /// Dependencies as JSON
    #[arg(long, value_name = "JSON", env = "SYNAPSE_DEPS", value_parser = json)]
    pub(crate) deps: Option<Value>,
    /// The input as JSON, in place of a prompt
    #[arg(long, value_name = "JSON", env = "SYNAPSE_INPUT", value_parser = json)]
    pub(crate) input: Option<Value>,
    /// A file with the messages before this call, a JSON list
    #[arg(long, value_name = "FILE", env = "SYNAPSE_HISTORY")]
    pub(crate) history: Option<PathBuf>,
    /// Another model for this call
    #[arg(long, value_name = "M", env = "SYNAPSE_MODEL")]
    pub(crate) model: Option<String>,
    /// Model settings for this call, a JSON object
    #[arg(long, value_name = "JSON", env = "SYNAPSE_SETTINGS", value_parser = object)]
    pub(crate) settings: Option<Map<String, Value>>,
    /// Instructions for this call
    #[arg(long, value_name = "TEXT", env = "SYNAPSE_INSTRUCTIONS")]
    pub(crate) instructions: Option<String>,
    /// Print the answer as it comes
    #[arg(long, env = "SYNAPSE_STREAM", value_parser = truth())]
    pub(crate) stream: bool,
    /// The longest that queue and run may take [default: the agent's call_timeout]
    #[arg(long, value_name = "TIME", env = "SYNAPSE_TIMEOUT", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    #[command(flatten)]
    pub(crate) config: ConfigArguments,
    /// The agent; it is run alone, by a node of its own
    pub(crate) agent: String,
    /// Calls to make in all
    #[arg(
        long,
        value_name = "N",
        env = "SYNAPSE_CALLS",
        default_value_t = 10_000,
        value_parser = from_one_to(CALLS_MAX)
    )]
    pub(crate) calls: usize,
    /// Calls under way at the same time
    #[arg(long, value_name = "K", env = "SYNAPSE_IN_FLIGHT", default_value_t = 1, value_parser = from_one_to(IN_FLIGHT_MAX))]
    pub(crate) in_flight: usize,
    /// Bytes of the prompt
    #[arg(long, value_name = "B", env = "SYNAPSE_BYTES", default_value_t = 100)]
    pub(crate) bytes: usize,
    /// Measure streams: the prompt is this number, and the agent streams as many chunks
    #[arg(long, value_name = "C", env = "SYNAPSE_CHUNKS")]
    pub(crate) chunks: Option<usize>,
    /// Measure beside these agents, which are called all the time, in place of the floor: what a
    /// neighbour's trouble costs
    #[arg(
        long,
        value_name = "AGENT",
        env = "SYNAPSE_BESIDE",
        value_delimiter = ','
    )]
    pub(crate) beside: Vec<String>,
    /// Measure starts: of one agent, and of N at once, beside fresh interpreters
    #[arg(long, value_name = "N", env = "SYNAPSE_SPAWN", conflicts_with_all = ["chunks", "beside"], value_parser = from_one_to(SPAWN_MAX))]
    pub(crate) spawn: Option<usize>,
    /// Measure restarts: from killing the agent to its next answer, R times
    #[arg(long, value_name = "R", env = "SYNAPSE_RESTARTS", conflicts_with_all = ["chunks", "beside"], value_parser = from_one_to(RESTARTS_MAX))]
    pub(crate) restarts: Option<usize>,
    /// Run everything on this processor
    #[arg(long, value_name = "CPU", env = "SYNAPSE_PIN")]
    pub(crate) pin: Option<usize>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// Of a flag's variable.
fn truth() -> fn(&str) -> Result<bool, String> {
    |text| match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("wanted is 1, true, yes, on, or 0, false, no, off".to_owned()),
    }
}

/// Calls of a bench: days of them.
const CALLS_MAX: u64 = 10_000_000_000;
/// Calls of a bench at once: what the largest mailbox holds.
const IN_FLIGHT_MAX: u64 = 1_000_000;
/// Agents that a bench starts at once: what a large machine holds.
const SPAWN_MAX: u64 = 1_000;
/// Deaths that a bench causes: the supervisor remembers each for a while.
const RESTARTS_MAX: u64 = 5_000;

fn from_one_to(max: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=max)
}

fn duration(text: &str) -> Result<Duration, String> {
    synapse_config::parse_duration(text).map(Duration::from)
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    match json(text)? {
        Value::Object(object) => Ok(object),
        other => Err(format!("a JSON object is wanted, this is {other}")),
    }
}
