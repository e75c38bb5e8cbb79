use expect_test::{Expect, expect};
use synapse_api::NextStep;

use super::*;

fn check(dossier: &Dossier, all_frames: bool, expected: &Expect) {
    let page = super::dossier(dossier, all_frames, 80, Palette::PLAIN);
    expected.assert_eq(&format!("{page}\n"));
}

fn frame(from: &str, kind: &str, run: Option<&str>, age_ms: u64) -> Frame {
    Frame {
        from: from.into(),
        kind: kind.into(),
        run: run.map(str::to_owned),
        bytes: 120,
        age_ms,
    }
}

fn segfault() -> Dossier {
    let streaming = RunCutOff {
        run: "r-17".into(),
        running_ms: 1_250,
        stream: true,
        chunks: 14,
        tool_calls: 1,
        cancelled: false,
        outcome: "unknown".into(),
        again: false,
        dead_letter: Some("d-3".into()),
    };
    Dossier {
        agent: "analyst".into(),
        incarnation: 3,
        reason: "signalled".into(),
        detail: "killed by signal 11".into(),
        signal: Some(11),
        signal_name: Some("SIGSEGV".into()),
        core_dumped: true,
        pid: Some(4121),
        started_at: "2026-11-20T09:46:11.000Z".into(),
        at: "2026-11-20T09:46:52.000Z".into(),
        uptime_ms: 41_000,
        start_ms: Some(22),
        peak_resident_bytes: Some(73_400_320),
        runs_in_flight: vec!["r-17".into()],
        runs: vec![streaming],
        frames: vec![
            frame("agent", "hello", None, 40_990),
            frame("runtime", "welcome", None, 40_990),
            frame("agent", "ready", None, 40_978),
            frame("runtime", "call", Some("r-17"), 1_250),
            frame("agent", "chunk", Some("r-17"), 1_100),
            frame("agent", "chunk", Some("r-17"), 12),
        ],
        stderr_tail: vec![
            "weighing".into(),
            "Fatal Python error: Segmentation fault".into(),
            "Current thread 0x1 (most recent call first):".into(),
            "  File \"analyst.py\", line 11 in weigh".into(),
        ],
        stacks: Some(
            "Fatal Python error: Segmentation fault\nCurrent thread 0x1 (most recent call first):\n  \
             File \"analyst.py\", line 11 in weigh"
                .into(),
        ),
        next: Some(NextStep {
            action: "restart".into(),
            detail: "restarting in 200 ms (1/3 in 5s)".into(),
            supervisor: "root".into(),
            ..NextStep::default()
        }),
        ..Dossier::default()
    }
}

#[test]
fn a_dossier_says_first_what_it_was_what_it_means_and_what_came_of_it() {
    let expected = expect![[r#"
        analyst #3   killed by SIGSEGV (signal 11), core dumped, after 41 s
        that is       native code (an extension, ctypes) touched memory not its own
        where         File "analyst.py", line 11 in weigh
        then          root: restarting in 200 ms (1/3 in 5s)
        lived         41 s, ready after 22 ms; 2026-11-20 09:46:11 to 09:46:52 UTC
        process       pid 4121, at most 70 MiB of memory
        cut off       r-17 after 1.2 s, 14 chunks streamed, 1 tool call, dead letter d-3
        frames        (1 before these: --frames)
                       -40 s   to the agent     welcome          120 B
                       -40 s   from the agent   ready            120 B
                      -1.2 s   to the agent     call      r-17   120 B
                      -1.1 s   from the agent   chunk     r-17   120 B
                      -12 ms   from the agent   chunk     r-17   120 B
        stacks
          Fatal Python error: Segmentation fault
          Current thread 0x1 (most recent call first):
            File "analyst.py", line 11 in weigh
        stderr
          weighing
    "#]];
    check(&segfault(), false, &expected);
}

#[test]
fn a_dossier_of_an_idle_end_says_so_and_all_its_frames_are_shown_when_asked_for() {
    let quiet = Dossier {
        reason: "exited".into(),
        detail: "exited with code 3".into(),
        signal: None,
        signal_name: None,
        core_dumped: false,
        code: Some(3),
        replica: 1,
        runs: Vec::new(),
        stacks: None,
        start_ms: None,
        next: None,
        ..segfault()
    };
    let expected = expect![[r#"
        analyst #3   replica 1   exited with code 3 after 41 s
        that is       its code ended the process with that code, which says failure
        then          its supervisor has not decided yet
        lived         41 s, never ready; 2026-11-20 09:46:11 to 09:46:52 UTC
        process       pid 4121, at most 70 MiB of memory
        cut off       no run: it was idle
        frames         -40 s   from the agent   hello            120 B
                       -40 s   to the agent     welcome          120 B
                       -40 s   from the agent   ready            120 B
                      -1.2 s   to the agent     call      r-17   120 B
                      -1.1 s   from the agent   chunk     r-17   120 B
                      -12 ms   from the agent   chunk     r-17   120 B
        stderr
          weighing
          Fatal Python error: Segmentation fault
          Current thread 0x1 (most recent call first):
            File "analyst.py", line 11 in weigh
    "#]];
    check(&quiet, true, &expected);
}
