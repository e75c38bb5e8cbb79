//! Supervisors below supervisors, from a `TreeSpec`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synapse_core::exit::ExitReason;
use synapse_core::name::Name;
use synapse_core::spec::{
    AgentSpec, AutoShutdown, ChildRef, CrashSpec, DepsScope, Liveness, MailboxSpec, OnExhausted,
    Program, ResourceLimits, Restart, Shutdown, Spawn, Start, StartOrder, Strategy, SupervisorSpec,
    TreeSpec, UsageLimits, WhenFull,
};
use synapse_core::supervisor::{ChildId, Reply, Request};
use synapse_core::time::Millis;
use synapse_node::supervisor::{
    AgentFactory, AgentStart, ChildEvents, ChildHandle, ChildReport, ChildStart, SupervisionTree,
    SupervisorHandle,
};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::children::{Manners, QUICK, Stage, crash};

/// Makes agents on a stage and keeps their numbers.
struct Agents {
    stage: Stage,
    last: Mutex<HashMap<(Name, usize), u64>>,
}

impl AgentFactory for Agents {
    fn start(&self, start: AgentStart, events: ChildEvents) -> Box<dyn ChildHandle> {
        let AgentStart {
            agent,
            replica,
            incarnation,
            restart,
        } = start;
        self.last
            .lock()
            .unwrap()
            .insert((agent.clone(), replica), incarnation);
        let name = match replica {
            0 => agent.to_string(),
            _ => format!("{agent}.{replica}:"),
        };
        let child = ChildId::from(&agent);
        Box::new(self.stage.begin(
            &name,
            &ChildStart {
                child,
                incarnation,
                restart,
            },
            events,
        ))
    }

