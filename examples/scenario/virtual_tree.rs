//! Runs a scenario on the pure core: supervisors are state machines, workers are entries in a
//! table, and time is a number. Prints what OTP's oracle prints.

use std::collections::{BTreeMap, HashMap};

use synapse_core::exit::ExitReason;
use synapse_core::supervisor::{
    Action, ChildId, DynamicSupervisor, Event, Request, StartError, Supervisor, TimerId, Token,
};
use synapse_core::time::{Millis, Time};

use super::answers::{answer, failed_to_start};
use super::script::{Kind, Node, Scenario, Step, reason, shown};

/// A step is over when the trace has been silent for so long (as in the oracle).
const SILENCE: Millis = Millis(40);
/// How long the end of a process is waited for (as in the oracle).
const PATIENCE: Millis = Millis(10_000);
/// Events in one span of silence before they are left for the next one.
const EVENTS_MAX: usize = 100_000;
/// Looks in one step before the scenario is called endless.
const LOOKS_MAX: usize = 1000;

/// The trace of a scenario, one line an event.
#[must_use]
pub(crate) fn trace(scenario: &Scenario) -> Vec<String> {
    let mut tree = VirtualTree::new(&scenario.tree);
    tree.rest();
    if tree.root_failed {
        return tree.lines;
    }
    for step in &scenario.steps {
        tree.lines.push(format!("-- {}", step.label()));
        tree.step(step);
        tree.rest();
    }
    tree.lines
}

/// One process: a number that is never used twice.
type Pid = u64;

/// Everything that is alive, and everything that will happen.
struct VirtualTree {
    now: Time,
    next: u64,
    /// In the order in which it happens; the second part keeps the order of one moment.
    agenda: BTreeMap<(Time, u64), Due>,
    alive: HashMap<Pid, Process>,
    /// The latest live process at each path, as the oracle's table.
    at_path: HashMap<String, Pid>,
    starts: HashMap<String, u32>,
    lines: Vec<String>,
    obeying: usize,
    /// Requests that were answered.
    answered: u64,
    root_failed: bool,
}

/// Something that will happen to a process, if it is alive then.
enum Due {
    Event(Pid, Event),
    Timer(Pid, TimerId),
    Obeyed(Pid, ExitReason),
}

struct Process {
    path: String,
    parent: Option<(Pid, ChildId, u64)>,
    kind: Species,
}

enum Species {
    Worker { stop_delay: Millis, obeying: bool },
    Supervisor(Box<Boss>),
}

struct Boss {
    core: Core,
    specs: HashMap<ChildId, Node>,
    live: HashMap<ChildId, Pid>,
    /// Its parent was killed: it ends in order, and for that reason.
    orphaned: bool,
}

enum Core {
    Static(Supervisor),
    Dynamic(DynamicSupervisor),
}

impl VirtualTree {
    fn new(root: &Node) -> Self {
        let mut tree = Self {
            now: Time(0),
            next: 0,
            agenda: BTreeMap::new(),
            alive: HashMap::new(),
            at_path: HashMap::new(),
            starts: HashMap::new(),
            lines: Vec::new(),
            obeying: 0,
            answered: 0,
            root_failed: false,
        };
        tree.start_supervisor("root".to_owned(), root, None);
        tree
    }

    /// Lets everything happen until the trace is silent and no worker is still obeying: as the
    /// oracle does, which looks every 40 ms whether anything has changed.
    fn rest(&mut self) {
        let mut before = (self.lines.len(), self.obeying);
        for _ in 0..LOOKS_MAX {
            self.wait(SILENCE);
            let now = (self.lines.len(), self.obeying);
            if now == before && self.obeying == 0 {
                return;
            }
            before = now;
        }
        self.lines.push("endless".to_owned());
    }

    /// Lets happen what comes before this does, if it comes in time.
    fn until(&mut self, done: impl Fn(&Self) -> bool) {
        let last = self.now + PATIENCE;
        while !done(self) {
            if !self.happen_before(last) {
                return self.lines.push("hung".to_owned());
            }
        }
    }

