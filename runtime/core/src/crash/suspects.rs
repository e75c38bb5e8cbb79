//! Calls that may be killing their agent, by what they say: a caller who tries again makes a new
//! call, and is to be known all the same.
//!
//! One death beside others proves nothing. So a call whose next death would be one too many runs
//! alone, and only a death alone condemns: the innocent are cleared by an answer, the guilty dies
//! with nobody beside it.

use std::collections::BTreeMap;

use crate::spec::CrashSpec;
use crate::time::{Millis, Time};

/// For how long a death is remembered, and a condemned call refused: what is tried again by hand or
/// by a client comes within minutes.
pub(super) const MEMORY: Millis = Millis::from_secs(60 * 60);
/// Calls that are remembered; of more, the one whose last death is longest ago is forgotten.
pub(super) const SUSPECTS_MAX: usize = 1_024;
/// Exits that are kept as the evidence against one call; of more, the latest.
pub(super) const EVIDENCE_MAX: usize = 5;

/// The suspects of one agent, by a fingerprint of what a call says.
#[derive(Clone, Debug)]
pub struct Suspects<E> {
    records: BTreeMap<u64, Record<E>>,
}

#[derive(Clone, Debug)]
struct Record<E> {
    deaths: u32,
    last: Time,
    evidence: Vec<E>,
    /// The dead letter of a condemned call.
    letter: Option<u64>,
}

/// How a call that comes is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As any other.
    Free,
    /// With nothing else in the same process.
    Alone,
    /// Not at all: it is the dead letter of this number.
    Condemned(u64),
}

impl<E> Default for Suspects<E> {
    fn default() -> Self {
        Self {
            records: BTreeMap::new(),
        }
    }
}

impl<E> Suspects<E> {
    /// Whether nobody is suspected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// A process died while it executed this; how many have by now.
    pub fn died(&mut self, call: u64, evidence: E, now: Time) -> u32 {
        self.forget_old(now);
        let record = self.records.entry(call).or_insert_with(|| Record {
            deaths: 0,
            last: now,
            evidence: Vec::new(),
            letter: None,
        });
        record.deaths = record.deaths.saturating_add(1);
        record.last = now;
        if record.evidence.len() == EVIDENCE_MAX {
            record.evidence.remove(0);
        }
        record.evidence.push(evidence);
        let deaths = record.deaths;
        self.make_room(call);
        deaths
    }

    /// A process lived through it: whatever has died beside it before, this was not the cause.
    pub fn survived(&mut self, call: u64) {
        self.records.remove(&call);
    }

    /// How a call is to be taken.
    #[must_use]
    pub fn standing(&self, call: u64, spec: &CrashSpec, now: Time) -> Standing {
        let record = self.records.get(&call).filter(|record| record.holds(now));
        match record {
            None => Standing::Free,
            Some(Record {
                letter: Some(letter),
                ..
            }) => Standing::Condemned(*letter),
            // As `fate` will count its next death.
            Some(record) if record.deaths.saturating_add(1) >= spec.poison_after => {
                match spec.poison_after {
                    0 => Standing::Free,
                    _ => Standing::Alone,
                }
            }
            Some(_) => Standing::Free,
        }
    }

    /// It is a dead letter from now on; the evidence against it.
    pub fn condemn(&mut self, call: u64, letter: u64) -> Vec<E> {
        let Some(record) = self.records.get_mut(&call) else {
            return Vec::new();
        };
        record.letter = Some(letter);
        std::mem::take(&mut record.evidence)
    }

    /// The dead letter of this number was dropped: its call is as any other.
    pub fn pardon(&mut self, letter: u64) {
        self.records.retain(|_, it| it.letter != Some(letter));
    }

    /// A dead letter's call is tried once more: alone, and one more death condemns it again.
    pub fn parole(&mut self, call: u64, spec: &CrashSpec, now: Time) {
        let record = Record {
            deaths: spec.poison_after.saturating_sub(1).max(1),
            last: now,
            evidence: Vec::new(),
            letter: None,
        };
        self.records.insert(call, record);
        self.make_room(call);
    }

    /// Everybody is cleared: the program may be another one by now.
    pub fn clear(&mut self) {
        self.records.clear();
    }

    fn forget_old(&mut self, now: Time) {
        self.records.retain(|_, record| record.holds(now));
    }

    fn make_room(&mut self, newest: u64) {
        if self.records.len() <= SUSPECTS_MAX {
            return;
        }
        let others = self.records.iter().filter(|(call, _)| **call != newest);
        let oldest = others.min_by_key(|(_, record)| record.last);
        if let Some(oldest) = oldest.map(|(call, _)| *call) {
            self.records.remove(&oldest);
        }
    }
}

impl<E> Record<E> {
    fn holds(&self, now: Time) -> bool {
        now - self.last < MEMORY
    }
}
