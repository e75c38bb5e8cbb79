//! A process with all that it has started, and what they use together. What has left its parents
//! is found where it has fallen: at this process, by its tag.

use std::collections::HashSet;

use rustix::process::Pid;

use crate::tag::Tag;
use crate::usage;

/// Processes of one family that are counted; more are not looked for.
#[cfg(target_os = "linux")]
const MEMBERS_MAX: usize = 1 << 16;

/// Those that have fallen to this process, each with the tag of the process that it came from.
#[derive(Debug, Default)]
pub struct Orphans(
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only Linux has descendants found")
    )]
    pub(crate) Vec<(Tag, Pid)>,
);

/// A process and its descendants, at one moment.
#[derive(Debug)]
pub struct Family(HashSet<u32>);

impl Family {
    #[cfg(target_os = "linux")]
    pub(crate) fn of(leader: Pid, tag: &Tag, orphans: &Orphans) -> Self {
        let own = orphans.0.iter().filter(|(its, _)| its == tag);
        let mut next: Vec<Pid> = own.map(|(_, pid)| *pid).collect();
        next.push(leader);
        let mut members = HashSet::new();
        while let Some(pid) = next.pop()
            && members.len() < MEMBERS_MAX
        {
            // One that falls to this process meanwhile would be met twice.
            if members.insert(pid.as_raw_pid().unsigned_abs()) {
                // One that has ended meanwhile has none any more.
                next.extend(crate::children::of(pid).unwrap_or_default());
            }
        }
        Self(members)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What they have in memory and in swap, where pages that they share with others, or with each
    /// other, count for each: cheap, and never too little.
    pub fn occupied_bytes(&self) -> u64 {
        self.sum(usage::occupied_bytes)
    }

    /// The same where each page counts once, or as the part of it that is theirs: as dear as
    /// [`crate::Usage`].
    pub fn share_bytes(&self) -> u64 {
        self.sum(usage::share_bytes)
    }

    /// Those that have ended meanwhile have nothing.
    fn sum(&self, bytes: impl Fn(u32) -> Option<u64>) -> u64 {
        self.0.iter().filter_map(|pid| bytes(*pid)).sum()
    }
}
