//! Rules between keys.

use std::path::Path;

use expect_test::expect;

use super::{TREE, check, check_agent};
use crate::Machine;
use crate::load::parse_for;

#[test]
fn an_agent_needs_code_or_a_model_and_instructions() {
    check_agent(
        "",
        &expect![[r#"
        error: agent `one` has no `entry`, and not `model` and `instructions` either
         --> supervision.toml:3:8
          |
        3 | [agent.one]
          |        ^^^
          |
          = help: with code: entry = "module:attribute"
          = help: without code: model = "offline" and instructions = "..."

    "#]],
    );
    check_agent(
        "model = \"offline\"",
        &expect![[r#"
        error: agent `one` has no `entry`, so it needs `instructions`
         --> supervision.toml:3:8
          |
        3 | [agent.one]
          |        ^^^
          |
          = help: with code: entry = "module:attribute"
          = help: without code: model = "offline" and instructions = "..."

    "#]],
    );
    check_agent(
        "instructions = \"Be brief.\"",
        &expect![[r#"
        error: agent `one` has no `entry`, so it needs a `model`
         --> supervision.toml:3:8
          |
        3 | [agent.one]
          |        ^^^
          |
          = help: with code: entry = "module:attribute"
          = help: without code: model = "offline" and instructions = "..."

    "#]],
    );
}

#[test]
fn code_says_its_own_output_type() {
    check_agent(
        "entry = \"m:a\"\noutput_schema = { type = \"object\" }",
        &expect![[r#"
            error: `agent.one.output_schema` cannot be used with `entry`
             --> supervision.toml:5:1
              |
            4 | entry = "m:a"
              | ----- this code says its own output type
            5 | output_schema = { type = "object" }
              | ^^^^^^^^^^^^^
              |
              = help: give the agent an `output_type`, or annotate what the function returns

        "#]],
    );
}

#[test]
fn an_output_schema_describes_an_object() {
    check_agent(
        "model = \"offline\"\ninstructions = \"x\"\noutput_schema = { type = \"string\" }",
        &expect![[r#"
            error: `agent.one.output_schema` must be the schema of an object: its "type" is "string"
             --> supervision.toml:6:17
              |
            6 | output_schema = { type = "string" }
              |                 ^^^^^^^^^^^^^^^^^^^
              |
              = help: for example { type = "object", properties = { title = { type = "string" } } }

        "#]],
    );
}

#[test]
fn an_agent_without_code_takes_no_dependencies() {
    check_agent(
        "model = \"offline\"\ninstructions = \"x\"\ndeps = \"m:f\"",
        &expect![[r#"
        error: `agent.one.deps` needs an `entry`: an agent without code takes no dependencies
         --> supervision.toml:6:1
          |
        6 | deps = "m:f"
          | ^^^^

    "#]],
    );
}

#[test]
fn run_sync_runs_one_at_a_time() {
    check_agent(
        "entry = \"m:a\"\nmode = \"run_sync\"\nconcurrency = 4",
        &expect![[r#"
        error: `agent.one.concurrency` must be 1 with `mode = "run_sync"`, found 4
         --> supervision.toml:6:15
          |
        5 | mode = "run_sync"
          |        ---------- one run at a time, on the main thread
        6 | concurrency = 4
          |               ^
          |
          = help: for more at once use replicas, or the mode "run" if the code does not block

    "#]],
    );
}

#[test]
fn a_backoff_begins_below_its_end() {
    check_agent(
        "entry = \"m:a\"\nbackoff = { initial = \"1m\", max = \"1s\" }",
        &expect![[r#"
        error: `agent.one.backoff.initial` is longer than `max`
         --> supervision.toml:5:23
          |
        5 | backoff = { initial = "1m", max = "1s" }
          |                       ^^^^        ---- the longest delay
          |                       |
          |                       the first delay

    "#]],
    );
    check_agent(
        "entry = \"m:a\"\nbackoff = { initial = \"1m\" }",
        &expect![[r#"
            error: `agent.one.backoff.initial` is longer than `max`
             --> supervision.toml:5:23
              |
            5 | backoff = { initial = "1m" }
              |                       ^^^^ the first delay
              |
              = help: `max` is "30s" by default

        "#]],
    );
}

#[test]
fn a_variable_that_is_set_and_passed_is_a_warning() {
    check_agent(
        "entry = \"m:a\"\nenv = { TZ = \"UTC\" }\nenv_pass = [\"TZ\"]",
        &expect![[r#"
        warning: `agent.one.env_pass` has no effect for `TZ`, which `env` sets
         --> supervision.toml:6:13
          |
        5 | env = { TZ = "UTC" }
          | --- set here
        6 | env_pass = ["TZ"]
          |             ^^^^

    "#]],
    );
}

#[test]
fn significant_needs_a_child_that_ends_and_a_supervisor_that_cares() {
    check_agent(
        "entry = \"m:a\"\nsignificant = true",
        &expect![[r#"
            error: `one` cannot be significant and permanent
             --> supervision.toml:5:15
              |
            5 | significant = true
              |               ^^^^
              |
              = help: `restart` is "permanent" by default
              = help: a significant child is "transient" or "temporary"

            error: `one` is significant to `root`, which never shuts down by itself
             --> supervision.toml:5:15
              |
            1 | [supervisor.root]
              |             ---- `auto_shutdown` is "never"
            ...
            5 | significant = true
              |               ^^^^
              |
              = help: "any_significant" and "all_significant" heed significant children

        "#]],
    );
    check(
        "[supervisor.root]\nauto_shutdown = \"any_significant\"\nchildren = [\"one\"]\n[agent.one]\nentry = \"m:a\"\nrestart = \"permanent\"\nsignificant = true\n",
        &expect![[r#"
            error: `one` cannot be significant and permanent
             --> supervision.toml:7:15
              |
            6 | restart = "permanent"
              |           ----------- always restarted, so it never ends
            7 | significant = true
              |               ^^^^
              |
              = help: a significant child is "transient" or "temporary"

        "#]],
    );
}

#[test]
fn an_auto_shutdown_without_significant_children_is_a_warning() {
    check(
        "[supervisor.root]\nauto_shutdown = \"any_significant\"\nchildren = [\"one\"]\n[agent.one]\nentry = \"m:a\"\n",
        &expect![[r#"
            warning: `supervisor.root.auto_shutdown` has no effect: no child of `root` is significant
             --> supervision.toml:2:17
              |
            2 | auto_shutdown = "any_significant"
              |                 ^^^^^^^^^^^^^^^^^

        "#]],
    );
}

#[test]
fn a_group_neither_parks_nor_starts_at_once() {
    check(
        "[supervisor.root]\nstrategy = \"rest_for_one\"\non_exhausted = \"park\"\nstart_order = \"concurrent\"\nchildren = [\"one\"]\n[agent.one]\nentry = \"m:a\"\n",
        &expect![[r#"
            error: `supervisor.root.on_exhausted` can be "park" only under "one_for_one"
             --> supervision.toml:3:16
              |
            2 | strategy = "rest_for_one"
              |            -------------- these children depend on one another
            3 | on_exhausted = "park"
              |                ^^^^^^
              |
              = help: to park the group as a whole, put this supervisor below one that parks

            error: `supervisor.root.start_order` can be "concurrent" only under "one_for_one"
             --> supervision.toml:4:15
              |
            2 | strategy = "rest_for_one"
              |            -------------- these children depend on one another
            3 | on_exhausted = "park"
            4 | start_order = "concurrent"
              |               ^^^^^^^^^^^^
              |
              = help: none can start before those in front of it are up: leave the key out

        "#]],
    );
}

#[test]
fn what_a_supervisor_says_to_the_root_is_a_warning() {
    check(
        "[supervisor.root]\nrestart = \"temporary\"\nchildren = []\n",
        &expect![[r#"
            warning: `supervisor.root.restart` has no effect: no supervisor is above `root`
             --> supervision.toml:2:1
              |
            2 | restart = "temporary"
              | ^^^^^^^

            warning: supervisor `root` has nothing to supervise
             --> supervision.toml:3:12
              |
            3 | children = []
              |            ^^

        "#]],
    );
}

#[test]
fn a_run_that_may_take_as_long_as_its_call_is_a_warning() {
    check_agent(
        "entry = \"m:a\"\ncall_timeout = \"30s\"\nrun_timeout = \"1m\"",
        &expect![[r#"
            warning: `agent.one.run_timeout` has no effect: it is not shorter than `call_timeout`
             --> supervision.toml:6:15
              |
            5 | call_timeout = "30s"
              |                ----- the longest time of a call, its run included
            6 | run_timeout = "1m"
              |               ^^^^

        "#]],
    );
    check_agent(
        "entry = \"m:a\"\nrun_timeout = \"10m\"",
        &expect![[r#"
            warning: `agent.one.run_timeout` has no effect: it is not shorter than `call_timeout`
             --> supervision.toml:5:15
              |
            5 | run_timeout = "10m"
              |               ^^^^^
              |
              = help: `call_timeout` is "10m" by default

        "#]],
    );
}

#[test]
fn a_limit_that_the_system_cannot_enforce_is_an_error() {
    let machine = Machine {
        sees_processes: false,
        open_files_max: 4096,
        cpu_seconds_max: 60,
    };
    let table = "[agent.one]\nentry = \"m:a\"\nlimits = { memory = \"1GiB\", open_files = 5000, processes = 4, cpu_time = \"61s\" }\n";
    let text = format!("{TREE}{table}");
    let file = Path::new("/nowhere/supervision.toml");
    let errors = parse_for(&text, file, machine).unwrap_err();
    expect![[r#"
        error: `agent.one.limits.memory` cannot be enforced on this system
         --> /nowhere/supervision.toml:5:21
          |
        5 | limits = { memory = "1GiB", open_files = 5000, processes = 4, cpu_time = "61s" }
          |                     ^^^^^^ what other processes use cannot be seen here: that needs Linux with /proc
          |
          = help: leave it out here, and let a container or a service manager keep it

        error: `agent.one.limits.open_files` cannot be enforced on this system
         --> /nowhere/supervision.toml:5:42
          |
        5 | limits = { memory = "1GiB", open_files = 5000, processes = 4, cpu_time = "61s" }
          |                                          ^^^^ a process may have at most 4096 files open here (`ulimit -Hn`)
          |
          = help: raise the hard limit of whoever starts Synapse, or ask for less

        error: `agent.one.limits.processes` cannot be enforced on this system
         --> /nowhere/supervision.toml:5:60
          |
        5 | limits = { memory = "1GiB", open_files = 5000, processes = 4, cpu_time = "61s" }
          |                                                            ^ what other processes use cannot be seen here: that needs Linux with /proc
          |
          = help: leave it out here, and let a container or a service manager keep it

        error: `agent.one.limits.cpu_time` cannot be enforced on this system
         --> /nowhere/supervision.toml:5:74
          |
        5 | limits = { memory = "1GiB", open_files = 5000, processes = 4, cpu_time = "61s" }
          |                                                                          ^^^^^ a process may use at most 60 s here (`ulimit -Ht`)
          |
          = help: raise the hard limit of whoever starts Synapse, or ask for less

    "#]].assert_eq(&errors.render(false));
    let within = text.replace("5000", "4096").replace("61s", "60s");
    let machine = Machine {
        sees_processes: true,
        ..machine
    };
    assert!(parse_for(&within, file, machine).is_ok());
    // Elsewhere it may well be kept.
    assert!(crate::parse(&text, file).is_ok());
}

#[test]
fn a_call_is_executed_twice_only_where_its_author_says_that_it_may() {
    check_agent(
        "entry = \"m:a\"\nretry_on_crash = 2",
        &expect![[r#"
            error: `agent.one.retry_on_crash` needs `idempotent = true`
             --> supervision.toml:5:18
              |
            5 | retry_on_crash = 2
              |                  ^ this executes a call a second time, with all that its tools do
              |
              = help: where that does no harm, say so: idempotent = true
              = help: where it may, leave retry_on_crash out: the caller is told what is known

        "#]],
    );
    check_agent(
        "entry = \"m:a\"\nidempotent = false\nretry_on_crash = 11\npoison_after = -1",
        &expect![[r#"
            error: `agent.one.retry_on_crash` must be a whole number from 0 to 10, found 11
             --> supervision.toml:6:18
              |
            6 | retry_on_crash = 11
              |                  ^^

            error: `agent.one.poison_after` must be a whole number from 0 to 100, found -1
             --> supervision.toml:7:16
              |
            7 | poison_after = -1
              |                ^^

        "#]],
    );
    check_agent(
        "entry = \"m:a\"\nidempotent = true\nretry_on_crash = 2\npoison_after = 0",
        &expect![[""]],
    );
}
