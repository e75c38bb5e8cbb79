//! What OTP accepts and `check` warns of.

use expect_test::expect;

use super::{check, check_agent};

#[test]
fn a_backoff_that_outruns_the_window_is_a_warning() {
    check_agent(
        "entry = \"m:a\"\nbackoff = { initial = \"10s\" }",
        &expect![[r#"
            warning: `one` can fail forever: its delays outrun the window of `root`
             --> supervision.toml:5:11
              |
            1 | [supervisor.root]
              |             ---- so this supervisor never gives up
            ...
            5 | backoff = { initial = "10s" }
              |           ^^^^^^^^^^^^^^^^^^^ these delays alone fill the period
              |
              = help: shorten `initial` or `max`, or lengthen the supervisor's `period`

        "#]],
    );
}

#[test]
fn a_parking_supervisor_is_outrun_too() {
    check(
        "[supervisor.root]\non_exhausted = \"park\"\nchildren = [\"one\"]\n[agent.one]\nentry = \"m:a\"\nbackoff = { initial = \"10s\" }\n",
        &expect![[r#"
            warning: `one` can fail forever: its delays outrun the window of `root`
             --> supervision.toml:6:11
              |
            1 | [supervisor.root]
              |             ---- so this supervisor never parks it
            ...
            6 | backoff = { initial = "10s" }
              |           ^^^^^^^^^^^^^^^^^^^ these delays alone fill the period
              |
              = help: shorten `initial` or `max`, or lengthen the supervisor's `period`

        "#]],
    );
}

#[test]
fn a_start_that_outruns_the_window_is_a_warning() {
    check_agent(
        "entry = \"m:a\"\nstart_timeout = \"5s\"",
        &expect![[r#"
        warning: `one` can hang in its start forever: its starts outrun the window of `root`
         --> supervision.toml:5:17
          |
        1 | [supervisor.root]
          |             ---- so this supervisor never gives up
        ...
        5 | start_timeout = "5s"
          |                 ^^^^ starts that fail only after this time fill the period
          |
          = help: shorten it, or make `period` longer than `intensity` times this

    "#]],
    );
    check_agent("entry = \"m:a\"\nstart_timeout = \"4s\"", &expect![[r#""#]]);
    check_agent(
        "entry = \"m:a\"\nstart_timeout = \"5s\"\nrestart = \"temporary\"",
        &expect![[r#""#]],
    );
}

#[test]
fn a_transient_supervisor_that_vanishes_is_a_warning() {
    check(
        "[supervisor.root]\nchildren = [\"inner\"]\n[supervisor.inner]\nrestart = \"transient\"\nchildren = [\"one\"]\n[agent.one]\nentry = \"m:a\"\n",
        &expect![[r#"
            warning: when `inner` gives up, it ends for good and nobody is told
             --> supervision.toml:4:11
              |
            4 | restart = "transient"
              |           ^^^^^^^^^^^ giving up is no crash, so it is not restarted
              |
              = help: restart = "permanent" passes the failure on to its supervisor

        "#]],
    );
}

#[test]
fn a_temporary_supervisor_vanishes_too() {
    check(
        "[supervisor.root]\nchildren = [\"inner\"]\n[supervisor.inner]\nrestart = \"temporary\"\nchildren = [\"one\"]\n[agent.one]\nentry = \"m:a\"\n",
        &expect![[r#"
            warning: when `inner` gives up, it ends for good and nobody is told
             --> supervision.toml:4:11
              |
            4 | restart = "temporary"
              |           ^^^^^^^^^^^ never restarted, however it ends
              |
              = help: restart = "permanent" passes the failure on to its supervisor

        "#]],
    );
}

#[test]
fn a_supervisor_with_less_time_than_its_children_is_a_warning() {
    let tree = |shutdown, replicas| {
        format!(
            "[supervisor.root]\nchildren = [\"inner\"]\n[supervisor.inner]\nshutdown = {shutdown:?}\nchildren = [\"one\"]\n[agent.one]\nentry = \"m:a\"\nreplicas = {replicas}\n"
        )
    };
    check(&tree("5s", 1), &expect![[r#""#]]);
    check(
        &tree("5s", 2),
        &expect![[r#"
        warning: `inner` can be killed before its children had their time to stop
         --> supervision.toml:4:12
          |
        4 | shutdown = "5s"
          |            ^^^^ less than the `shutdown` of its children, which stop one by one
          |
          = help: shutdown = "infinity", the default of supervisors, waits for them

    "#]],
    );
    check(
        &tree("brutal_kill", 1),
        &expect![[r#"
        warning: `inner` can be killed before its children had their time to stop
         --> supervision.toml:4:12
          |
        4 | shutdown = "brutal_kill"
          |            ^^^^^^^^^^^^^ less than the `shutdown` of its children, which stop one by one
          |
          = help: shutdown = "infinity", the default of supervisors, waits for them

    "#]],
    );
}

#[test]
fn a_temporary_significant_child_is_a_warning() {
    check(
        "[supervisor.root]\nauto_shutdown = \"any_significant\"\nchildren = [\"one\"]\n[agent.one]\nentry = \"m:a\"\nrestart = \"temporary\"\nsignificant = true\n",
        &expect![[r#"
            warning: a crash of `one` passes for the end of its work: it is significant and never restarted
             --> supervision.toml:7:15
              |
            2 | auto_shutdown = "any_significant"
              |                 ----------------- and the supervisor ends as if all were well
            ...
            6 | restart = "temporary"
              |           ----------- a crash is not tried again
            7 | significant = true
              |               ^^^^
              |
              = help: restart = "transient" restarts it after a crash, and heeds its clean end

        "#]],
    );
}

#[test]
fn a_transient_child_of_a_group_is_a_warning() {
    let tree = |strategy, children| {
        format!(
            "[supervisor.root]\nstrategy = {strategy:?}\nchildren = {children:?}\n[agent.one]\nentry = \"m:a\"\nrestart = \"transient\"\n[agent.two]\nentry = \"m:b\"\n"
        )
    };
    check(&tree("one_for_one", ["one", "two"]), &expect![[r#""#]]);
    check(
        &tree("one_for_all", ["one", "two"]),
        &expect![[r#"
        warning: `one` starts again after it has finished
         --> supervision.toml:6:11
          |
        2 | strategy = "one_for_all"
          |            ------------- a group starts as a whole
        ...
        6 | restart = "transient"
          |           ^^^^^^^^^^^ when any sibling is restarted
          |
          = help: put it under a "one_for_one" supervisor if it is to work once

    "#]],
    );
    check(&tree("rest_for_one", ["one", "two"]), &expect![[r#""#]]);
    check(
        &tree("rest_for_one", ["two", "one"]),
        &expect![[r#"
        warning: `one` starts again after it has finished
         --> supervision.toml:6:11
          |
        2 | strategy = "rest_for_one"
          |            -------------- a group starts as a whole
        ...
        6 | restart = "transient"
          |           ^^^^^^^^^^^ when a sibling in front of it is restarted
          |
          = help: put it under a "one_for_one" supervisor if it is to work once

    "#]],
    );
}
