//! Ten thousand children and a hundred levels: everything once, in order, and nothing left over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synapse_core::exit::ExitReason;
use synapse_core::spec::{Restart, Strategy};
use synapse_core::supervisor::{Cause, ChildSpec, DynamicFlags, Reply, Request};
use synapse_core::time::Millis;
use synapse_node::supervisor::{
    AgentSupervisor, ChildEvents, ChildFactory, ChildHandle, ChildReport, ChildStart,
    SupervisorEvent, SupervisorHandle, SupervisorObserver, SupervisorSettings,
};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use crate::children::{PATIENCE, flags, worker};

const MANY: usize = 10_000;
const LEVELS: usize = 100;

#[tokio::test(start_paused = true)]
async fn ten_thousand_children_start_in_order_and_stop_in_reverse() {
    let crowd = Crowd::default();
    let (root, mut reports) = crowd.spawn(MANY, 0);
    assert_eq!(heard(&mut reports).await, ChildReport::Started);
    let order: Vec<usize> = (0..MANY).collect();
    let began = order.iter().map(|child| Deed::Began(*child, 1));
    assert_eq!(crowd.take(), began.collect::<Vec<_>>());
    root.stop();
    let shutdown = ChildReport::Exited(ExitReason::Shutdown(None));
    assert_eq!(heard(&mut reports).await, shutdown);
    let told = order.iter().rev().map(|child| Deed::Told(*child));
    assert_eq!(crowd.take(), told.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_deaths_at_once_are_ten_thousand_restarts() {
    let crowd = Crowd::default();
    let (root, mut reports) = crowd.spawn(MANY, u32::try_from(MANY).unwrap());
    assert_eq!(heard(&mut reports).await, ChildReport::Started);
    crowd.take();
    (0..MANY).for_each(|child| crowd.order(child, Order::Crash));
    let deeds = crowd.after(MANY).await;
    let again = |child| Deed::Began(child, 2);
    assert_eq!(sorted(deeds), (0..MANY).map(again).collect::<Vec<_>>());
    let restarts = root.snapshot().await.unwrap().restarts_in_period;
    assert_eq!(restarts, u32::try_from(MANY).unwrap());
    // One more is one too many: all go, in order, and nobody comes back.
    crowd.order(7, Order::Crash);
    let shutdown = ChildReport::Exited(ExitReason::Shutdown(None));
    assert_eq!(heard(&mut reports).await, shutdown);
    let told = (0..MANY).rev().filter(|child| *child != 7).map(Deed::Told);
    assert_eq!(crowd.take(), told.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_dynamic_children_come_and_go() {
    let crowd = Crowd::default();
    let (root, mut reports) = crowd.spawn_dynamic();
    assert_eq!(heard(&mut reports).await, ChildReport::Started);
    for child in 0..MANY {
        let spec = ChildSpec {
            restart: Restart::Temporary,
            ..worker(&child.to_string())
        };
        assert_eq!(root.request(Request::StartChild(spec)).await, Reply::Ok);
    }
    (0..MANY).for_each(|child| crowd.order(child, Order::Crash));
    let mut forgotten = crowd.0.forgotten.subscribe();
    let all = forgotten.wait_for(|count| *count == MANY);
    drop(timeout(PATIENCE, all).await.unwrap().unwrap());
    let snapshot = root.snapshot().await.unwrap();
    assert!(snapshot.is_up && snapshot.children.is_empty());
}

/// A shutdown time is an entry in a list: what sleeps is one task, whatever their number.
#[tokio::test(start_paused = true)]
async fn ten_thousand_shutdown_times_are_one_sleeping_task() {
    let crowd = Crowd::default();
    let (root, mut reports) = crowd.spawn_dynamic();
    assert_eq!(heard(&mut reports).await, ChildReport::Started);
    for child in 0..MANY {
        let request = Request::StartChild(worker(&child.to_string()));
        assert_eq!(root.request(request).await, Reply::Ok);
    }
    crowd.take();
    *crowd.0.stubborn.lock().unwrap() = true;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let (before, begun) = (tasks(), Instant::now());
    root.stop();
    let told = crowd.after(MANY).await;
    assert_eq!(sorted(told), (0..MANY).map(Deed::Told).collect::<Vec<_>>());
    assert!(tasks() <= before + 1, "{before} tasks, now {}", tasks());
    let shutdown = ChildReport::Exited(ExitReason::Shutdown(None));
    assert_eq!(heard(&mut reports).await, shutdown);
    let killed = sorted(crowd.take());
    assert_eq!(killed, (0..MANY).map(Deed::Killed).collect::<Vec<_>>());
    assert_eq!(begun.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_levels_start_from_below_and_stop_from_below() {
    let crowd = Crowd::default();
    let (root, mut reports) = crowd.levels(1);
    assert_eq!(heard(&mut reports).await, ChildReport::Started);
    let from_below: Vec<String> = (0..LEVELS).rev().map(path).collect();
    assert_eq!(crowd.0.up.lock().unwrap().clone(), from_below);
    root.stop();
    let shutdown = ChildReport::Exited(ExitReason::Shutdown(None));
    assert_eq!(heard(&mut reports).await, shutdown);
    let told: Vec<_> = from_below
        .into_iter()
        .map(|path| (path, Cause::Told))
        .collect();
    assert_eq!(crowd.0.ended.lock().unwrap().clone(), told);
}

#[tokio::test(start_paused = true)]
async fn a_crash_climbs_a_hundred_levels() {
    let crowd = Crowd::default();
    let (_root, mut reports) = crowd.levels(0);
    assert_eq!(heard(&mut reports).await, ChildReport::Started);
    crowd.order(0, Order::Crash);
    let shutdown = ChildReport::Exited(ExitReason::Shutdown(None));
    assert_eq!(heard(&mut reports).await, shutdown);
    let from_below = (0..LEVELS).rev().map(|level| (path(level), Cause::GaveUp));
    assert_eq!(
        crowd.0.ended.lock().unwrap().clone(),
        from_below.collect::<Vec<_>>()
    );
}

async fn heard(reports: &mut mpsc::UnboundedReceiver<ChildReport>) -> ChildReport {
    let report = timeout(PATIENCE, reports.recv()).await;
    report.unwrap().unwrap()
}

fn path(level: usize) -> String {
    format!("level.{level}")
}

fn sorted(mut deeds: Vec<Deed>) -> Vec<Deed> {
    deeds.sort_unstable();
    deeds
}

/// What happened to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Began(usize, u64),
    Told(usize),
    Killed(usize),
}

/// What a child's task is told.
enum Order {
    End(ExitReason),
    Crash,
}

/// Children by number that are up at once, and a record that costs the same however long it is.
#[derive(Clone)]
struct Crowd(Arc<Record>);

struct Record {
    deeds: watch::Sender<Vec<Deed>>,
    forgotten: watch::Sender<usize>,
    lines: Mutex<HashMap<usize, mpsc::UnboundedSender<Order>>>,
    stubborn: Mutex<bool>,
    up: Mutex<Vec<String>>,
    ended: Mutex<Vec<(String, Cause)>>,
}

impl Default for Crowd {
    fn default() -> Self {
        Self(Arc::new(Record {
            deeds: watch::Sender::default(),
            forgotten: watch::Sender::default(),
            lines: Mutex::default(),
            stubborn: Mutex::default(),
            up: Mutex::default(),
            ended: Mutex::default(),
        }))
    }
}

impl Crowd {
    fn write(&self, deed: Deed) {
        self.0.deeds.send_modify(|deeds| deeds.push(deed));
    }

    /// What happened since the last time.
    fn take(&self) -> Vec<Deed> {
        self.0.deeds.send_replace(Vec::new())
    }

    /// The same once there are so many.
    async fn after(&self, count: usize) -> Vec<Deed> {
        let mut deeds = self.0.deeds.subscribe();
        let enough = deeds.wait_for(|deeds| deeds.len() >= count);
        drop(timeout(PATIENCE, enough).await.unwrap().unwrap());
        self.take()
    }

    fn order(&self, child: usize, order: Order) {
        let lines = self.0.lines.lock().unwrap();
        lines[&child].send(order).ok().unwrap();
    }

    fn begin(&self, start: &ChildStart, events: ChildEvents) -> Box<dyn ChildHandle> {
        let child = start.child.as_str().parse().unwrap();
        let (line, mut orders) = mpsc::unbounded_channel();
        self.0.lines.lock().unwrap().insert(child, line.clone());
        self.write(Deed::Began(child, start.incarnation));
        events.started();
        tokio::spawn(async move {
            events.exited(match orders.recv().await {
                Some(Order::End(reason)) => reason,
                Some(Order::Crash) => ExitReason::Exited(1),
                None => ExitReason::Killed,
            });
        });
        let crowd = self.clone();
        Box::new(Member { crowd, child, line })
    }

    fn spawn(&self, children: usize, intensity: u32) -> Spawned {
        let ids = (0..children).map(|child| worker(&child.to_string()));
        let (up, reports) = ChildEvents::root();
        let settings = SupervisorSettings {
            path: "root".to_owned(),
            flags: flags(Strategy::OneForOne, intensity),
            children: ids.collect(),
            seed: 1,
        };
        let crowd = Arc::new(self.clone());
        let spawned = AgentSupervisor::spawn(settings, Arc::clone(&crowd) as _, crowd, up);
        (spawned.unwrap(), reports)
    }

    fn spawn_dynamic(&self) -> Spawned {
        let flags = DynamicFlags {
            intensity: 0,
            period: Millis(5000),
            max_children: MANY,
            template: None,
        };
        let (up, reports) = ChildEvents::root();
        let crowd = Arc::new(self.clone());
        let (factory, observer) = (Arc::clone(&crowd) as _, crowd);
        let spawned = AgentSupervisor::spawn_dynamic("root", flags, 1, factory, observer, up);
        (spawned.unwrap(), reports)
    }

    fn levels(&self, intensity: u32) -> Spawned {
        let (up, reports) = ChildEvents::root();
        let top = Level {
            crowd: self.clone(),
            level: 0,
            intensity,
        };
        (top.spawn(up), reports)
    }
}

type Spawned = (SupervisorHandle, mpsc::UnboundedReceiver<ChildReport>);

impl ChildFactory for Crowd {
    fn start(&self, start: ChildStart, events: ChildEvents) -> Box<dyn ChildHandle> {
        self.begin(&start, events)
    }
}

impl SupervisorObserver for Crowd {
    fn observe(&self, supervisor: &str, event: SupervisorEvent) {
        match event {
            SupervisorEvent::Started => self.0.up.lock().unwrap().push(supervisor.to_owned()),
            SupervisorEvent::Ended { cause, .. } => {
                let ended = (supervisor.to_owned(), cause);
                self.0.ended.lock().unwrap().push(ended);
            }
            SupervisorEvent::Forgotten(_) => self.0.forgotten.send_modify(|count| *count += 1),
            SupervisorEvent::Starting(_)
            | SupervisorEvent::StartFailed(_)
            | SupervisorEvent::Report(_)
            | SupervisorEvent::Restarting { .. }
            | SupervisorEvent::StaysDown { .. } => {}
        }
    }
}

/// A child seen from its supervisor.
struct Member {
    crowd: Crowd,
    child: usize,
    line: mpsc::UnboundedSender<Order>,
}

impl Member {
    /// Nobody listens where the child has ended of its own accord; that is told already.
    fn end(&self, reason: ExitReason) {
        drop(self.line.send(Order::End(reason)));
    }
}

impl ChildHandle for Member {
    fn stop(&mut self, _within: Option<Duration>) {
        self.crowd.write(Deed::Told(self.child));
        if !*self.crowd.0.stubborn.lock().unwrap() {
            self.end(ExitReason::Shutdown(None));
        }
    }

    fn kill(&mut self) {
        self.crowd.write(Deed::Killed(self.child));
        self.end(ExitReason::Killed);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.end(ExitReason::Killed);
    }
}

/// Supervisors one below the other; under the last there is child 0.
struct Level {
    crowd: Crowd,
    level: usize,
    intensity: u32,
}

impl Level {
    fn spawn(self, up: ChildEvents) -> SupervisorHandle {
        let below = self.level + 1;
        let child = if below < LEVELS {
            ChildSpec::supervisor(path(below))
        } else {
            worker("0")
        };
        let settings = SupervisorSettings {
            path: path(self.level),
            flags: flags(Strategy::OneForOne, self.intensity),
            children: vec![child],
            seed: 1,
        };
        let observer = Arc::new(self.crowd.clone());
        AgentSupervisor::spawn(settings, Arc::new(self), observer, up).unwrap()
    }
}

impl ChildFactory for Level {
    fn start(&self, start: ChildStart, events: ChildEvents) -> Box<dyn ChildHandle> {
        let below = Self {
            crowd: self.crowd.clone(),
            level: self.level + 1,
            intensity: self.intensity,
        };
        if below.level < LEVELS {
            below.spawn(events).into_child()
        } else {
            self.crowd.begin(&start, events)
        }
    }
}
