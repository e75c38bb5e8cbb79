//! The routes of the control API. They know a node, and not how a request reached them.

use std::collections::VecDeque;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use serde::Serialize;
use serde_json::json;
use synapse_api::{ActionAnswer, ActionKind, ActionRequest, EventList, LogList, NoExit, WhichExit};
use synapse_node::NodeHandle;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::closing::Closing;
use crate::convert;
use crate::deadletters;
use crate::limits::{SETTLE_TIMEOUT_DEFAULT, TAIL_DEFAULT, TAIL_MAX, TARGETS_MAX, TIMEOUT_MS_MAX};
use crate::refusal::{Refusal, nearest};
use crate::request::{Parameters, Segment, read_object, timeout};
use crate::runs;
use crate::sse::{self, Outgoing, Source};

/// What every route has.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) node: NodeHandle,
    pub(crate) closing: Closing,
}

/// The routes over this node. Streams end with a farewell when the gateway closes.
pub(crate) fn router(node: NodeHandle, closing: Closing) -> Router {
    let router = table()
        .into_iter()
        .fold(Router::new(), |router, (_verb, path, route)| {
            router.route(path, route)
        });
    with_refusals(router).with_state(Shared { node, closing })
}

/// What is no route is a problem, as every refusal is.
pub(crate) fn with_refusals<S>(router: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    router
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
}

/// Every route, as `docs/control-api.md` has them; a test holds the two together.
fn table() -> [(&'static str, &'static str, MethodRouter<Shared>); 17] {
    use routing::{delete, get, post};
    [
        ("GET", "/v1/status", get(status)),
        ("GET", "/v1/agents/{name}", get(agent)),
        ("GET", "/v1/agents/{name}/exits/{incarnation}", get(exit)),
        ("GET", "/v1/agents/{name}/stacks", get(stacks)),
        ("POST", "/v1/agents/{name}/runs", post(runs::run)),
        ("POST", "/v1/runs/{run}/cancel", post(runs::cancel)),
        ("POST", "/v1/actions/{action}", post(action)),
        ("GET", "/v1/agents/{name}/logs", get(logs)),
        ("GET", "/v1/events", get(events)),
        ("GET", "/v1/sessions/{id}", get(session)),
        ("DELETE", "/v1/sessions/{id}", delete(drop_session)),
        ("GET", "/v1/deadletters", get(deadletters::list)),
        ("DELETE", "/v1/deadletters", delete(deadletters::drop_many)),
        ("GET", "/v1/deadletters/{id}", get(deadletters::show)),
        (
            "POST",
            "/v1/deadletters/{id}/retry",
            post(deadletters::retry),
        ),
        (
            "DELETE",
            "/v1/deadletters/{id}",
            delete(deadletters::drop_one),
        ),
        ("POST", "/v1/shutdown", post(shutdown)),
    ]
}

async fn status(State(shared): State<Shared>, uri: Uri) -> Result<Response, Refusal> {
    let parameters = Parameters::read(&uri, &["wait", "timeout_ms"])?;
    let wait = timeout(parameters.number("timeout_ms", TIMEOUT_MS_MAX)?)?;
    let status = match parameters.flag("wait")? {
        true => {
            shared
                .node
                .wait_settled(wait.unwrap_or(SETTLE_TIMEOUT_DEFAULT))
                .await?
        }
        false => shared.node.status().await,
    };
    Ok(Json(convert::status(status)).into_response())
}

async fn agent(State(shared): State<Shared>, Segment(name): Segment) -> Result<Response, Refusal> {
    let detail = shared.node.inspect(&name).await?;
    let frames = shared.node.frames(&name).await?;
    Ok(Json(convert::detail(detail, frames)).into_response())
}

