//! A bench to put a supervisor on: children that do as the test says, a clock that it moves.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use synapse_core::exit::ExitReason;
use synapse_core::spec::{Restart, Shutdown, Strategy};
use synapse_core::supervisor::{
    Action, ChildId, ChildInfo, ChildSpec, ChildState, Counts, DynamicFlags, DynamicSupervisor,
    Event, Flags, Reply, Request, RequestError, StartError, Supervisor, TimerId, Token,
};
use synapse_core::time::{Millis, Time};

/// Events that the bench takes before it calls the supervisor endless.
const EVENTS_MAX: usize = 100_000;

pub(crate) enum Machine {
    Static(Supervisor),
    Dynamic(DynamicSupervisor),
}

pub(crate) struct Bench {
    pub(crate) machine: Machine,
    pub(crate) now: Time,
    pub(crate) log: Vec<Action>,
    /// Live incarnations, and whether they are up.
    pub(crate) live: HashMap<ChildId, u64>,
    pub(crate) replies: HashMap<Token, Reply>,
    /// When restarts were counted.
    pub(crate) restarts: Vec<Time>,
    timers: BTreeMap<TimerId, Time>,
    inbox: VecDeque<Event>,
    failing: HashMap<ChildId, u32>,
    ignoring: HashSet<ChildId>,
    hanging: HashSet<ChildId>,
    stubborn: HashSet<ChildId>,
    immortal: HashSet<ChildId>,
    next_token: u64,
}

pub(crate) fn worker(id: &str) -> ChildSpec {
    ChildSpec {
        shutdown: Shutdown::Timeout(Millis(1000)),
        ..ChildSpec::worker(id)
    }
}

pub(crate) fn with(id: &str, restart: Restart) -> ChildSpec {
    ChildSpec {
        restart,
        ..worker(id)
    }
}

pub(crate) fn workers(ids: &str) -> Vec<ChildSpec> {
    ids.split(' ').map(worker).collect()
}

pub(crate) fn crash() -> ExitReason {
    ExitReason::Error("crash".to_owned())
}

pub(crate) fn error(error: RequestError) -> Option<Reply> {
    Some(Reply::Error(error))
}

/// The start of a child failed for this reason.
pub(crate) fn start_failed(reason: &str) -> Option<Reply> {
    let reason = ExitReason::Error(reason.to_owned());
    error(RequestError::StartFailed(StartError::new(reason)))
}

pub(crate) fn flags(strategy: Strategy, intensity: u32, period_ms: u64) -> Flags {
    Flags {
        strategy,
        intensity,
        period: Millis(period_ms),
        ..Flags::default()
    }
}

impl Bench {
    /// A supervisor of these children, not started.
    pub(crate) fn new(flags: Flags, children: Vec<ChildSpec>) -> Self {
        Self::of(Machine::Static(
            Supervisor::new("root", flags, children, 7).unwrap(),
        ))
    }

    /// A supervisor of these children, all up, with an empty log.
    pub(crate) fn up(flags: Flags, children: Vec<ChildSpec>) -> Self {
        let mut bench = Self::new(flags, children);
        bench.send(Event::Start);
        bench.log.clear();
        bench
    }

    /// A dynamic supervisor, up.
    pub(crate) fn dynamic(flags: DynamicFlags) -> Self {
        let mut bench = Self::of(Machine::Dynamic(DynamicSupervisor::new("root", flags, 7)));
        bench.send(Event::Start);
        bench.log.clear();
        bench
    }

    fn of(machine: Machine) -> Self {
        Self {
            machine,
            now: Time(0),
            log: Vec::new(),
            live: HashMap::new(),
            replies: HashMap::new(),
            restarts: Vec::new(),
            timers: BTreeMap::new(),
            inbox: VecDeque::new(),
            failing: HashMap::new(),
            ignoring: HashSet::new(),
            hanging: HashSet::new(),
            stubborn: HashSet::new(),
            immortal: HashSet::new(),
            next_token: 0,
        }
    }

    /// The next `times` starts of this child fail.
    pub(crate) fn fail(&mut self, id: &str, times: u32) {
        self.failing.insert(id.into(), times);
    }

    /// Starts of this child answer `ignore`.
    pub(crate) fn ignore(&mut self, id: &str) {
        self.ignoring.insert(id.into());
    }

    /// Starts of this child are not answered.
    pub(crate) fn hang(&mut self, id: &str) {
        self.hanging.insert(id.into());
    }

    /// Starts of this child are answered again.
    pub(crate) fn unhang(&mut self, id: &str) {
        self.hanging.remove(id);
    }

