use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof};
use proptest::proptest;
use proptest::strategy::{Just, Strategy};

use super::*;

const RULES: Liveness = Liveness {
    interval: Millis(1_000),
    loop_lag_max: Millis(3_000),
    silence_max: Millis(4_000),
    action: LivenessAction::Restart,
};
const EVERY: u64 = 375;

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// Its loop, or its reading thread, answers by itself.
    Fine,
    /// The code has been away since then; another thread answers.
    Away { since: u64 },
    /// Nothing answers.
    Mute,
    /// Stopped by a signal.
    Stopped,
}

/// A process and its watch, on a clock that is a number.
struct Scene {
    watch: Watch,
    now: u64,
    life: Life,
    busy: bool,
    draining: bool,
    open: bool,
    pings: Vec<u64>,
    told: Vec<(u64, Action)>,
}

impl Scene {
    fn new(rules: Liveness, on_loop: bool) -> Self {
        Self {
            watch: Watch::new(Time(0), rules, on_loop, 0),
            now: 0,
            life: Life::Fine,
            busy: true,
            draining: false,
            open: false,
            pings: Vec::new(),
            told: Vec::new(),
        }
    }

    /// The process is in this state for so long.
    fn lives(mut self, life: Life, for_ms: u64) -> Self {
        self.life = life;
        let end = self.now + for_ms;
        while self.now + EVERY <= end {
            self.now += EVERY;
            self.turn();
        }
        self
    }

    fn turn(&mut self) {
        let lag = match self.life {
            Life::Fine => Some(0),
            Life::Away { since } => Some(self.now - since),
            Life::Mute | Life::Stopped => None,
        };
        let pong = lag.filter(|_| self.open).map(|lag| Pong {
            lag: Millis(lag),
            others_open: false,
        });
        self.open &= pong.is_none();
        let seen = Seen {
            stopped: self.life == Life::Stopped,
            busy: self.busy,
            heard: pong.is_some(),
            pong,
            draining: self.draining,
        };
        for action in self.watch.turn(Time(self.now), &seen) {
            match action {
                Action::SendPing => {
                    self.open = true;
                    self.pings.push(self.now);
                }
                action => self.told.push((self.now, action)),
            }
        }
    }

    /// The node itself was away for so long: its next turn comes late.
    fn node_sleeps(mut self, for_ms: u64) -> Self {
        self.now += for_ms;
        self.watch.begin_anew(Time(self.now));
        self
    }

    fn idle(mut self) -> Self {
        self.busy = false;
        self
    }

    /// What people and the process were told, without times and figures.
    fn words(&self) -> Vec<String> {
        let word = |(_, action): &(u64, Action)| match action {
            Action::SendPing => "ping".to_owned(),
            Action::DumpStacks => "stacks".to_owned(),
            Action::Warn(finding) => format!("warn {}", finding.hang.as_str()),
            Action::Recovered(hang) => format!("recovered {}", hang.as_str()),
            Action::Condemn(finding) => format!("condemn {}", finding.hang.as_str()),
        };
        self.told.iter().map(word).collect()
    }
}

const fn with(action: LivenessAction) -> Liveness {
    Liveness { action, ..RULES }
}

#[test]
fn each_hang_ends_as_its_policy_says() {
    const BLOCKED: Life = Life::Away { since: 0 };
    let cases: [(LivenessAction, Life, &[&str]); 9] = [
        (
            LivenessAction::Restart,
            BLOCKED,
            &["stacks", "condemn blocked"],
        ),
        (
            LivenessAction::Restart,
            Life::Mute,
            &["stacks", "condemn silent"],
        ),
        (
            LivenessAction::Restart,
            Life::Stopped,
            &["stacks", "condemn stopped"],
        ),
        (
            LivenessAction::RestartSilent,
            BLOCKED,
            &["stacks", "warn blocked"],
        ),
        (
            LivenessAction::RestartSilent,
            Life::Mute,
            &["stacks", "condemn silent"],
        ),
        (
            LivenessAction::RestartSilent,
            Life::Stopped,
            &["stacks", "condemn stopped"],
        ),
        (LivenessAction::Warn, BLOCKED, &["stacks", "warn blocked"]),
        (LivenessAction::Warn, Life::Mute, &["stacks", "warn silent"]),
        (
            LivenessAction::Warn,
            Life::Stopped,
            &["stacks", "warn stopped"],
        ),
    ];
    for (action, life, expected) in cases {
        let scene = Scene::new(with(action), true).lives(life, 60_000);
        assert_eq!(scene.words(), expected, "{action:?} {life:?}");
    }
}

#[test]
fn a_long_run_where_there_is_no_loop_is_no_hang() {
    let scene = Scene::new(RULES, false).lives(Life::Away { since: 0 }, 3_600_000);
    assert_eq!(scene.words(), [""; 0]);
}

#[test]
fn a_loop_that_is_away_for_less_than_its_limit_is_no_hang() {
    let mut scene = Scene::new(RULES, true);
    for _ in 0..100 {
        let since = scene.now;
        scene = scene
            .lives(Life::Away { since }, 2_500)
            .lives(Life::Fine, 400);
    }
    assert_eq!(scene.words(), [""; 0]);
}