    fn last_incarnation(&self, agent: &Name, replica: usize) -> u64 {
        let last = self.last.lock().unwrap();
        last.get(&(agent.clone(), replica)).copied().unwrap_or(0)
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn agent(text: &str, replicas: usize) -> AgentSpec {
    AgentSpec {
        name: name(text),
        program: Program::Declared,
        mode: None,
        description: None,
        model: None,
        model_settings: serde_json::Map::new(),
        instructions: None,
        output_schema: None,
        usage_limits: UsageLimits::default(),
        deps: None,
        deps_scope: DepsScope::Incarnation,
        env: BTreeMap::new(),
        spawn: Spawn::Exec,
        start: Start::Eager,
        hibernate_after: None,
        standby: false,
        env_file: None,
        env_pass: Vec::new(),
        restart: Restart::Permanent,
        shutdown: Shutdown::Timeout(Millis(1000)),
        significant: false,
        concurrency: 1,
        prefetch: 0,
        replicas,
        mailbox: MailboxSpec {
            size: 1,
            when_full: WhenFull::Reject,
        },
        backoff: None,
        start_timeout: Millis(1000),
        call_timeout: Millis(1000),
        run_timeout: None,
        liveness: Liveness::default(),
        cancel_grace: Millis(1000),
        limits: ResourceLimits::default(),
        crash: CrashSpec::default(),
    }
}

fn supervisor(text: &str, strategy: Strategy, intensity: u32, children: &str) -> SupervisorSpec {
    let child = |text: &str| match text.strip_prefix('s') {
        Some(_) => ChildRef::Supervisor(name(text)),
        None => ChildRef::Agent(name(text)),
    };
    SupervisorSpec {
        name: name(text),
        strategy,
        intensity,
        period: Millis(5000),
        on_exhausted: OnExhausted::Escalate,
        start_order: StartOrder::Sequential,
        auto_shutdown: AutoShutdown::Never,
        restart: Restart::Permanent,
        shutdown: Shutdown::Infinity,
        significant: false,
        children: children.split(' ').map(child).collect(),
    }
}

/// root: a, s1 [b, s2 [c, d], e], f
fn spec(replicas: usize) -> TreeSpec {
    let one = Strategy::OneForOne;
    let supervisors = [
        supervisor("root", one, 1, "a s1 f"),
        supervisor("s1", Strategy::RestForOne, 1, "b s2 e"),
        supervisor("s2", Strategy::OneForAll, 1, "c d"),
    ];
    let agents = ["a", "b", "c", "d", "e", "f"].map(|text| agent(text, replicas));
    TreeSpec {
        root: name("root"),
        supervisors: supervisors
            .into_iter()
            .map(|spec| (spec.name.clone(), spec))
            .collect(),
        agents: agents
            .into_iter()
            .map(|spec| (spec.name.clone(), spec))
            .collect(),
    }
}

pub(crate) struct Planted {
    pub(crate) stage: Stage,
    pub(crate) tree: SupervisionTree,
    pub(crate) root: SupervisorHandle,
    pub(crate) reports: UnboundedReceiver<ChildReport>,
}

pub(crate) async fn plant(replicas: usize) -> Planted {
    let stage = Stage::default();
    let agents = Agents {
        stage: stage.clone(),
        last: Mutex::default(),
    };
    let spec = Arc::new(spec(replicas));
    let tree = SupervisionTree::new(spec, Arc::new(agents), Arc::new(stage.clone()), 1);
    let (root, mut reports) = tree.start().unwrap();
    assert_eq!(reports.recv().await, Some(ChildReport::Started));
    Planted {
        stage,
        tree,
        root,
        reports,
    }
}

/// The trace without reports.
fn deeds(trace: &str) -> String {
    let mut text = trace.to_owned();
    while let Some(from) = text.find("report(") {
        let to = text[from..]
            .find(") ")
            .map_or(text.len(), |at| from + at + 2);
        text.replace_range(from..to, "");
    }
    text
}

#[tokio::test(start_paused = true)]
async fn a_tree_of_three_levels_starts_depth_first_and_stops_in_reverse() {
    let Planted {
        stage,
        root,
        mut reports,
        ..
    } = plant(1).await;
    assert_eq!(
        stage.take().join(" "),
        "+a1 +b1 +c1 +d1 up(root/s1/s2) +e1 up(root/s1) +f1 up(root)"
    );
    root.stop();
    assert_eq!(
        stage.until("ended(root: shutdown, Told)").await,
        "-f1(shutdown) -e1(shutdown) -d1(shutdown) -c1(shutdown) \
         ended(root/s1/s2: shutdown, Told) -b1(shutdown) ended(root/s1: shutdown, Told) \
         -a1(shutdown) ended(root: shutdown, Told)"
    );
    assert_eq!(
        reports.recv().await,
        Some(ChildReport::Exited(ExitReason::Shutdown(None)))
    );
}

#[tokio::test(start_paused = true)]
async fn an_inner_crash_stays_inside_and_an_inner_overload_climbs_to_the_root() {
    let Planted {
        stage, mut reports, ..
    } = plant(1).await;
    stage.take();
    stage.exit("c", crash());
    let trace = stage.until("+d2").await;
    assert_eq!(deeds(&trace), "-c1(error) -d1(shutdown) +c2 +d2");
    stage.exit("c", crash());
    let trace = stage.until("+e2").await;
    assert_eq!(
        deeds(&trace),
        "-c2(error) -d2(shutdown) ended(root/s1/s2: shutdown, GaveUp) -e1(shutdown) \
         +c3 +d3 up(root/s1/s2) +e2",
        "incarnations go on over the life of their supervisor"
    );
    // The second restart within s1: the root starts it anew.
    stage.exit("b", crash());
    stage.until("up(root/s1)").await;
    // Within the new s1; then it gives up too, and so does the root.
    stage.exit("b", crash());
    stage.until("+e4").await;
    stage.exit("b", crash());
    stage.until("ended(root: shutdown, GaveUp)").await;
    assert_eq!(
        reports.recv().await,
        Some(ChildReport::Exited(ExitReason::Shutdown(None)))
    );
}

#[tokio::test(start_paused = true)]
async fn the_tree_finds_supervisors_by_name_and_operates_a_subtree() {
    let Planted { stage, tree, .. } = plant(1).await;
    stage.take();
    assert_eq!(tree.path("d"), "root/s1/s2/d");
    assert_eq!(tree.parent("s2").map(Name::as_str), Some("s1"));
    let parent = tree.supervisor("s1").unwrap();
    assert_eq!(
        parent.request(Request::OperatorStop("s2".into())).await,
        Reply::Ok
    );
    assert_eq!(
        stage.take().join(" "),
        "-d1(shutdown) -c1(shutdown) ended(root/s1/s2: shutdown, Told)"
    );
    assert!(tree.supervisor("s2").is_none(), "it is gone");
    assert_eq!(
        parent.request(Request::OperatorStart("s2".into())).await,
        Reply::Ok
    );
    assert_eq!(stage.take().join(" "), "+c2 +d2 up(root/s1/s2)");
    assert!(tree.supervisor("s2").is_some());
    assert!(tree.supervisor("nobody").is_none());
}

#[tokio::test(start_paused = true)]
async fn replicas_are_children_of_their_own() {
    let Planted { stage, tree, .. } = plant(2).await;
    stage.take();
    assert_eq!(
        tree.child_ids("a"),
        [ChildId::from("a"), ChildId::from("a.1")]
    );
    stage.exit("a.1:", crash());
    assert_eq!(deeds(&stage.until("+a.1:2").await), "-a.1:1(error) +a.1:2");
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_the_root_reaches_a_start_that_hangs_three_levels_down() {
    let Planted {
        stage,
        root,
        mut reports,
        ..
    } = plant(1).await;
    stage.manners(
        "d",
        Manners {
            start: None,
            ..QUICK
        },
    );
    stage.exit("d", crash());
    stage.until("+c2").await;
    let begun = Instant::now();
    root.stop();
    assert!(matches!(reports.recv().await, Some(ChildReport::Exited(_))));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}
