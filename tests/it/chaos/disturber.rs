//! What happens to agents from outside: signals to their processes and to the zygotes', and the
//! wishes of an operator who cannot leave them alone.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use super::random::Random;
use super::{AGENTS, measure};
use crate::harness::World;

/// The longest that nothing happens, in milliseconds.
const PEACE_MS: u64 = 60;

pub(super) fn disturb(world: &World, mut random: Random, until: Instant) {
    while Instant::now() < until {
        match random.below(10) {
            0 => operate(world, &mut random),
            1 => strike(zygote(world, &mut random), &mut random),
            _ => strike(agent(world, &mut random), &mut random),
        }
        // Signals come at any moment; there is nothing to wait for.
        std::thread::park_timeout(Duration::from_millis(random.below(PEACE_MS)));
    }
    // What is stopped and asked for nothing would stay so.
    for pid in [measure::zygotes(world), measure::agents(world)].concat() {
        send(pid, Signal::CONT);
    }
}

fn operate(world: &World, random: &mut Random) {
    let agent = random.one_of(&AGENTS);
    let verbs: &[&str] = random.one_of(&[&["restart"], &["kill"], &["stop", "start"]]);
    for verb in verbs {
        // An agent that has no process at the moment cannot be killed: that is an answer.
        world.run(&[verb, agent]);
    }
}

fn agent(world: &World, random: &mut Random) -> Option<u32> {
    let agents = measure::agents(world);
    (!agents.is_empty()).then(|| random.one_of(&agents))
}

fn zygote(world: &World, random: &mut Random) -> Option<u32> {
    let zygotes = measure::zygotes(world);
    (!zygotes.is_empty()).then(|| random.one_of(&zygotes))
}

fn strike(pid: Option<u32>, random: &mut Random) {
    let Some(pid) = pid else { return };
    let signal = random.one_of(&[
        Signal::KILL,
        Signal::KILL,
        Signal::TERM,
        Signal::SEGV,
        Signal::STOP,
        Signal::CONT,
    ]);
    send(pid, signal);
}

/// It may have gone since it was seen. Its number is not another's yet: the kernel gives out all
/// others first.
fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        kill_process(pid, signal).ok();
    }
}