    /// This child obeys only a kill.
    pub(crate) fn stubborn(&mut self, id: &str) {
        self.stubborn.insert(id.into());
    }

    /// This child ends only by `exit`.
    pub(crate) fn immortal(&mut self, id: &str) {
        self.immortal.insert(id.into());
        self.stubborn(id);
    }

    /// The child ends by itself.
    pub(crate) fn exit(&mut self, id: &str, reason: ExitReason) {
        let event = self.exited(id, reason);
        self.send(event);
    }

    pub(crate) fn exited(&mut self, id: &str, reason: ExitReason) -> Event {
        let incarnation = self
            .live
            .remove(id)
            .unwrap_or_else(|| panic!("{id} is not alive"));
        Event::ChildExited {
            child: id.into(),
            incarnation,
            reason,
        }
    }

    /// Asks and lets everything happen; the answer, if it has come.
    pub(crate) fn ask(&mut self, request: Request) -> Option<Reply> {
        let token = self.begin(request);
        self.replies.get(&token).cloned()
    }

    pub(crate) fn begin(&mut self, request: Request) -> Token {
        let token = Token(self.next_token);
        self.next_token += 1;
        self.send(Event::Request { token, request });
        token
    }

    /// Gives the supervisor an event and lets everything happen that follows at this moment.
    pub(crate) fn send(&mut self, event: Event) {
        self.step(event);
        self.settle();
    }

    /// Lets everything happen that is due.
    pub(crate) fn settle(&mut self) {
        for _ in 0..EVENTS_MAX {
            let Some(event) = self.inbox.pop_front() else {
                return;
            };
            self.step(event);
        }
        panic!("the supervisor does not come to rest");
    }

    /// Gives the supervisor an event, and does not yet deliver what follows.
    pub(crate) fn step(&mut self, event: Event) {
        let mut actions = Vec::new();
        match &mut self.machine {
            Machine::Static(machine) => machine.handle(self.now, event, &mut actions),
            Machine::Dynamic(machine) => machine.handle(self.now, event, &mut actions),
        }
        for action in actions {
            self.act(&action);
            self.log.push(action);
        }
    }

    /// Delivers one thing that is due; whether there was one.
    pub(crate) fn deliver(&mut self) -> bool {
        let event = self.inbox.pop_front();
        let due = event.is_some();
        event.into_iter().for_each(|event| self.step(event));
        due
    }

    /// Whether the supervisor is over.
    pub(crate) const fn has_ended(&self) -> bool {
        match &self.machine {
            Machine::Static(machine) => machine.has_ended(),
            Machine::Dynamic(machine) => machine.has_ended(),
        }
    }

    /// Moves the clock, and lets happen what is due on the way.
    pub(crate) fn wait(&mut self, ms: u64) {
        let until = self.now + Millis(ms);
        while let Some((id, at)) = self.first_timer().filter(|(_, at)| *at <= until) {
            self.now = self.now.max(at);
            self.timers.remove(&id);
            self.send(Event::Timer(id));
        }
        self.now = until;
    }

