//! Which calls are held to be killing this agent: core's table, with a clock and a fingerprint.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde_json::Value;
use synapse_core::crash::{Standing, Suspects};
use synapse_core::spec::CrashSpec;

use crate::call::Call;
use crate::clock::Clock;
use crate::deadletters::LetterId;

/// The suspects among the calls of one agent.
#[derive(Debug)]
pub(crate) struct Suspicion {
    spec: CrashSpec,
    clock: Clock,
    /// By chance, so that no caller can choose an input that is taken for another's.
    hasher: RandomState,
    suspects: Mutex<Suspects<Arc<Value>>>,
    /// Whether there are any: a fingerprint costs as much as the input is long.
    any: AtomicBool,
}

impl Suspicion {
    pub(crate) fn new(spec: CrashSpec) -> Self {
        Self {
            spec,
            clock: Clock::start(),
            hasher: RandomState::new(),
            suspects: Mutex::default(),
            any: AtomicBool::new(false),
        }
    }

    /// How a call is to be taken.
    pub(crate) fn standing(&self, call: &Call) -> Standing {
        if !self.any.load(Ordering::Acquire) {
            return Standing::Free;
        }
        let fingerprint = self.fingerprint(call);
        let suspects = self.suspects.lock();
        suspects.standing(fingerprint, &self.spec, self.clock.now())
    }

    /// A process died while it executed this; how many have by now.
    pub(crate) fn died(&self, call: &Call, evidence: &Arc<Value>) -> u32 {
        let fingerprint = self.fingerprint(call);
        let evidence = Arc::clone(evidence);
        self.change(|suspects, now| suspects.died(fingerprint, evidence, now))
    }

    /// A process lived through it.
    pub(crate) fn survived(&self, call: &Call) {
        if self.any.load(Ordering::Acquire) {
            let fingerprint = self.fingerprint(call);
            self.change(|suspects, _| suspects.survived(fingerprint));
        }
    }

    /// It is this dead letter from now on; the evidence against it.
    pub(crate) fn condemn(&self, call: &Call, letter: LetterId) -> Vec<Arc<Value>> {
        let fingerprint = self.fingerprint(call);
        self.change(|suspects, _| suspects.condemn(fingerprint, letter.0))
    }

    /// A dead letter was dropped.
    pub(crate) fn pardon(&self, letter: LetterId) {
        self.change(|suspects, _| suspects.pardon(letter.0));
    }

    /// A dead letter is tried again.
    pub(crate) fn parole(&self, call: &Call) {
        let fingerprint = self.fingerprint(call);
        self.change(|suspects, now| suspects.parole(fingerprint, &self.spec, now));
    }

    /// The program may be another one from now on.
    pub(crate) fn clear(&self) {
        self.change(|suspects, _| suspects.clear());
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut Suspects<Arc<Value>>, synapse_core::time::Time) -> T,
    ) -> T {
        let mut suspects = self.suspects.lock();
        let changed = change(&mut suspects, self.clock.now());
        self.any.store(!suspects.is_empty(), Ordering::Release);
        changed
    }

    fn fingerprint(&self, call: &Call) -> u64 {
        *call.fingerprint.get_or_init(|| {
            let input = &call.input;
            // What the program gets, and nothing of the call's own: neither its number nor its time.
            self.hasher.hash_one((
                &input.input,
                &input.deps,
                &input.history,
                &input.model,
                &input.settings,
                &input.instructions,
            ))
        })
    }
}
