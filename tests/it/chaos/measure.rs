//! What a node consists of, counted from outside.

use std::collections::BTreeMap;
use std::fs;

use crate::harness::{World, children_of, command_of, holds, state_of, wait_for};

/// A node at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Measure {
    /// How many of each kind.
    pub(super) descriptors: BTreeMap<String, usize>,
    pub(super) resident_kib: u64,
    /// The node's own children.
    pub(super) processes: usize,
    pub(super) zygotes: usize,
    pub(super) zombies: usize,
}

/// As often the same is at rest: what comes and goes by itself has come, or gone.
const SAME: usize = 40;

impl Measure {
    /// When nothing has changed for a while but the memory.
    pub(super) fn at_rest(world: &World) -> Self {
        let (mut last, mut same) = (Self::of(world), 0);
        wait_for("nothing to come or go", || {
            let now = Self::of(world);
            let alike = Self {
                resident_kib: last.resident_kib,
                ..now.clone()
            } == last;
            same = if alike { same + 1 } else { 0 };
            last = now;
            holds(same >= SAME, format!("{last:?}")).map(|()| last.clone())
        })
    }

    pub(super) fn of(world: &World) -> Self {
        let node = world.node_pid();
        let children = children_of(node);
        let zombie = |pid: &&u32| state_of(**pid) == Some('Z');
        Self {
            descriptors: descriptors(node),
            resident_kib: resident_kib(node),
            processes: children.len(),
            zygotes: zygotes(world).len(),
            zombies: children.iter().filter(zombie).count(),
        }
    }
}

impl Measure {
    /// One that was forked is watched by a descriptor more than one that was executed.
    pub(super) fn has_no_more_descriptors_than(&self, other: &Self) -> bool {
        let most = |kind| other.descriptors.get(kind).copied().unwrap_or(0);
        self.descriptors
            .iter()
            .all(|(kind, count)| *count <= most(kind))
    }
}

fn descriptors(pid: u32) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("the node is there") {
        let path = entry.expect("it can be read").path();
        // One that is closed meanwhile was none to count.
        let Ok(target) = fs::read_link(path) else {
            continue;
        };
        let target = target.to_string_lossy().into_owned();
        let kind = target.split(":[").next().unwrap_or_default().to_owned();
        *kinds.entry(kind).or_default() += 1;
    }
    kinds
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the node is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.map(|line| line.trim().trim_end_matches(" kB"));
    number.expect("a size").parse().expect("a number")
}

fn is_zygote(pid: u32) -> bool {
    command_of(pid).contains("synapse_zygote")
}

/// The zygotes of a node.
pub(super) fn zygotes(world: &World) -> Vec<u32> {
    let mut children = children_of(world.node_pid());
    children.retain(|pid| is_zygote(*pid));
    children
}

/// The agents of a node, and what has fallen to it.
pub(super) fn agents(world: &World) -> Vec<u32> {
    let mut children = children_of(world.node_pid());
    children.retain(|pid| !is_zygote(*pid));
    children
}
