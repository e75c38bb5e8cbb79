//! Cases of Elixir's DynamicSupervisor and Supervisor that are about processes.

use std::sync::Arc;

use synapse_core::exit::ExitReason;
use synapse_core::spec::Strategy;
use synapse_core::supervisor::{ChildSpec, DynamicFlags, Reply, Request, RequestError, StartError};
use synapse_node::supervisor::{AgentSupervisor, ChildEvents, ChildReport, SupervisorHandle};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::children::{Below, Manners, QUICK, Stage, flags, spawn, worker};

fn dynamic(stage: &Stage) -> (SupervisorHandle, UnboundedReceiver<ChildReport>) {
    let (up, reports) = ChildEvents::root();
    let (factory, observer) = (Arc::new(stage.clone()), Arc::new(stage.clone()));
    let flags = DynamicFlags::default();
    let spawned = AgentSupervisor::spawn_dynamic("root", flags, 1, factory, observer, up);
    (spawned.unwrap(), reports)
}

async fn is_empty(supervisor: &SupervisorHandle) -> bool {
    supervisor.request(Request::WhichChildren).await == Reply::Children(Vec::new())
}

#[tokio::test(start_paused = true)]
async fn can_be_supervised_directly() {
    let stage = Stage::default();
    stage.nest("dynamic", Below::Dynamic(DynamicFlags::default()));
    let children = vec![ChildSpec::supervisor("dynamic")];
    let (supervisor, _reports) = spawn(&stage, flags(Strategy::OneForOne, 1), children);
    stage.until("up(root)").await;
    let inner = stage.supervisor("dynamic");
    assert!(is_empty(&inner).await);
    let started = inner.request(Request::StartChild(worker("a"))).await;
    assert_eq!(started, Reply::Ok);
    supervisor.stop();
    let trace = stage.until("ended(root: shutdown, Told)").await;
    let order = ["-a1(shutdown)", "ended(root/dynamic: shutdown, Told)"].join(" ");
    assert!(trace.contains(&order), "{trace}");
}

#[tokio::test(start_paused = true)]
async fn multiple_supervisors_can_be_supervised_and_identified() {
    let stage = Stage::default();
    let ids = ["one", "two", "three"];
    for id in ids.into_iter().chain(["late"]) {
        stage.nest(id, Below::Dynamic(DynamicFlags::default()));
    }
    let children = ids.map(ChildSpec::supervisor).into();
    let (supervisor, _reports) = spawn(&stage, flags(Strategy::OneForOne, 1), children);
    stage.until("up(root)").await;
    let start = || Request::StartChild(ChildSpec::supervisor("late"));
    assert_eq!(supervisor.request(start()).await, Reply::Ok);
    for id in ids.into_iter().chain(["late"]) {
        assert!(is_empty(&stage.supervisor(id)).await, "{id}");
    }
    let twice = Reply::Error(RequestError::AlreadyStarted);
    assert_eq!(supervisor.request(start()).await, twice);
}

#[tokio::test(start_paused = true)]
async fn start_link_with_registered_process() {
    let stage = Stage::default();
    let (supervisor, mut reports) = dynamic(&stage);
    assert_eq!(reports.recv().await, Some(ChildReport::Started));
    supervisor.stop();
    supervisor.ended().await;
    let shutdown = ChildReport::Exited(ExitReason::Shutdown(None));
    assert_eq!(reports.recv().await, Some(shutdown));
    assert_eq!(reports.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn start_child_with_throw_error_exit() {
    let stage = Stage::default();
    let (supervisor, _reports) = dynamic(&stage);
    let panics = Manners {
        panics_at_start: true,
        ..QUICK
    };
    stage.manners("a", panics);
    let reason = ExitReason::Internal("as the test wants".to_owned());
    let failed = RequestError::StartFailed(StartError::new(reason));
    let reply = supervisor.request(Request::StartChild(worker("a"))).await;
    assert_eq!(reply, Reply::Error(failed));
    assert!(is_empty(&supervisor).await, "and it lives");
}

/// A supervisor that has ended comes back under its name, with the children of its spec.
#[tokio::test(start_paused = true)]
async fn start_link_2() {
    let stage = Stage::default();
    let inner = Below::Static(flags(Strategy::OneForOne, 1), vec![worker("stack")]);
    stage.nest("inner", inner);
    let children = vec![ChildSpec::supervisor("inner")];
    let (_supervisor, _reports) = spawn(&stage, flags(Strategy::OneForOne, 1), children);
    stage.until("up(root)").await;
    stage.exit("stack", ExitReason::Normal);
    stage.until("+stack2").await;
    stage.supervisor("inner").stop();
    assert_eq!(
        stage.until("up(root/inner)").await,
        "-stack2(shutdown) ended(root/inner: shutdown, Told) \
         report(root child_terminated: inner #1 shut down) +stack1 up(root/inner)"
    );
    assert!(stage.supervisor("inner").snapshot().await.unwrap().is_up);
}