async fn exit(
    State(shared): State<Shared>,
    Segment((name, incarnation)): Segment<(String, String)>,
) -> Result<Response, Refusal> {
    let which: WhichExit = incarnation
        .parse()
        .map_err(|error: NoExit| Refusal::invalid(error.to_string()))?;
    let exits = shared.node.agent(&name)?.exits;
    let wanted = match which {
        WhichExit::Last => exits.first(),
        WhichExit::Of(incarnation) => exits.iter().find(|exit| exit.incarnation == incarnation),
    };
    let exit = wanted.ok_or_else(|| {
        let kept: Vec<String> = exits
            .iter()
            .map(|exit| format!("#{}", exit.incarnation))
            .collect();
        Refusal::not_found(match kept.as_slice() {
            [] => format!("{name} has not ended yet"),
            kept => format!(
                "no exit of {name} #{which} is kept; those that are: {}",
                kept.join(", ")
            ),
        })
    })?;
    Ok(Json(convert::dossier(exit)).into_response())
}

async fn stacks(
    State(shared): State<Shared>,
    Segment(name): Segment,
    uri: Uri,
) -> Result<Response, Refusal> {
    let parameters = Parameters::read(&uri, &["replica"])?;
    let replica = parameters.number("replica", u32::MAX.into())?;
    let replica = replica.map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    let stacks = shared.node.stacks(&name, replica).await?;
    Ok(Json(convert::stacks(&name, stacks)).into_response())
}

async fn action(
    State(shared): State<Shared>,
    Segment(verb): Segment,
    body: Body,
) -> Result<Response, Refusal> {
    let verbs = ActionKind::ALL.map(ActionKind::as_str);
    let kind = ActionKind::parse(&verb).ok_or_else(|| {
        Refusal::not_found(format!("there is no action {verb:?}"))
            .with_nearest(nearest(&verb, verbs))
    })?;
    let request: ActionRequest = read_object(body, &["targets"]).await?;
    if !(1..=TARGETS_MAX).contains(&request.targets.len()) {
        return Err(Refusal::invalid(format!(
            "targets is a list of 1 to {TARGETS_MAX} names"
        )));
    }
    let results = act(&shared.node, kind, &request.targets).await?;
    let results = results.into_iter().map(convert::outcome).collect();
    Ok(Json(ActionAnswer { results }).into_response())
}

async fn act(
    node: &NodeHandle,
    kind: ActionKind,
    targets: &[String],
) -> Result<Vec<synapse_node::ActionOutcome>, synapse_core::fault::Fault> {
    match kind {
        ActionKind::Restart => node.restart(targets).await,
        ActionKind::Stop => node.stop(targets).await,
        ActionKind::Start => node.start(targets).await,
        ActionKind::Kill => node.kill(targets),
    }
}

async fn logs(
    State(shared): State<Shared>,
    Segment(name): Segment,
    uri: Uri,
) -> Result<Response, Refusal> {
    let parameters = Parameters::read(&uri, &["previous", "tail", "follow"])?;
    let previous = parameters.flag("previous")?;
    let (past, coming) = shared.node.logs(&name, previous, tail(&parameters)?)?;
    let past: Vec<_> = past.into_iter().map(convert::log_line).collect();
    if !parameters.flag("follow")? {
        return Ok(Json(LogList { lines: past }).into_response());
    }
    let source = Follow {
        name: "log",
        past: past.into(),
        coming,
        convert: convert::log_line,
    };
    Ok(sse::respond(source, shared.closing))
}

async fn events(State(shared): State<Shared>, uri: Uri) -> Result<Response, Refusal> {
    let parameters = Parameters::read(&uri, &["tail", "follow"])?;
    let (past, coming) = shared.node.events(tail(&parameters)?);
    let past: Vec<_> = past.into_iter().map(convert::node_event).collect();
    if !parameters.flag("follow")? {
        return Ok(Json(EventList { events: past }).into_response());
    }
    let source = Follow {
        name: "event",
        past: past.into(),
        coming,
        convert: convert::node_event,
    };
    Ok(sse::respond(source, shared.closing))
}

fn tail(parameters: &Parameters) -> Result<usize, Refusal> {
    let max = u64::try_from(TAIL_MAX).unwrap_or(u64::MAX);
    let given = parameters.number("tail", max)?;
    Ok(given
        .and_then(|lines| usize::try_from(lines).ok())
        .unwrap_or(TAIL_DEFAULT))
}

/// What was, and then what comes. A reader too slow for what comes loses some of it: the node never
/// waits for a reader.
struct Follow<From, To> {
    name: &'static str,
    past: VecDeque<To>,
    coming: Receiver<From>,
    convert: fn(From) -> To,
}