    /// Lets the next thing happen, if its time is not after this one; whether it did.
    fn happen_before(&mut self, last: Time) -> bool {
        let first = self.agenda.first_entry();
        let Some(entry) = first.filter(|entry| entry.key().0 <= last) else {
            return false;
        };
        self.now = self.now.max(entry.key().0);
        let due = entry.remove();
        self.happen(due);
        true
    }

    fn schedule(&mut self, at: Time, due: Due) {
        self.next += 1;
        self.agenda.insert((at, self.next), due);
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Event(pid, event) => self.tell(pid, event),
            Due::Timer(pid, id) => self.tell(pid, Event::Timer(id)),
            Due::Obeyed(pid, reason) => self.end(pid, &reason),
        }
    }

    /// Gives a supervisor an event, and does what it decides.
    fn tell(&mut self, pid: Pid, event: Event) {
        let Some(Process {
            kind: Species::Supervisor(boss),
            ..
        }) = self.alive.get_mut(&pid)
        else {
            return;
        };
        let mut actions = Vec::new();
        match &mut boss.core {
            Core::Static(core) => core.handle(self.now, event, &mut actions),
            Core::Dynamic(core) => core.handle(self.now, event, &mut actions),
        }
        for action in actions {
            self.act(pid, action);
        }
    }

    fn act(&mut self, pid: Pid, action: Action) {
        match action {
            Action::Start {
                child, incarnation, ..
            } => self.start_child(pid, child, incarnation),
            Action::Stop { child, .. } => self.on_child(pid, &child, Self::stop),
            Action::Kill { child, .. } => self.on_child(pid, &child, Self::kill),
            Action::SetTimer { id, at } => self.schedule(at, Due::Timer(pid, id)),
            Action::Started => self.tell_parent(pid, |child, incarnation| Event::ChildStarted {
                child,
                incarnation,
            }),
            Action::StartFailed(error) => self.start_failed(pid, error),
            Action::Exit { reason, .. } => self.end(pid, &reason),
            Action::Reply { reply, .. } => {
                self.answered += 1;
                let named = !self.is_dynamic(pid);
                self.lines.push(format!("result {}", answer(&reply, named)));
            }
            // A timer that fires all the same has no effect; the rest is not in the trace.
            Action::ClearTimer(_)
            | Action::Report(_)
            | Action::Restarting { .. }
            | Action::StaysDown { .. }
            | Action::Forgotten(_) => {}
        }
    }

    fn is_dynamic(&self, pid: Pid) -> bool {
        let process = self.alive.get(&pid).map(|process| &process.kind);
        matches!(process, Some(Species::Supervisor(boss)) if matches!(boss.core, Core::Dynamic(_)))
    }

    fn on_child(&mut self, pid: Pid, child: &ChildId, act: fn(&mut Self, Pid)) {
        let Some(Process {
            kind: Species::Supervisor(boss),
            ..
        }) = self.alive.get(&pid)
        else {
            return;
        };
        if let Some(child) = boss.live.get(child).copied() {
            act(self, child);
        }
    }

    fn tell_parent(&mut self, pid: Pid, event: impl FnOnce(ChildId, u64) -> Event) {
        let parent = self
            .alive
            .get(&pid)
            .and_then(|process| process.parent.clone());
        if let Some((parent, child, incarnation)) = parent {
            self.schedule(self.now, Due::Event(parent, event(child, incarnation)));
        }
    }

    fn spawn(&mut self, process: Process) -> Pid {
        self.next += 1;
        let pid = self.next;
        self.at_path.insert(process.path.clone(), pid);
        if let Some((parent, child, _)) = &process.parent
            && let Some(Process {
                kind: Species::Supervisor(boss),
                ..
            }) = self.alive.get_mut(parent)
        {
            boss.live.insert(child.clone(), pid);
        }
        self.alive.insert(pid, process);
        pid
    }

    fn start_child(&mut self, pid: Pid, child: ChildId, incarnation: u64) {
        let Some(Process {
            path,
            kind: Species::Supervisor(boss),
            ..
        }) = self.alive.get(&pid)
        else {
            return;
        };
        let path = format!("{path}/{child}");
        let template = boss.specs.values().find(|spec| spec.template);
        let Some(node) = boss.specs.get(&child).or(template).cloned() else {
            return;
        };
        let parent = (pid, child, incarnation);
        match node.r#type {
            Kind::Supervisor => self.start_supervisor(path, &node, Some(parent)),
            Kind::Worker => self.start_worker(path, &node, parent),
        }
    }

    fn start_supervisor(&mut self, path: String, node: &Node, parent: Option<(Pid, ChildId, u64)>) {
        self.lines.push(format!("starting {path}"));
        let core = match node.flags() {
            None => Core::Dynamic(DynamicSupervisor::new(&*path, node.dynamic_flags(), 0)),
            Some(flags) => {
                let specs = node.children.iter().map(Node::child_spec).collect();
                match Supervisor::new(&*path, flags, specs, 0) {
                    Ok(core) => Core::Static(core),
                    Err(error) => return self.lines.push(format!("invalid {path} {error}")),
                }
            }
        };
        let children = node.children.iter();
        let specs = children
            .map(|child| (ChildId::from(&*child.id), child.clone()))
            .collect();
        let boss = Boss {
            core,
            specs,
            live: HashMap::new(),
            orphaned: false,
        };
        let kind = Species::Supervisor(Box::new(boss));
        let pid = self.spawn(Process { path, parent, kind });
        self.tell(pid, Event::Start);
    }

    fn start_worker(&mut self, path: String, node: &Node, parent: (Pid, ChildId, u64)) {
        let attempt = self.starts.entry(path.clone()).or_insert(0);
        *attempt += 1;
        let (boss, child, incarnation) = parent.clone();
        let event = if node.fail_starts.contains(attempt) {
            self.lines.push(format!("start_failed {path}"));
            let error = StartError::new(ExitReason::Error("boom".to_owned()));
            Event::ChildStartFailed {
                child,
                incarnation,
                error,
            }
        } else if node.ignore_starts.contains(attempt) {
            self.lines.push(format!("start_ignored {path}"));
            Event::ChildIgnored { child, incarnation }
        } else {
            self.lines.push(format!("started {path}"));
            let stop_delay = Millis(node.stop_delay_ms);
            let kind = Species::Worker {
                stop_delay,
                obeying: false,
            };
            self.spawn(Process {
                path,
                parent: Some(parent),
                kind,
            });
            Event::ChildStarted { child, incarnation }
        };
        self.schedule(self.now, Due::Event(boss, event));
    }

    /// Asks a process to end.
    fn stop(&mut self, pid: Pid) {
        match self.alive.get_mut(&pid).map(|process| &mut process.kind) {
            Some(Species::Worker { .. }) => self.obey(pid, ExitReason::Shutdown(None)),
            Some(Species::Supervisor(_)) => {
                self.schedule(self.now, Due::Event(pid, Event::Stop));
            }
            None => {}
        }
    }

    fn obey(&mut self, pid: Pid, reason: ExitReason) {
        let Some(Process {
            kind:
                Species::Worker {
                    stop_delay,
                    obeying,
                },
            ..
        }) = self.alive.get_mut(&pid)
        else {
            return;
        };
        if *stop_delay == Millis(0) {
            return self.end(pid, &reason);
        }
        if std::mem::replace(obeying, true) {
            // Its first reason stays.
            return;
        }
        let at = self.now + *stop_delay;
        self.obeying += 1;
        self.schedule(at, Due::Obeyed(pid, reason));
    }

    /// Kills a process. As in OTP a supervisor's workers obey the signal that follows from it,
    /// and its supervisors end in order.
    fn kill(&mut self, pid: Pid) {
        let orphans: Vec<Pid> = match self.alive.get(&pid).map(|process| &process.kind) {
            Some(Species::Supervisor(boss)) => boss.live.values().copied().collect(),
            Some(Species::Worker { .. }) | None => Vec::new(),
        };
        self.end(pid, &ExitReason::Killed);
        for orphan in orphans {
            match self.alive.get_mut(&orphan).map(|process| &mut process.kind) {
                Some(Species::Worker { .. }) => self.obey(orphan, ExitReason::Killed),
                Some(Species::Supervisor(boss)) => {
                    boss.orphaned = true;
                    self.schedule(self.now, Due::Event(orphan, Event::Stop));
                }
                None => {}
            }
        }
    }

    /// A process is gone.
    fn end(&mut self, pid: Pid, reason: &ExitReason) {
        self.leave(pid, reason, None);
    }

    fn start_failed(&mut self, pid: Pid, error: StartError) {
        let reason = ExitReason::Shutdown(Some("failed_to_start_child".to_owned()));
        if self
            .alive
            .get(&pid)
            .is_some_and(|process| process.parent.is_none())
        {
            self.root_failed = true;
        }
        let why = failed_to_start(&error);
        self.leave(pid, &reason, Some(error));
        if self.root_failed {
            self.lines.push(format!("start_error root {why}"));
        }
    }

    fn leave(&mut self, pid: Pid, reason: &ExitReason, failed: Option<StartError>) {
        let Some(process) = self.alive.remove(&pid) else {
            return;
        };
        let reason = match &process.kind {
            Species::Supervisor(boss) if boss.orphaned => &ExitReason::Killed,
            _ => reason,
        };
        if let Species::Worker { obeying: true, .. } = process.kind {
            self.obeying -= 1;
        }
        self.lines
            .push(format!("stopped {} {}", process.path, shown(reason)));
        if self.at_path.get(&process.path) == Some(&pid) {
            self.at_path.remove(&process.path);
        }
        let Some((parent, child, incarnation)) = process.parent else {
            return;
        };
        if let Some(Process {
            kind: Species::Supervisor(boss),
            ..
        }) = self.alive.get_mut(&parent)
            && boss.live.get(&child) == Some(&pid)
        {
            boss.live.remove(&child);
        }
        let event = match failed {
            Some(error) => Event::ChildStartFailed {
                child,
                incarnation,
                error,
            },
            None => Event::ChildExited {
                child,
                incarnation,
                reason: reason.clone(),
            },
        };
        self.schedule(self.now, Due::Event(parent, event));
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Wait { ms } => self.wait(Millis(*ms)),
            Step::StopRoot => self.with("root", |tree, pid| {
                tree.stop(pid);
                tree.until(|tree| !tree.alive.contains_key(&pid));
            }),
            Step::Exit { path, reason: word } if word == "kill" => self.with(path, Self::kill),
            Step::Exit { path, reason: word } => {
                self.with(path, |tree, pid| tree.end(pid, &reason(word)));
            }
            Step::StartChild { sup, child, name } => {
                let node = child.as_deref().cloned().unwrap_or_else(|| Node {
                    id: name.clone().unwrap_or_default(),
                    ..Node::default()
                });
                self.with(sup, |tree, pid| tree.start_new(pid, node, child.is_some()));
            }
            Step::TerminateChild { sup, id } => {
                self.request(sup, Request::TerminateChild(id.as_str().into()));
            }
            Step::RestartChild { sup, id } => {
                self.request(sup, Request::RestartChild(id.as_str().into()));
            }
            Step::DeleteChild { sup, id } => {
                self.request(sup, Request::DeleteChild(id.as_str().into()));
            }
            Step::WhichChildren { sup } => self.request(sup, Request::WhichChildren),
            Step::CountChildren { sup } => self.request(sup, Request::CountChildren),
        }
    }

    fn wait(&mut self, span: Millis) {
        let until = self.now + span;
        for _ in 0..EVENTS_MAX {
            if !self.happen_before(until) {
                break;
            }
        }
        self.now = until;
    }

    fn with(&mut self, path: &str, act: impl FnOnce(&mut Self, Pid)) {
        match self.at_path.get(path).copied() {
            Some(pid) => act(self, pid),
            None => self.lines.push("result noproc".to_owned()),
        }
    }

    fn request(&mut self, path: &str, request: Request) {
        self.with(path, |tree, pid| tree.ask(pid, request));
    }

    /// Asks, and lets happen what happens until the answer.
    fn ask(&mut self, pid: Pid, request: Request) {
        let token = Token(self.answered);
        self.tell(pid, Event::Request { token, request });
        self.until(|tree| tree.answered > token.0);
    }

    fn start_new(&mut self, pid: Pid, node: Node, keep: bool) {
        let spec = node.child_spec();
        if let Some(Process {
            kind: Species::Supervisor(boss),
            ..
        }) = self.alive.get_mut(&pid)
            && keep
            && !boss.live.contains_key(&spec.id)
        {
            boss.specs.insert(spec.id.clone(), node);
        }
        self.ask(pid, Request::StartChild(spec));
    }
}
