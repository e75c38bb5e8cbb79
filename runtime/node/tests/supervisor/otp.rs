//! Cases of OTP's supervisor suite that are about processes, messages and callers.

use std::sync::Arc;
use std::time::Duration;

use synapse_core::exit::ExitReason;
use synapse_core::spec::{Restart, Shutdown, Strategy};
use synapse_core::supervisor::{
    ChildId, ChildSpec, DynamicFlags, Flags, Reply, Request, RequestError, StartError,
};
use synapse_core::time::Millis;
use synapse_node::supervisor::{
    AgentSupervisor, ChildEvents, ChildFactory, ChildHandle, ChildReport, ChildStart, SpawnError,
    SupervisorHandle, SupervisorSettings,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::children::{
    Below, HANGS, Manners, PATIENCE, QUICK, STUBBORN, Stage, crash, flags, spawn, worker,
};

const ONE: Strategy = Strategy::OneForOne;

fn workers(ids: &str) -> Vec<ChildSpec> {
    ids.split(' ').map(worker).collect()
}

fn ending(id: &str, shutdown: Shutdown) -> ChildSpec {
    ChildSpec {
        shutdown,
        ..worker(id)
    }
}

fn second() -> Shutdown {
    Shutdown::Timeout(Millis(1000))
}

/// `a:Up b:Down`, in start order.
async fn states(supervisor: &SupervisorHandle) -> String {
    let snapshot = supervisor.snapshot().await.unwrap();
    let lines = snapshot.children.iter();
    let lines = lines.map(|child| format!("{}:{:?}", child.id, child.state));
    lines.collect::<Vec<_>>().join(" ")
}

#[tokio::test(start_paused = true)]
async fn sup_start_ignore_init() {
    // A supervisor that is not needed: its parent keeps the spec, and hears of no end.
    let stage = Stage::default();
    let ignores = Manners {
        ignores: true,
        ..QUICK
    };
    stage.manners("inner", ignores);
    let children = vec![ChildSpec::supervisor("inner"), worker("b")];
    let (supervisor, mut reports) = spawn(&stage, flags(ONE, 0), children);
    assert_eq!(stage.until("up(root)").await, "+b1 up(root)");
    assert_eq!(states(&supervisor).await, "inner:Down b:Up");
    let again = supervisor.request(Request::RestartChild("inner".into()));
    assert_eq!(again.await, Reply::Ignored);
    assert_eq!(reports.recv().await, Some(ChildReport::Started));
    assert!(reports.try_recv().is_err(), "and no exit");
}

#[tokio::test(start_paused = true)]
async fn sup_start_error_return() {
    let stage = Stage::default();
    let (up, mut reports) = ChildEvents::root();
    let settings = SupervisorSettings {
        path: "root".to_owned(),
        flags: Flags::default(),
        children: workers("a a"),
        seed: 1,
    };
    let (factory, observer) = (Arc::new(stage.clone()), Arc::new(stage.clone()));
    let spawned = AgentSupervisor::spawn(settings, factory, observer, up);
    assert!(matches!(spawned, Err(SpawnError::Spec(_))), "{spawned:?}");
    let said = reports.recv().await;
    assert!(
        matches!(&said, Some(ChildReport::StartFailed(error))
            if error.to_string().contains("duplicate_child_name: a")),
        "{said:?}"
    );
    assert_eq!(reports.recv().await, None, "once, and no exit");
    assert!(stage.take().is_empty(), "nothing was started");
}

#[tokio::test(start_paused = true)]
async fn sup_start_fail() {
    // What starts the supervisor panics: an error with its reason, and no exit.
    let stage = Stage::default();
    let panics = Manners {
        panics_at_start: true,
        ..QUICK
    };
    stage.manners("inner", panics);
    let children = vec![worker("a"), ChildSpec::supervisor("inner")];
    let (_supervisor, mut reports) = spawn(&stage, flags(ONE, 1), children);
    let Some(ChildReport::StartFailed(error)) = reports.recv().await else {
        panic!("it came up");
    };
    assert_eq!(error.path, [ChildId::from("inner")]);
    let reason = ExitReason::Internal("as the test wants".to_owned());
    assert_eq!(error.reason, reason);
    assert_eq!(reports.recv().await, None, "once, and no exit");
}

#[tokio::test(start_paused = true)]
async fn a_start_that_panics_is_an_error_and_the_supervisor_lives() {
    let stage = Stage::default();
    let (supervisor, _reports) = spawn(&stage, flags(ONE, 1), workers("a"));
    let panics = Manners {
        panics_at_start: true,
        ..QUICK
    };
    stage.manners("b", panics);
    let reason = ExitReason::Internal("as the test wants".to_owned());
    let failed = Reply::Error(RequestError::StartFailed(StartError::new(reason)));
    let started = supervisor.request(Request::StartChild(worker("b")));
    assert_eq!(started.await, failed);
    assert_eq!(states(&supervisor).await, "a:Up");
    // Also in a restart: tried again until it is too much, as any start that fails.
    stage.manners("a", panics);
    stage.until("up(root)").await;
    stage.exit("a", crash());
    let trace = stage.until("ended(root: shutdown, GaveUp)").await;
    let report = "report(root start_error: a #2 internal error: as the test wants)";
    assert!(trace.contains(report), "{trace}");
}

#[tokio::test(start_paused = true)]
async fn faulty_application_shutdown() {
    // The root cause and the way to it reach whoever started the tree.
    let stage = Stage::default();
    let fails = Manners {
        fails_from: Some(1),
        ..QUICK
    };
    stage.manners("server", fails);
    let inner = Below::Static(Flags::default(), workers("first server never"));
    stage.nest("app", inner);
    let children = vec![worker("a"), ChildSpec::supervisor("app")];
    let (_supervisor, mut reports) = spawn(&stage, flags(ONE, 1), children);
    let Some(ChildReport::StartFailed(error)) = reports.recv().await else {
        panic!("it came up");
    };
    assert_eq!(error.to_string(), "app: server: failed to start: boom");
    let trace = stage.take().join(" ");
    assert!(
        trace.contains("-first1(shutdown)") && trace.contains("-a1(shutdown)"),
        "{trace}"
    );
}

#[tokio::test(start_paused = true)]
async fn sup_stop_manual() {
    let stage = Stage::default();
    stage.manners("c", STUBBORN);
    let children = vec![
        ending("a", Shutdown::BrutalKill),
        ending("b", second()),
        ending("c", second()),
    ];
    let (supervisor, _reports) = spawn(&stage, flags(ONE, 1), children);
    stage.until("up(root)").await;
    supervisor.stop();
    supervisor.ended().await;
    let trace = stage.take().join(" ");
    for end in ["-c1(killed)", "-b1(shutdown)", "-a1(killed)"] {
        assert!(trace.contains(end), "{trace}");
    }
}

#[tokio::test(start_paused = true)]
async fn sup_stop_manual_timeout() {
    // Whoever waits for the end may give up: the supervisor goes on.
    let stage = Stage::default();
    let slow = Manners {
        stop: Some(Duration::from_secs(1)),
        ..QUICK
    };
    stage.manners("a", slow);
    let (supervisor, mut reports) = spawn(&stage, flags(ONE, 1), workers("a b"));
    stage.until("up(root)").await;
    supervisor.stop();
    let gave_up = timeout(Duration::from_millis(100), supervisor.ended()).await;
    assert!(gave_up.is_err());
    assert_eq!(
        stage.until("ended(root: shutdown, Told)").await,
        "-b1(shutdown) -a1(shutdown) ended(root: shutdown, Told)"
    );
    assert_eq!(reports.recv().await, Some(ChildReport::Started));
    let shutdown = ChildReport::Exited(ExitReason::Shutdown(None));
    assert_eq!(reports.recv().await, Some(shutdown));
}

#[tokio::test(start_paused = true)]
async fn who_asks_a_supervisor_that_is_gone_hears_so_at_once() {
    // OTP's `noproc`, the rest of `child_adm`.
    let stage = Stage::default();
    let (supervisor, _reports) = spawn(&stage, flags(ONE, 1), workers("a"));
    stage.until("up(root)").await;
    supervisor.stop();
    supervisor.ended().await;
    for request in [
        Request::StartChild(worker("b")),
        Request::TerminateChild("a".into()),
        Request::RestartChild("a".into()),
        Request::DeleteChild("a".into()),
        Request::WhichChildren,
        Request::CountChildren,
    ] {
        let gone = Reply::Error(RequestError::ShuttingDown);
        assert_eq!(supervisor.request(request).await, gone);
    }
}

/// Begins children on a stage, and tells whoever asked something besides.
struct Telling {
    stage: Stage,
    told: mpsc::UnboundedSender<String>,
}

impl ChildFactory for Telling {
    fn start(&self, start: ChildStart, events: ChildEvents) -> Box<dyn ChildHandle> {
        let extra = format!("extra of {} {}", start.child, start.incarnation);
        self.told.send(extra).unwrap();
        self.stage.start(start, events)
    }
}

/// A child's start gives its caller more than that it is up (`{ok, Pid, Info}`): here by a
/// channel of theirs, past the supervisor, which never sees it.
#[tokio::test(start_paused = true)]
async fn extra_return() {
    let stage = Stage::default();
    let (told, mut extra) = mpsc::unbounded_channel();
    let factory = Arc::new(Telling {
        stage: stage.clone(),
        told,
    });
    let (up, _reports) = ChildEvents::root();
    let settings = SupervisorSettings {
        path: "root".to_owned(),
        flags: flags(ONE, 2),
        children: workers("a"),
        seed: 1,
    };
    let observer = Arc::new(stage.clone());
    let supervisor = AgentSupervisor::spawn(settings, factory, observer, up).unwrap();
    stage.until("up(root)").await;
    let a = || "a".into();
    let ask = |request| supervisor.request(request);
    assert_eq!(extra.recv().await.unwrap(), "extra of a 1");
    for request in [
        Request::TerminateChild,
        Request::DeleteChild,
        Request::RestartChild,
    ] {
        let nobody = Reply::Error(RequestError::NotFound);
        assert_eq!(ask(request("nobody".into())).await, nobody);
    }
    let running = || Reply::Error(RequestError::Running);
    assert_eq!(ask(Request::DeleteChild(a())).await, running());
    assert_eq!(ask(Request::RestartChild(a())).await, running());
    assert_eq!(ask(Request::TerminateChild(a())).await, Reply::Ok);
    assert_eq!(states(&supervisor).await, "a:Down");
    assert_eq!(ask(Request::RestartChild(a())).await, Reply::Ok);
    assert_eq!(extra.try_recv().unwrap(), "extra of a 2", "with the answer");
    assert_eq!(states(&supervisor).await, "a:Up");
    for _ in 0..2 {
        assert_eq!(ask(Request::TerminateChild(a())).await, Reply::Ok);
    }
    assert_eq!(ask(Request::DeleteChild(a())).await, Reply::Ok);
    assert_eq!(states(&supervisor).await, "");
    assert_eq!(ask(Request::StartChild(worker("a"))).await, Reply::Ok);
    assert_eq!(extra.try_recv().unwrap(), "extra of a 1");
    stage.take();
    stage.exit("a", crash());
    stage.until("+a2").await;
    assert_eq!(
        extra.try_recv().unwrap(),
        "extra of a 2",
        "an automatic restart"
    );
    assert_eq!(states(&supervisor).await, "a:Up");
}

#[tokio::test(start_paused = true)]
async fn simple_one_for_one_extra() {
    let stage = Stage::default();
    let (told, mut extra) = mpsc::unbounded_channel();
    let factory = Arc::new(Telling {
        stage: stage.clone(),
        told,
    });
    let (up, mut reports) = ChildEvents::root();
    let flags = DynamicFlags {
        intensity: 2,
        template: Some(worker("template")),
        ..DynamicFlags::default()
    };
    let observer = Arc::new(stage.clone());
    let spawned = AgentSupervisor::spawn_dynamic("root", flags, 1, factory, observer, up);
    let supervisor = spawned.unwrap();
    for id in ["a", "b"] {
        let started = supervisor.request(Request::StartChild(worker(id))).await;
        assert_eq!(started, Reply::Ok);
        assert_eq!(extra.try_recv().unwrap(), format!("extra of {id} 1"));
    }
    stage.exit("a", crash());
    stage.until("+a2").await;
    assert_eq!(extra.try_recv().unwrap(), "extra of a 2");
    assert_eq!(states(&supervisor).await, "b:Up a:Up");
    stage.exit("b", crash());
    stage.until("+b2").await;
    stage.exit("b", crash());
    assert_eq!(reports.recv().await, Some(ChildReport::Started));
    let shutdown = ChildReport::Exited(ExitReason::Shutdown(None));
    assert_eq!(reports.recv().await, Some(shutdown));
}

#[tokio::test(start_paused = true)]
async fn external_start_no_progress_log() {
    // Who asks for a start has the answer: nothing is reported. A restart of its own accord is.
    let stage = Stage::default();
    let (supervisor, _reports) = spawn(&stage, flags(ONE, 2), Vec::new());
    stage.until("up(root)").await;
    let started = supervisor.request(Request::StartChild(worker("a"))).await;
    assert_eq!(started, Reply::Ok);
    assert_eq!(stage.take(), ["+a1"]);
    stage.exit("a", ExitReason::Normal);
    assert_eq!(
        stage.until("+a2").await,
        "-a1(normal) report(root child_terminated: a #1 finished) +a2"
    );
}

#[tokio::test(start_paused = true)]
async fn child_unlink() {
    // A child that cut itself loose and obeys nobody cannot hang its supervisor.
    let stage = Stage::default();
    let naughty = Manners {
        unlinks: true,
        ..QUICK
    };
    stage.manners("naughty", naughty);
    let children = vec![worker("a"), ending("naughty", second())];
    let (supervisor, _reports) = spawn(&stage, flags(ONE, 1), children);
    stage.until("up(root)").await;
    let begun = Instant::now();
    let terminated = supervisor.request(Request::TerminateChild("naughty".into()));
    assert_eq!(
        states(&supervisor).await,
        "a:Up naughty:Stopping",
        "it answers"
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(terminated.await, Reply::Ok);
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
    assert_eq!(states(&supervisor).await, "a:Up naughty:Down");
    let again = supervisor.request(Request::RestartChild("naughty".into()));
    assert_eq!(again.await, Reply::Ok);
    supervisor.stop();
    timeout(PATIENCE, supervisor.ended()).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn already_started_outside_supervisor() {
    // The name is taken by somebody who is no child of ours; the error reaches the caller.
    let stage = Stage::default();
    let fails = Manners {
        fails_from: Some(1),
        ..QUICK
    };
    stage.manners("taken", fails);
    let (supervisor, mut reports) = spawn(&stage, Flags::default(), Vec::new());
    let spec = ChildSpec {
        restart: Restart::Transient,
        ..worker("taken")
    };
    let reply = supervisor.request(Request::StartChild(spec)).await;
    let reason = ExitReason::StartFailed("boom".to_owned());
    let failed = RequestError::StartFailed(StartError::new(reason));
    assert_eq!(reply, Reply::Error(failed));
    assert_eq!(states(&supervisor).await, "", "nothing is kept");
    supervisor.stop();
    supervisor.ended().await;
    assert_eq!(reports.recv().await, Some(ChildReport::Started));
}

#[tokio::test(start_paused = true)]
async fn sup_stop_timeout_dynamic_takes_the_longest_time_not_the_sum() {
    let stage = Stage::default();
    let (up, _reports) = ChildEvents::root();
    let template = ChildSpec {
        shutdown: Shutdown::Timeout(Millis(2000)),
        ..worker("template")
    };
    let flags = DynamicFlags {
        template: Some(template),
        ..DynamicFlags::default()
    };
    let (factory, observer) = (Arc::new(stage.clone()), Arc::new(stage.clone()));
    let spawned = AgentSupervisor::spawn_dynamic("root", flags, 1, factory, observer, up);
    let supervisor = spawned.unwrap();
    let slow = Manners {
        stop: Some(Duration::from_secs(1)),
        ..QUICK
    };
    for (id, manners) in [("a", slow), ("b", slow), ("c", STUBBORN)] {
        stage.manners(id, manners);
        supervisor.request(Request::StartChild(worker(id))).await;
    }
    let begun = Instant::now();
    supervisor.stop();
    supervisor.ended().await;
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
    let trace = stage.take().join(" ");
    assert!(
        trace.contains("-a1(shutdown)") && trace.contains("-c1(killed)"),
        "{trace}"
    );
}

#[tokio::test(start_paused = true)]
async fn hanging_restart_loop() {
    // Each start takes two seconds and fails; the supervisor is between two tries or in one.
    let stage = Stage::default();
    let (supervisor, _reports) = spawn(&stage, flags(ONE, 1000), workers("a b"));
    stage.until("up(root)").await;
    let failing = Manners {
        start: Some(Duration::from_secs(2)),
        fails_from: Some(2),
        ..QUICK
    };
    stage.manners("b", failing);
    stage.exit("b", crash());
    stage.until("failed(b2)").await;
    let begun = Instant::now();
    let b = || "b".into();
    let state = states(&supervisor).await;
    assert!(
        ["a:Up b:Starting", "a:Up b:Restarting"].contains(&&*state),
        "{state}"
    );
    assert_eq!(
        supervisor.request(Request::TerminateChild(b())).await,
        Reply::Ok
    );
    assert_eq!(states(&supervisor).await, "a:Up b:Down");
    stage.manners("b", QUICK);
    assert_eq!(
        supervisor.request(Request::RestartChild(b())).await,
        Reply::Ok
    );
    stage.manners("b", HANGS);
    stage.exit("b", crash());
    supervisor.stop();
    supervisor.ended().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let down = supervisor.request(Request::WhichChildren).await;
    assert_eq!(down, Reply::Error(RequestError::ShuttingDown));
}