impl<From, To> Source for Follow<From, To>
where
    From: Clone + Send + 'static,
    To: Serialize + Send + Sync + 'static,
{
    async fn next(&mut self) -> Option<Outgoing> {
        let item = match self.past.pop_front() {
            Some(item) => item,
            None => (self.convert)(receive(&mut self.coming).await?),
        };
        // Strings and numbers under string keys: writing them cannot fail.
        let data = serde_json::to_string(&item).ok()?;
        Some(Outgoing {
            name: self.name.to_owned(),
            id: None,
            data,
        })
    }
}

/// The next item that is still there; `None` when there is no sender any more.
async fn receive<T: Clone>(coming: &mut Receiver<T>) -> Option<T> {
    loop {
        match coming.recv().await {
            Ok(item) => return Some(item),
            Err(RecvError::Lagged(lost)) => {
                tracing::debug!(lost, "a follower is too slow and loses what it missed");
            }
            Err(RecvError::Closed) => return None,
        }
    }
}

async fn session(State(shared): State<Shared>, Segment(id): Segment) -> Result<Response, Refusal> {
    let view = shared.node.session(&id).ok_or_else(|| no_session(&id))?;
    Ok(Json(convert::session(view)).into_response())
}

async fn drop_session(
    State(shared): State<Shared>,
    Segment(id): Segment,
) -> Result<Response, Refusal> {
    match shared.node.drop_session(&id) {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(no_session(&id)),
    }
}

fn no_session(id: &str) -> Refusal {
    Refusal::not_found(format!("there is no conversation {id:?}"))
}

async fn shutdown(State(shared): State<Shared>) -> Response {
    shared.node.shutdown();
    (StatusCode::ACCEPTED, Json(json!({}))).into_response()
}

async fn unknown_route(method: Method, uri: Uri) -> Refusal {
    Refusal::not_found(format!("there is no route {method} {}", uri.path()))
}

async fn unknown_method(method: Method, uri: Uri) -> Refusal {
    Refusal::invalid(format!("{} does not take {method}", uri.path()))
        .with_status(StatusCode::METHOD_NOT_ALLOWED)
}

#[cfg(test)]
mod tests {
    use synapse_api::Fault;
    use synapse_core::fault::FaultCode;
    use synapse_node::EventKind;

    use super::*;

    fn reference() -> String {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(root.join("../../docs/control-api.md")).unwrap()
    }

    #[test]
    fn the_documented_routes_are_the_served_ones() {
        let text = reference();
        let documented: Vec<(&str, &str)> = text
            .lines()
            .filter_map(|line| {
                line.strip_prefix("### `")?
                    .strip_suffix('`')?
                    .split_once(' ')
            })
            .collect();
        let served: Vec<_> = table()
            .into_iter()
            .map(|(verb, path, _route)| (verb, path))
            .collect();
        assert_eq!(documented, served);
    }

    #[test]
    fn every_fault_of_the_catalogue_is_documented_with_its_origin() {
        let text = reference();
        for code in FaultCode::ALL {
            let fault = convert::fault(synapse_core::fault::Fault::new(code, ""));
            let row = format!("| `{}` | {} | ", fault.code, fault.origin);
            assert!(text.contains(&row), "no row {row}");
            assert_ne!(
                fault.title(),
                Fault::new("unknown", "", "").title(),
                "{code}"
            );
        }
    }

    #[test]
    fn every_kind_of_event_is_documented() {
        let text = reference();
        for kind in [
            EventKind::NodeStarted,
            EventKind::NodeStopping,
            EventKind::AgentStarting,
            EventKind::AgentReady,
            EventKind::AgentUnresponsive,
            EventKind::AgentRecovered,
            EventKind::AgentExited,
            EventKind::AgentRestarting,
            EventKind::AgentDown,
            EventKind::Operator,
            EventKind::SupervisorGaveUp,
            EventKind::DeadLetter,
            EventKind::CrashReport,
        ] {
            assert!(
                text.contains(&format!("| `{}` | ", kind.as_str())),
                "{kind:?}"
            );
        }
    }
}
