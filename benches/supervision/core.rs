//! What core needs to decide: one child of many crashes, is reported, counted and started again.

use divan::Bencher;
use divan::counter::ItemsCount;
use synapse_core::exit::ExitReason;
use synapse_core::supervisor::{
    Action, ChildId, ChildSpec, DynamicFlags, DynamicSupervisor, Event, Flags, INTENSITY_MAX,
    Request, Supervisor, Token,
};
use synapse_core::time::{Millis, Time};

const SIBLINGS: [usize; 4] = [1, 100, 10_000, 100_000];
/// How far the next child to crash is from the last: a prime, so that all have their turn and no
/// cache foresees it.
const STRIDE: usize = 7_919;
/// In each iteration: the crash, and the word of the new life that it is up.
const DECISIONS: usize = 2;

#[divan::bench(args = SIBLINGS, sample_size = 1_000)]
fn one_for_one_crash(bencher: Bencher<'_, '_>, siblings: usize) {
    let ids = ids(siblings);
    let flags = Flags {
        intensity: INTENSITY_MAX,
        ..Flags::default()
    };
    let specs = ids.iter().cloned().map(ChildSpec::worker).collect();
    let core = Supervisor::new("root", flags, specs, 0).expect("valid specs");
    let mut stage = Stage::new(core, ids);
    bencher
        .counter(ItemsCount::new(DECISIONS))
        .bench_local(|| stage.crash());
}

/// Below a dynamic supervisor, where who is started again becomes the youngest.
#[divan::bench(args = SIBLINGS, sample_size = 1_000)]
fn dynamic_crash(bencher: Bencher<'_, '_>, siblings: usize) {
    let ids = ids(siblings);
    let flags = DynamicFlags {
        intensity: INTENSITY_MAX,
        period: Millis(5_000),
        max_children: usize::MAX,
        template: None,
    };
    let mut stage = Stage::new(DynamicSupervisor::new("root", flags, 0), ids.clone());
    for (id, token) in ids.into_iter().zip(0..) {
        let request = Request::StartChild(ChildSpec::worker(id));
        let token = Token(token);
        stage.settle(Event::Request { token, request });
    }
    bencher
        .counter(ItemsCount::new(DECISIONS))
        .bench_local(|| stage.crash());
}

fn ids(siblings: usize) -> Vec<ChildId> {
    let id = |number| ChildId::from(format!("agent.{number}"));
    (0..siblings).map(id).collect()
}

trait Core {
    fn handle(&mut self, now: Time, event: Event, out: &mut Vec<Action>);
}

impl Core for Supervisor {
    fn handle(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        self.handle(now, event, out);
    }
}

impl Core for DynamicSupervisor {
    fn handle(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        self.handle(now, event, out);
    }
}

/// A supervisor whose children start at once. Its time goes on by a millisecond a crash, so that
/// 5,000 of them count against the intensity.
struct Stage<C> {
    core: C,
    ids: Vec<ChildId>,
    crashes: usize,
    now: Time,
    out: Vec<Action>,
}

impl<C: Core> Stage<C> {
    fn new(core: C, ids: Vec<ChildId>) -> Self {
        let mut stage = Self {
            core,
            ids,
            crashes: 0,
            now: Time(0),
            out: Vec::new(),
        };
        stage.settle(Event::Start);
        stage
    }

    fn crash(&mut self) {
        let child = self.ids[self.crashes * STRIDE % self.ids.len()].clone();
        // All have crashed equally often before anyone does again.
        let incarnation = (self.crashes / self.ids.len()) as u64 + 1;
        self.crashes += 1;
        self.now = self.now + Millis(1);
        let reason = ExitReason::Exited(1);
        self.settle(Event::ChildExited {
            child,
            incarnation,
            reason,
        });
    }

    fn settle(&mut self, event: Event) {
        let mut event = Some(event);
        while let Some(next) = event {
            self.core.handle(self.now, next, &mut self.out);
            event = self.out.drain(..).fold(None, |event, action| match action {
                Action::Start {
                    child, incarnation, ..
                } => Some(Event::ChildStarted { child, incarnation }),
                Action::Exit { .. } => panic!("the supervisor gave up"),
                _ => event,
            });
        }
    }
}