#[test]
fn a_blocked_loop_is_found_soon_after_its_limit() {
    // Asked in the moment in which it began, and then only after the interval, but for its lag.
    let slow = Liveness {
        interval: Millis(60_000),
        ..RULES
    };
    let scene = Scene::new(slow, true).lives(Life::Fine, 59_000);
    let since = scene.now;
    let scene = scene.lives(Life::Away { since }, 20_000);
    let (at, _) = scene.told.first().unwrap();
    assert!(at - since < 3_000 + 4 * EVERY, "{:?}", scene.told);
}

#[test]
fn an_episode_is_told_once_and_so_is_its_end() {
    for (life, word) in [
        (Life::Away { since: 0 }, "blocked"),
        (Life::Mute, "silent"),
        (Life::Stopped, "stopped"),
    ] {
        let scene = Scene::new(with(LivenessAction::Warn), true)
            .lives(life, 60_000)
            .lives(Life::Fine, 60_000)
            .lives(Life::Fine, 60_000);
        let mut words = scene.words();
        words.retain(|word| word != "stacks");
        assert_eq!(words, [format!("warn {word}"), format!("recovered {word}")]);
    }
}

#[test]
fn a_node_that_slept_blames_nobody() {
    for life in [Life::Fine, Life::Mute, Life::Away { since: 0 }] {
        let mut scene = Scene::new(RULES, true);
        for _ in 0..50 {
            // Each time for longer than any limit, and awake for less than one.
            scene = scene.lives(life, 2_600).node_sleeps(3_600_000);
        }
        assert_eq!(scene.words(), [""; 0], "{life:?}");
    }
}

#[test]
fn a_process_that_is_continued_begins_anew() {
    // The time in which it was stopped is in the lag that it then tells of itself.
    let scene = Scene::new(RULES, true)
        .lives(Life::Away { since: 0 }, 1_000)
        .lives(Life::Stopped, 3_800)
        .lives(Life::Away { since: 0 }, 2_600)
        .lives(Life::Fine, 60_000);
    assert_eq!(scene.words(), [""; 0]);
}

#[test]
fn frames_that_come_are_signs_of_life() {
    let mut watch = Watch::new(Time(0), RULES, false, 0);
    for turn in 0..1_000 {
        let seen = Seen {
            busy: true,
            heard: true,
            ..Seen::default()
        };
        let actions = watch.turn(Time(turn * EVERY), &seen);
        assert!(
            actions.iter().all(|action| *action == Action::SendPing),
            "{actions:?}"
        );
    }
}

#[test]
fn what_runs_after_the_loop_is_not_late() {
    let mut scene = Scene::new(RULES, true);
    scene.draining = true;
    let scene = scene.lives(Life::Away { since: 0 }, 60_000);
    assert_eq!(scene.words(), [""; 0]);
    let mut scene = Scene::new(RULES, true);
    scene.draining = true;
    let scene = scene.lives(Life::Mute, 60_000);
    assert_eq!(scene.words(), ["stacks", "condemn silent"]);
}

#[test]
fn an_idle_process_is_asked_seldom_and_its_stop_is_seen_all_the_same() {
    let hour = 3_600_000;
    let idle = Scene::new(RULES, true).idle().lives(Life::Fine, hour);
    let busy = Scene::new(RULES, true).lives(Life::Fine, hour);
    assert!(
        idle.pings.len() * 5 < busy.pings.len(),
        "{}",
        idle.pings.len()
    );
    let scene = idle.lives(Life::Stopped, 60_000);
    assert_eq!(scene.words(), ["stacks", "condemn stopped"]);
    let (at, _) = scene.told.first().unwrap();
    assert!(at - hour < 4_000 + 2 * EVERY, "{:?}", scene.told);
}

#[test]
fn the_processes_of_a_node_are_not_asked_in_step() {
    let rules = Liveness::default();
    let mut at_once = std::collections::BTreeMap::new();
    for seat in 0..200 {
        let due = Time(0) + rules.interval + offset(rules.interval, seat);
        *at_once.entry(due.0 / 1_000).or_insert(0_u32) += 1;
    }
    assert_eq!(at_once.len(), 10, "over the whole interval: {at_once:?}");
    let most = at_once.values().max().unwrap();
    assert!(*most <= 24, "{at_once:?}");
}

#[test]
fn turns_follow_the_shortest_limit_within_bounds() {
    let every = |lag, silence| {
        let rules = Liveness {
            loop_lag_max: Millis(lag),
            silence_max: Millis(silence),
            ..RULES
        };
        Watch::new(Time(0), rules, true, 0).turn_every()
    };
    assert_eq!(every(30_000, 60_000), Millis(1_000));
    assert_eq!(every(3_000, 4_000), Millis(EVERY));
    assert_eq!(every(100, 4_000), Millis(50));
}

