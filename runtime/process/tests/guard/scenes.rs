//! What a guard does, one scene for each.

use rustix::process::Signal;

use crate::stage::{Scene, guarded, program, send, state, this, until};

/// A shell that says which signals come, and ends at SIGTERM.
const SAYS: &str = "trap 'echo int' INT; trap 'echo usr1' USR1; trap 'echo term; exit 3' TERM; \
                    echo $PPID; echo $$; while :; do sleep 600 & wait; done";

pub(crate) const ALL: [Scene; 11] = [
    ("the_nodes_code_is_the_guards", codes),
    ("a_signal_that_was_sent_is_passed_on", passes_on),
    ("ctrl_c_is_delivered_once", ctrl_c),
    ("the_end_of_its_terminal_is_passed_on", hangup),
    ("ctrl_z_stops_both_and_both_go_on", ctrl_z),
    ("what_the_node_leaves_behind_is_killed", daemons),
    ("a_chain_of_forks_does_not_run_away", restless),
    ("jobs_of_the_shell_before_are_left_alone", jobs),
    ("when_the_guard_dies_the_node_is_told", guard_dies),
    (
        "as_the_first_process_it_reaps_and_passes_signals_on",
        first_process,
    ),
    ("a_process_with_threads_is_not_divided", threads),
];

fn codes() {
    assert_eq!(guarded("exit 0").code(), Some(0));
    assert_eq!(guarded("exit 70").code(), Some(70));
    assert_eq!(guarded("kill -KILL $$").code(), Some(128 + 9));
    assert_eq!(guarded("kill -SEGV $$").code(), Some(128 + 11));
}

fn passes_on() {
    let mut play = guarded(SAYS);
    let (guard, node) = (play.number(), play.number());
    assert_eq!(guard, play.child.id());
    assert_ne!(guard, node);
    for (signal, said) in [(Signal::USR1, "usr1"), (Signal::INT, "int")] {
        play.signal(signal);
        assert_eq!(play.line(), said);
    }
    play.signal(Signal::TERM);
    assert_eq!(play.line(), "term");
    assert_eq!(play.code(), Some(3));
}

/// A terminal with the shell in front of it.
fn on_a_terminal(script: &str) -> crate::stage::Play {
    program(
        "script",
        &[
            "-qfec",
            &format!("exec '{}' \"{script}\"", this()),
            "/dev/null",
        ],
    )
}

fn ctrl_c() {
    let mut play = on_a_terminal(&SAYS.replace('$', "\\$"));
    let guard = play.number();
    play.number();
    play.types("\x03");
    play.says("int");
    // The guard takes one signal after the other: what it had to pass on is under way by now.
    send(guard, Signal::USR1);
    assert_eq!(play.line(), "usr1");
    send(guard, Signal::TERM);
    assert_eq!(play.rest(), ["term"]);
    assert_eq!(play.code(), Some(3));
}

/// The kernel tells the leader of the session alone, which is the guard here.
fn hangup() {
    let mut play = on_a_terminal(&SAYS.replace('$', "\\$"));
    let both = [play.number(), play.number()];
    play.child.kill().unwrap();
    for pid in both {
        until("it to end", || matches!(state(pid), None | Some('Z')));
    }
    synapse_process::guard::end_descendants();
}

fn ctrl_z() {
    // A shell with jobs, as people have; it says when its job has stopped, and continues it.
    let script = SAYS.replace('$', "\\$");
    let inside = format!(
        "set -m; '{}' \"{script}\"; echo stopped; read line; fg",
        this()
    );
    let mut play = program("script", &["-qfec", &inside, "/dev/null"]);
    let both = [play.number(), play.number()];
    play.types("\x1a");
    play.says("stopped");
    for pid in both {
        // The shell waits for the first of them only.
        until("it to stop", || state(pid) == Some('T'));
    }
    play.types("\r");
    for pid in both {
        until("it to go on", || state(pid) == Some('S'));
    }
    send(both[0], Signal::TERM);
    play.says("term");
    play.code();
}

fn daemons() {
    let script = "setsid sh -c 'echo $$; setsid sh -c \"echo \\$\\$; exec sleep 600\" & wait' & \
                  read line; kill -KILL $$";
    let mut play = guarded(script);
    let daemons = [play.number(), play.number()];
    play.types("go\n");
    assert_eq!(play.code(), Some(128 + 9));
    assert_eq!(daemons.map(state), [None, None], "not even as zombies");
}

fn restless() {
    // It has an end, for the day when the guard does not find it.
    let script = "setsid sh -c 'trap \"\" TERM HUP INT; echo $$; \
                  f() { n=$((n+1)); [ $n -gt 9999 ] || (f) & exit; }; f' & read line; exit 5";
    let mut play = guarded(script);
    play.number();
    play.types("go\n");
    assert_eq!(play.code(), Some(5));
    let own = std::process::id();
    let children = std::fs::read_to_string(format!("/proc/self/task/{own}/children")).unwrap();
    assert_eq!(children, "", "nothing has fallen to this process");
}

fn jobs() {
    let script = format!(
        "sleep 600 & echo $!; exec '{}' 'setsid sleep 600 & exit 4'",
        this()
    );
    let mut play = program("sh", &["-c", &script]);
    let job = play.number();
    assert_eq!(play.code(), Some(4));
    assert_eq!(state(job), Some('S'));
    send(job, Signal::KILL);
    synapse_process::guard::end_descendants();
}

fn guard_dies() {
    let mut play = guarded(SAYS);
    let (guard, node) = (play.number(), play.number());
    send(guard, Signal::KILL);
    assert_eq!(play.line(), "term");
    assert_eq!(play.code(), None, "killed");
    until("the node to end", || state(node) == Some('Z'));
    // It was no real node, and has left something behind.
    synapse_process::guard::end_descendants();
}

fn first_process() {
    let namespace = [
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        "--mount-proc",
    ];
    if program("unshare", &[&namespace[..], &["true"]].concat()).code() != Some(0) {
        eprintln!("this system gives no namespaces: the scene is left out");
        return;
    }
    // An orphan dies, and is gone; a daemon stays; then the signals of `docker stop`.
    let script = "echo $PPID; orphan=$( (sh -c 'echo $$; exec sleep 0 >&-' &) ); echo $orphan; \
                  (setsid sleep 600 &); trap 'echo term; exit 3' TERM; \
                  while [ -e /proc/$orphan ]; do :; done; echo reaped; \
                  while :; do sleep 600 & wait; done";
    let mut play = program("unshare", &[&namespace[..], &[&this(), script]].concat());
    assert_eq!(play.number(), 1, "the guard is the first process");
    play.number();
    assert_eq!(play.line(), "reaped");
    let unshare = play.child.id();
    let inside = std::fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children"));
    send(inside.unwrap().trim().parse().unwrap(), Signal::TERM);
    assert_eq!(play.line(), "term");
    assert_eq!(play.code(), Some(3));
}

fn threads() {
    let (end, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || wait.recv());
    let error = synapse_process::guard::divide().unwrap_err();
    assert!(error.to_string().contains("one thread"), "{error}");
    drop(end);
    thread.join().unwrap().unwrap_err();
}