    fn first_timer(&self) -> Option<(TimerId, Time)> {
        self.timers
            .iter()
            .map(|(id, at)| (*id, *at))
            .min_by_key(|(id, at)| (*at, *id))
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Start {
                child, incarnation, ..
            } => self.begin_child(child, *incarnation),
            Action::Stop {
                child, incarnation, ..
            } => {
                self.assert_live(child, *incarnation);
                if !self.stubborn.contains(child) {
                    self.end(child, ExitReason::Shutdown(None));
                }
            }
            Action::Kill { child, incarnation } => {
                self.assert_live(child, *incarnation);
                if !self.immortal.contains(child) {
                    self.end(child, ExitReason::Killed);
                }
            }
            Action::SetTimer { id, at } if *at <= self.now => {
                self.inbox.push_back(Event::Timer(*id));
            }
            Action::SetTimer { id, at } => {
                self.timers.insert(*id, *at);
            }
            Action::ClearTimer(id) => {
                self.timers.remove(id);
            }
            Action::Reply { token, reply } => {
                let before = self.replies.insert(*token, reply.clone());
                assert_eq!(before, None, "{token:?} was answered twice");
            }
            Action::Exit { .. } | Action::StartFailed(_) => {
                assert!(self.live.is_empty(), "it ended before {:?}", self.live);
            }
            Action::Started
            | Action::Report(_)
            | Action::StaysDown { .. }
            | Action::Forgotten(_) => {}
            Action::Restarting { .. } => self.restarts.push(self.now),
        }
    }

    fn begin_child(&mut self, child: &ChildId, incarnation: u64) {
        assert!(
            !self.live.contains_key(child),
            "two live incarnations of {child}"
        );
        let child = child.clone();
        let failures = self.failing.get_mut(&child).filter(|times| **times > 0);
        if let Some(times) = failures {
            *times -= 1;
            let error = StartError::new(ExitReason::Error("boom".to_owned()));
            self.inbox.push_back(Event::ChildStartFailed {
                child,
                incarnation,
                error,
            });
        } else if self.ignoring.contains(&child) {
            self.inbox
                .push_back(Event::ChildIgnored { child, incarnation });
        } else {
            self.live.insert(child.clone(), incarnation);
            if !self.hanging.contains(&child) {
                self.inbox
                    .push_back(Event::ChildStarted { child, incarnation });
            }
        }
    }

    fn assert_live(&self, child: &ChildId, incarnation: u64) {
        // A failed start may be on its way: then the supervisor cannot know better.
        if let Some(live) = self.live.get(child) {
            assert_eq!(
                *live, incarnation,
                "a stale incarnation of {child} is told to end"
            );
        }
    }

    fn end(&mut self, child: &ChildId, reason: ExitReason) {
        if let Some(incarnation) = self.live.remove(child) {
            self.inbox.push_back(Event::ChildExited {
                child: child.clone(),
                incarnation,
                reason,
            });
        }
    }

    /// `which_children`, newest first: `b:up a:down`.
    pub(crate) fn which(&mut self) -> String {
        let Some(Reply::Children(children)) = self.ask(Request::WhichChildren) else {
            panic!("no list");
        };
        let line = |child: &ChildInfo| format!("{}:{:?}", child.id, child.state).to_lowercase();
        children.iter().map(line).collect::<Vec<_>>().join(" ")
    }

    /// `count_children`: specs, active, supervisors, workers.
    pub(crate) fn counts(&mut self) -> [usize; 4] {
        let Some(Reply::Counts(counts)) = self.ask(Request::CountChildren) else {
            panic!("no counts");
        };
        let Counts {
            specs,
            active,
            supervisors,
            workers,
        } = counts;
        [specs, active, supervisors, workers]
    }

    /// Asks between two things that happen, so that what is due stays due. The answer must come
    /// at once.
    pub(crate) fn ask_now(&mut self, request: Request) -> Reply {
        let token = Token(self.next_token);
        self.next_token += 1;
        self.step(Event::Request { token, request });
        self.replies
            .get(&token)
            .cloned()
            .unwrap_or_else(|| panic!("no answer at once"))
    }

    /// The child crashes and its starts fail from now on; stops between two tries.
    pub(crate) fn loop_restarts(&mut self, id: &str, reason: ExitReason) {
        self.fail(id, u32::MAX);
        let event = self.exited(id, reason);
        self.step(event);
        for _ in 0..20 {
            let info = self.ask_now(Request::WhichChild(id.into()));
            if matches!(info, Reply::Child(info) if info.state == ChildState::Restarting) {
                return self.log.clear();
            }
            self.deliver();
        }
        panic!("{id} is not in a restart loop");
    }

    /// What was done since the last time, without reports and timers.
    pub(crate) fn trace(&mut self) -> String {
        let log = std::mem::take(&mut self.log);
        log.iter().filter_map(deed).collect::<Vec<_>>().join(" ")
    }

    /// What was reported since the last time.
    pub(crate) fn reports(&mut self) -> Vec<String> {
        let log = std::mem::take(&mut self.log);
        let reports = log.into_iter().filter_map(|action| match action {
            Action::Report(report) => Some(report.to_string()),
            _ => None,
        });
        reports.collect()
    }
}

/// A word for what is done: `+a1` started, `-a1` told to stop, `!a1` killed.
fn deed(action: &Action) -> Option<String> {
    match action {
        Action::Start {
            child, incarnation, ..
        } => Some(format!("+{child}{incarnation}")),
        Action::Stop {
            child, incarnation, ..
        } => Some(format!("-{child}{incarnation}")),
        Action::Kill { child, incarnation } => Some(format!("!{child}{incarnation}")),
        Action::Started => Some("up".to_owned()),
        Action::StartFailed(error) => Some(format!("start_failed({error})")),
        Action::Forgotten(child) => Some(format!("forget({child})")),
        Action::Exit { reason, cause } => Some(format!("exit({}, {cause:?})", reason.word())),
        Action::SetTimer { .. }
        | Action::ClearTimer(_)
        | Action::Reply { .. }
        | Action::Report(_)
        | Action::StaysDown { .. }
        | Action::Restarting { .. } => None,
    }
}