#[test]
fn a_late_turn_says_that_the_node_did_not_run() {
    let mut turns = Turns::default();
    let every = Millis(1_000);
    for (at, ran) in [
        (5_000, true),
        (6_000, true),
        (9_000, true),
        (12_001, false),
        (13_000, true),
        (9_999_999, false),
    ] {
        assert_eq!(turns.ran(Time(at), every), ran, "{at}");
    }
}

#[test]
fn a_finding_reads_after_unresponsive() {
    let text = |hang, lasted, limit| {
        let (lasted, limit) = (Millis(lasted), Millis(limit));
        Finding {
            hang,
            lasted,
            limit,
        }
        .to_string()
    };
    assert_eq!(
        text(Hang::Blocked, 31_400, 30_000),
        "its event loop was blocked for 31 s (loop_lag_max 30 s)"
    );
    assert_eq!(
        text(Hang::Stopped, 60_900, 60_000),
        "the process was stopped for 60 s (silence_max 60 s)"
    );
    assert_eq!(
        text(Hang::Silent, 2_200, 2_000),
        "no sign of life, as where C code holds the interpreter, for 2.2 s (silence_max 2.0 s)"
    );
}

/// A stretch of a life: what the process does, and for how many turns.
#[derive(Clone, Debug)]
enum Stretch {
    Of(Life, u64),
    Away(u64),
    NodeSleeps(u64),
    Busy(bool),
}

fn stretches() -> impl Strategy<Value = Vec<Stretch>> {
    let life = prop_oneof![Just(Life::Fine), Just(Life::Mute), Just(Life::Stopped)];
    let stretch = prop_oneof![
        (life, 0..40_u64).prop_map(|(life, turns)| Stretch::Of(life, turns)),
        (0..40_u64).prop_map(Stretch::Away),
        (0..100_000_u64).prop_map(Stretch::NodeSleeps),
        any::<bool>().prop_map(Stretch::Busy),
    ];
    prop::collection::vec(stretch, 0..30)
}

impl Scene {
    fn through(mut self, stretches: &[Stretch]) -> Self {
        for stretch in stretches {
            self = match stretch {
                Stretch::Of(life, turns) => self.lives(*life, turns * EVERY),
                Stretch::Away(turns) => {
                    let since = self.now;
                    self.lives(Life::Away { since }, turns * EVERY)
                }
                Stretch::NodeSleeps(ms) => self.node_sleeps(*ms),
                Stretch::Busy(busy) => {
                    self.busy = *busy;
                    self
                }
            };
        }
        self
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nobody_is_told_of_who_answers_in_time(
        stretches in stretches(), on_loop in any::<bool>()
    ) {
        // Of each stretch as many turns as fit into the shortest limit, and a sign of life between.
        let mut scene = Scene::new(RULES, on_loop);
        for stretch in &stretches {
            let short = match stretch {
                Stretch::Of(life, turns) => Stretch::Of(*life, turns % 6),
                Stretch::Away(turns) => Stretch::Away(turns % 6),
                other => other.clone(),
            };
            scene = scene.through(&[short]).lives(Life::Fine, 2 * EVERY);
        }
        prop_assert_eq!(scene.words(), [""; 0]);
    }

    #[test]
    fn a_warning_and_its_end_alternate_and_nothing_dies(
        stretches in stretches(), on_loop in any::<bool>()
    ) {
        let scene = Scene::new(with(LivenessAction::Warn), on_loop).through(&stretches);
        let mut episode = None;
        for (_, action) in &scene.told {
            match action {
                Action::Warn(finding) => {
                    prop_assert!(episode != Some(finding.hang), "{:?}", scene.told);
                    episode = Some(finding.hang);
                }
                Action::Recovered(hang) => prop_assert_eq!(episode.take(), Some(*hang)),
                Action::DumpStacks => {}
                other => prop_assert!(false, "{other:?}"),
            }
        }
        let scene = scene.lives(Life::Fine, 60_000);
        let last = scene.told.iter().rev().find(|(_, action)| *action != Action::DumpStacks);
        prop_assert!(!matches!(last, Some((_, Action::Warn(_)))), "{:?}", scene.told);
    }

    #[test]
    fn the_condemned_are_left_alone_and_whoever_hangs_long_enough_is_condemned(
        stretches in stretches(), seat in any::<u64>()
    ) {
        let mut scene = Scene::new(RULES, true);
        scene.watch = Watch::new(Time(0), RULES, true, seat);
        let scene = scene.through(&stretches).lives(Life::Mute, 60_000);
        let condemned = |(_, action): &(u64, Action)| matches!(action, Action::Condemn(_));
        let at = scene.told.iter().position(condemned);
        prop_assert_eq!(at, Some(scene.told.len() - 1));
        let (at, _) = scene.told[scene.told.len() - 1];
        prop_assert!(scene.pings.iter().all(|ping| *ping <= at));
    }

    #[test]
    fn no_process_is_asked_more_often_than_its_interval(stretches in stretches()) {
        let scene = Scene::new(with(LivenessAction::Warn), false).through(&stretches);
        for pair in scene.pings.windows(2) {
            prop_assert!(pair[1] - pair[0] >= RULES.interval.0, "{:?}", scene.pings);
        }
    }
}
