//! The real shell: an `AgentSupervisor` over children that are bare tasks, as OTP's supervisor is
//! measured over bare processes. A child counts as started once its task is spawned.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use synapse_core::exit::ExitReason;
use synapse_core::supervisor::{
    ChildId, ChildSpec, DynamicFlags, Flags, INTENSITY_MAX, Reply, Request,
};
use synapse_core::time::Millis;
use synapse_node::supervisor::{
    AgentSupervisor, ChildEvents, ChildFactory, ChildHandle, ChildReport, ChildStart,
    SupervisorHandle, SupervisorSettings,
};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::figures::{Figures, Measure, STORMS, WIDTHS, repeats};

/// Crashes below one supervisor whose restart is timed one by one, and how many supervisors: OTP
/// goes through the restarts of the period at each one, which shall not decide this figure.
const CRASHES: usize = 100;
const SUPERVISORS: usize = 20;
/// Children among whom they happen.
const SIBLINGS: usize = 1_000;
/// Longer than this, and something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// One round of everything.
pub(crate) fn round() -> Figures {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let round = runtime.spawn(async {
        let mut figures = Figures::default();
        for children in WIDTHS {
            for _ in 0..repeats(children) {
                static_children(children, &mut figures).await;
                dynamic_children(children, &mut figures).await;
            }
        }
        restarts(&mut figures).await;
        for children in STORMS {
            storm(children, &mut figures).await;
        }
        figures
    });
    runtime.block_on(round).expect("a round")
}

async fn static_children(children: usize, figures: &mut Figures) {
    let factory = Arc::new(Factory::default());
    let specs = ids(children).map(ChildSpec::worker).collect();
    let begun = now();
    let tree = Tree::of(specs, &factory).await;
    figures.add(Measure::StartStatic(children), begun.elapsed(), children);
    figures.add(Measure::StopInOrder(children), tree.stop().await, children);
}

async fn dynamic_children(children: usize, figures: &mut Figures) {
    let factory = Arc::new(Factory::default());
    let tree = Tree::dynamic(&factory).await;
    let ids: Vec<_> = ids(children).collect();
    let begun = now();
    for id in ids {
        let request = Request::StartChild(ChildSpec::worker(id));
        assert_eq!(tree.handle.request(request).await, Reply::Ok);
    }
    figures.add(Measure::StartDynamic(children), begun.elapsed(), children);
    tree.stop().await;
}

/// One crash at a time, from the order to die until the replacement has been spawned.
async fn restarts(figures: &mut Figures) {
    let mut latencies = Vec::new();
    for _ in 0..SUPERVISORS {
        let (tree, mut orders, mut begun) = heard(SIBLINGS).await;
        for victim in orders.iter_mut().take(CRASHES) {
            let died = now();
            victim.crash();
            *victim = begun.recv().await.expect("a restart");
            latencies.push(died.elapsed());
        }
        tree.stop().await;
    }
    latencies.sort_unstable();
    let crashes = latencies.len();
    figures.add(Measure::RestartMedian, latencies[crashes / 2], 1);
    figures.add(Measure::RestartP99, latencies[crashes * 99 / 100], 1);
}

/// Everybody dies at once; over when everybody is there again.
async fn storm(children: usize, figures: &mut Figures) {
    let (tree, orders, mut begun) = heard(children).await;
    let died = now();
    orders.iter().for_each(Orders::crash);
    for _ in 0..children {
        begun.recv().await.expect("a restart");
    }
    figures.add(Measure::Storm(children), died.elapsed(), children);
    tree.stop().await;
}

/// A supervisor whose children say when they begin, these children, and the later ones.
async fn heard(children: usize) -> (Tree, Vec<Orders>, UnboundedReceiver<Orders>) {
    let (sender, mut begun) = unbounded_channel();
    let factory = Arc::new(Factory {
        begun: Some(sender),
    });
    let tree = Tree::of(ids(children).map(ChildSpec::worker).collect(), &factory).await;
    let mut orders = Vec::new();
    while orders.len() < children {
        orders.push(begun.recv().await.expect("a start"));
    }
    (tree, orders, begun)
}

fn ids(children: usize) -> impl Iterator<Item = ChildId> {
    (0..children).map(|number| ChildId::from(format!("agent.{number}")))
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// A supervisor that is up.
struct Tree {
    handle: SupervisorHandle,
    reports: UnboundedReceiver<ChildReport>,
}

impl Tree {
    async fn of(children: Vec<ChildSpec>, factory: &Arc<Factory>) -> Self {
        let (up, reports) = ChildEvents::root();
        let settings = SupervisorSettings {
            path: "root".to_owned(),
            flags: Flags {
                intensity: INTENSITY_MAX,
                ..Flags::default()
            },
            children,
            seed: 0,
        };
        let factory = Arc::clone(factory);
        let handle = AgentSupervisor::spawn(settings, factory, Arc::new(()), up);
        Self::up(handle.expect("a supervisor"), reports).await
    }

    async fn dynamic(factory: &Arc<Factory>) -> Self {
        let (up, reports) = ChildEvents::root();
        let flags = DynamicFlags {
            intensity: INTENSITY_MAX,
            period: Millis::from_secs(5),
            max_children: usize::MAX,
            template: None,
        };
        let factory = Arc::clone(factory);
        let handle = AgentSupervisor::spawn_dynamic("root", flags, 0, factory, Arc::new(()), up);
        Self::up(handle.expect("a supervisor"), reports).await
    }

    async fn up(handle: SupervisorHandle, mut reports: UnboundedReceiver<ChildReport>) -> Self {
        let up = tokio::time::timeout(PATIENCE, reports.recv()).await;
        assert_eq!(up, Ok(Some(ChildReport::Started)));
        Self { handle, reports }
    }

    /// How long it took until everything was gone.
    async fn stop(mut self) -> Duration {
        let begun = now();
        self.handle.stop();
        let gone = tokio::time::timeout(PATIENCE, self.reports.recv()).await;
        let taken = begun.elapsed();
        assert_eq!(
            gone,
            Ok(Some(ChildReport::Exited(ExitReason::Shutdown(None))))
        );
        taken
    }
}

/// Begins bare tasks, and says so to who listens.
#[derive(Default)]
struct Factory {
    begun: Option<UnboundedSender<Orders>>,
}

impl ChildFactory for Factory {
    fn start(&self, _start: ChildStart, events: ChildEvents) -> Box<dyn ChildHandle> {
        let orders = Orders::default();
        events.started();
        tokio::spawn(live(orders.clone(), events));
        if let Some(begun) = &self.begun {
            begun.send(orders.clone()).expect("the round goes on");
        }
        Box::new(orders)
    }
}

async fn live(orders: Orders, events: ChildEvents) {
    orders.0.given.notified().await;
    events.exited(if orders.0.crash.load(Ordering::Relaxed) {
        ExitReason::Exited(1)
    } else {
        ExitReason::Shutdown(None)
    });
}

/// What a task is told: to obey, or to crash.
#[derive(Clone, Default)]
struct Orders(Arc<Order>);

#[derive(Default)]
struct Order {
    crash: AtomicBool,
    given: Notify,
}

impl Orders {
    fn crash(&self) {
        self.0.crash.store(true, Ordering::Relaxed);
        self.0.given.notify_one();
    }
}

impl ChildHandle for Orders {
    fn stop(&mut self, _within: Option<Duration>) {
        self.0.given.notify_one();
    }

    fn kill(&mut self) {
        self.0.given.notify_one();
    }
}
