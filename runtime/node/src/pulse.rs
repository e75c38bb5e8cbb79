//! The node's pulse: one timer that looks at every ready process once a turn, and does what
//! `core::liveness` decides. It knows no protocol; answers to pings are noted by the links.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use ractor::ActorRef;
use synapse_core::liveness::{Action, Seen, Turns, Watch};
use synapse_core::spec::Liveness;
use synapse_core::time::Time;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::agent::process::Message;
use crate::agent::stacks::StackSource;
use crate::clock::Clock;
use crate::link::{LinkCommand, LinkPort};

/// Every process that is watched. It keeps none of them alive.
#[derive(Debug)]
pub(crate) struct Pulse {
    clock: Clock,
    probes: Mutex<Vec<Weak<Probe>>>,
    seats: AtomicU64,
    /// The first one has come.
    bell: Notify,
}

/// One process as the pulse sees it; the watch ends when its actor drops this.
#[derive(Debug)]
pub(crate) struct Probe {
    watch: Mutex<Watch>,
    port: Arc<LinkPort>,
    source: Arc<StackSource>,
    owner: Owner,
}

/// Who is told of what a watch decides.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) actor: ActorRef<Message>,
    pub(crate) incarnation: u64,
}

impl Pulse {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            probes: Mutex::default(),
            seats: AtomicU64::new(0),
            bell: Notify::new(),
        }
    }

    /// Watches a process from now on.
    pub(crate) fn watch(
        &self,
        rules: Liveness,
        on_loop: bool,
        port: Arc<LinkPort>,
        source: Arc<StackSource>,
        owner: Owner,
    ) -> Arc<Probe> {
        let seat = self.seats.fetch_add(1, Ordering::Relaxed);
        let probe = Arc::new(Probe {
            watch: Mutex::new(Watch::new(self.clock.now(), rules, on_loop, seat)),
            port,
            source,
            owner,
        });
        self.probes.lock().push(Arc::downgrade(&probe));
        self.bell.notify_one();
        probe
    }

    /// Takes turns as long as the node runs; rests while nobody is watched.
    pub(crate) async fn beat(&self) {
        let mut turns = Turns::default();
        loop {
            let probes = self.living();
            let every = probes
                .iter()
                .map(|probe| probe.watch.lock().turn_every())
                .min();
            let Some(every) = every else {
                turns = Turns::default();
                self.bell.notified().await;
                continue;
            };
            let now = self.clock.now();
            let ran = turns.ran(now, every);
            if !ran {
                tracing::info!("the node did not run for a while; nobody is blamed for silence");
            }
            for probe in &probes {
                probe.turn(now, ran);
            }
            drop(probes);
            sleep(every.into()).await;
        }
    }

    fn living(&self) -> Vec<Arc<Probe>> {
        let mut probes = self.probes.lock();
        probes.retain(|probe| probe.strong_count() > 0);
        probes.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Probe {
    fn turn(&self, now: Time, node_ran: bool) {
        let signs = self.port.take_signs();
        let mut watch = self.watch.lock();
        if !node_ran {
            watch.begin_anew(now);
            return;
        }
        let seen = Seen {
            stopped: self.source.is_stopped(),
            busy: self.port.in_flight() > 0,
            heard: signs.heard,
            pong: signs.pong,
            draining: self.port.is_retired(),
        };
        let mut actions = watch.turn(now, &seen);
        drop(watch);
        actions.retain(|action| {
            let is_ping = *action == Action::SendPing;
            if is_ping {
                self.port.send(LinkCommand::Ping);
            }
            !is_ping
        });
        if !actions.is_empty() {
            // Where the actor is gone, its process is being killed.
            drop(self.owner.actor.cast(Message::Hangs {
                incarnation: self.owner.incarnation,
                actions,
            }));
        }
    }
}
