//! Syntax, unknown keys and wrong types.

use expect_test::expect;

use super::{TREE, check, check_agent};

#[test]
fn an_empty_file_has_no_root() {
    check(
        "",
        &expect![[r#"
        error: there is no [supervisor.root]
        --> supervision.toml
         = help: add one: [supervisor.root] with children = ["..."]

    "#]],
    );
}

#[test]
fn a_syntax_error_is_framed_like_the_others() {
    check(
        "[supervisor.root\nchildren = []\n",
        &expect![[r#"
            error: this is not TOML: unclosed table, expected `]`
             --> supervision.toml:1:17
              |
            1 | [supervisor.root
              |                 ^
              |
              = help: a table begins with a line such as [agent.assistant]

        "#]],
    );
    check(
        "[supervisor.root]\nchildren = [assistant]\n",
        &expect![[r#"
            error: this is not TOML: string values must be quoted
             --> supervision.toml:2:13
              |
            2 | children = [assistant]
              |             ^^^^^^^^^
              |
              = help: put the text into double quotes

        "#]],
    );
    check(
        "[agent.a]\n[agent.a]\n",
        &expect![[r#"
            error: `a` stands here for the second time
             --> supervision.toml:2:8
              |
            1 | [agent.a]
              |        - first here
            2 | [agent.a]
              |        ^ again here
              |
              = help: a table or key stands once; merge the two, or give one another name

        "#]],
    );
    check(
        "a = \"unfinished\nb = 1\n",
        &expect![[r#"
            error: this is not TOML: invalid basic string, expected `"`
             --> supervision.toml:1:16
              |
            1 | a = "unfinished
              |                ^

            error: unknown key `b` at the top of the file
             --> supervision.toml:2:1
              |
            2 | b = 1
              | ^
              |
              = help: the tables of the file are runtime, python, supervisor, agent

        "#]],
    );
}

#[test]
fn a_duplicate_shows_both_places() {
    check(
        "[supervisor.root]\nperiod = \"5s\"\nchildren = []\nperiod = \"6s\"\n",
        &expect![[r#"
            error: `period` stands here for the second time
             --> supervision.toml:4:1
              |
            2 | period = "5s"
              | ------ first here
            3 | children = []
            4 | period = "6s"
              | ^^^^^^ again here
              |
              = help: a table or key stands once; merge the two, or give one another name

        "#]],
    );
}

#[test]
fn errors_of_syntax_and_of_meaning_come_together() {
    check(
        "[supervisor.root]\nstrategy = one_for_one\nperoid = \"5s\"\nintensity = 03\nchildren = []\n",
        &expect![[r#"
            error: this is not TOML: string values must be quoted
             --> supervision.toml:2:12
              |
            2 | strategy = one_for_one
              |            ^^^^^^^^^^^
              |
              = help: put the text into double quotes

            error: unknown key `peroid` in [supervisor.root]
             --> supervision.toml:3:1
              |
            3 | peroid = "5s"
              | ^^^^^^
              |
              = help: did you mean `period`?

            error: this is not TOML: unexpected leading zero
             --> supervision.toml:4:13
              |
            4 | intensity = 03
              |             ^

        "#]],
    );
}

#[test]
fn a_bracket_that_is_not_closed_is_one_mistake() {
    check(
        "[supervisor.root]\nchildren = [\"one\"\nperiod = \"5s\"\nintensity = 3\n[agent.one]\nentry = \"m:a\"\n",
        &expect![[r#"
            error: this is not TOML: missing comma between array elements, expected `,`
             --> supervision.toml:3:1
              |
            3 | period = "5s"
              | ^

        "#]],
    );
}

#[test]
fn words_of_other_systems_are_understood() {
    check_agent(
        "entry = \"m:a\"\nrestart = \"always\"\nworkers = 4\nsystem_prompt = \"x\"\nshutdown = \"kill\"",
        &expect![[r#"
            error: `agent.one.restart` must be "permanent", "transient" or "temporary", found "always"
             --> supervision.toml:5:11
              |
            5 | restart = "always"
              |           ^^^^^^^^
              |
              = help: did you mean "permanent"?

            error: unknown key `workers` in [agent.one]
             --> supervision.toml:6:1
              |
            6 | workers = 4
              | ^^^^^^^
              |
              = help: did you mean `replicas`?

            error: unknown key `system_prompt` in [agent.one]
             --> supervision.toml:7:1
              |
            7 | system_prompt = "x"
              | ^^^^^^^^^^^^^
              |
              = help: did you mean `instructions`?

            error: `agent.one.shutdown` must be a duration such as "5s", or "brutal_kill" or "infinity", found "kill"
             --> supervision.toml:8:12
              |
            8 | shutdown = "kill"
              |            ^^^^^^
              |
              = help: did you mean "brutal_kill"?

        "#]],
    );
    check(
        "[supervisor.root]\nmax_restarts = 3\nchildren = []\n",
        &expect![[r#"
            error: unknown key `max_restarts` in [supervisor.root]
             --> supervision.toml:2:1
              |
            2 | max_restarts = 3
              | ^^^^^^^^^^^^
              |
              = help: did you mean `intensity`?

            warning: supervisor `root` has nothing to supervise
             --> supervision.toml:3:12
              |
            3 | children = []
              |            ^^

        "#]],
    );
}

#[test]
fn a_key_outside_of_any_table_says_where_it_belongs() {
    check(
        "concurrency = 5\nfoo = 1\n[supervisor.root]\nchildren = []\n",
        &expect![[r#"
            error: unknown key `concurrency` at the top of the file
             --> supervision.toml:1:1
              |
            1 | concurrency = 5
              | ^^^^^^^^^^^
              |
              = help: it is a key of [agent.NAME]

            error: unknown key `foo` at the top of the file
             --> supervision.toml:2:1
              |
            2 | foo = 1
              | ^^^
              |
              = help: the tables of the file are runtime, python, supervisor, agent

            warning: supervisor `root` has nothing to supervise
             --> supervision.toml:4:12
              |
            4 | children = []
              |            ^^

        "#]],
    );
}

#[test]
fn an_unknown_table_suggests_the_nearest() {
    check(
        &format!("{TREE}[agents.one]\nentry = \"m:a\"\n"),
        &expect![[r#"
            error: unknown key `agents` at the top of the file
             --> supervision.toml:3:2
              |
            3 | [agents.one]
              |  ^^^^^^
              |
              = help: did you mean `agent`?

        "#]],
    );
}

#[test]
fn an_unknown_key_suggests_the_nearest() {
    check_agent(
        "entry = \"m:a\"\nconcurency = 8",
        &expect![[r#"
        error: unknown key `concurency` in [agent.one]
         --> supervision.toml:5:1
          |
        5 | concurency = 8
          | ^^^^^^^^^^
          |
          = help: did you mean `concurrency`?

    "#]],
    );
}

#[test]
fn an_unknown_key_without_a_neighbour_lists_the_keys() {
    check(
        &format!("{TREE}[agent.one]\nentry = \"m:a\"\n[python]\nfoo = 1\n"),
        &expect![[r#"
            error: unknown key `foo` in [python]
             --> supervision.toml:6:1
              |
            6 | foo = 1
              | ^^^
              |
              = help: the keys of [python] are venv, requirements, interpreter, path, spawn, preload

        "#]],
    );
}

#[test]
fn a_key_of_another_table_says_where_it_belongs() {
    check_agent(
        "entry = \"m:a\"\nwhen_full = \"wait\"\nintensity = 3",
        &expect![[r#"
            error: unknown key `when_full` in [agent.one]
             --> supervision.toml:5:1
              |
            5 | when_full = "wait"
              | ^^^^^^^^^
              |
              = help: it belongs in `mailbox`: mailbox = { when_full = ... }

            error: unknown key `intensity` in [agent.one]
             --> supervision.toml:6:1
              |
            6 | intensity = 3
              | ^^^^^^^^^
              |
              = help: it is a key of [supervisor.NAME]

        "#]],
    );
}

#[test]
fn keys_of_later_versions_are_known_by_name() {
    check_agent(
        "entry = \"m:a\"\ntools = [\"add\"]",
        &expect![[r#"
            error: `agent.one.tools`: tools are not available in this version of Synapse
             --> supervision.toml:5:1
              |
            5 | tools = ["add"]
              | ^^^^^
              |
              = help: give the agent its tools in Python

        "#]],
    );
    check(
        &format!("{TREE}[agent.one]\nentry = \"m:a\"\n[tool.add]\nkind = \"http\"\n"),
        &expect![[r#"
        error: `tool`: tools are not available in this version of Synapse
         --> supervision.toml:5:2
          |
        5 | [tool.add]
          |  ^^^^
          |
          = help: give the agent its tools in Python

    "#]],
    );
}

#[test]
fn wrong_types_say_what_was_found() {
    check_agent(
        "entry = 5\nconcurrency = \"8\"\nsignificant = \"true\"\nmailbox = 64\nenv_pass = \"HOME\"\ndescription = [\"a\"]",
        &expect![[r#"
            error: `agent.one.entry` must be a Python place "module:attribute", found 5
             --> supervision.toml:4:9
              |
            4 | entry = 5
              |         ^

            error: `agent.one.concurrency` must be a whole number from 1 to 4096, found "8"
             --> supervision.toml:5:15
              |
            5 | concurrency = "8"
              |               ^^^
              |
              = help: leave out the quotes

            error: `agent.one.significant` must be `true` or `false`, found "true"
             --> supervision.toml:6:15
              |
            6 | significant = "true"
              |               ^^^^^^
              |
              = help: leave out the quotes

            error: `agent.one.mailbox` must be a table, found 64
             --> supervision.toml:7:11
              |
            7 | mailbox = 64
              |           ^^
              |
              = help: its keys are size, when_full

            error: `agent.one.env_pass` must be a list of variable names, found "HOME"
             --> supervision.toml:8:12
              |
            8 | env_pass = "HOME"
              |            ^^^^^^
              |
              = help: put it into [ ]

            error: `agent.one.description` must be a string, found a list
             --> supervision.toml:9:15
              |
            9 | description = ["a"]
              |               ^^^^^
              |
              = help: put it into double quotes

        "#]],
    );
}

#[test]
fn an_array_of_tables_is_not_a_table_by_name() {
    check(
        "[[agent]]\nentry = \"m:a\"\n",
        &expect![[r#"
            error: `agent` must be a table for each name, found a list
             --> supervision.toml:1:1
              |
            1 | [[agent]]
              | ^^^^^^^^^
              |
              = help: write [agent.NAME] instead of [[agent]]

            error: there is no [supervisor.root]
            --> supervision.toml
             = help: add one: [supervisor.root] with children = ["..."]

        "#]],
    );
}

#[test]
fn a_name_out_of_the_grammar_is_repaired() {
    check(
        "[supervisor.root]\nchildren = [\"My Agent\"]\n[agent.\"My Agent\"]\nentry = \"m:a\"\n[runtime]\nnode = \"9\"\n",
        &expect![[r#"
            error: "My Agent" is not a name
             --> supervision.toml:3:8
              |
            3 | [agent."My Agent"]
              |        ^^^^^^^^^^
              |
              = help: did you mean `my-agent`?
              = help: a name is 1 to 63 of a-z, 0-9, - and _, and begins with a letter

            error: "9" is not a name
             --> supervision.toml:6:8
              |
            6 | node = "9"
              |        ^^^
              |
              = help: a name is 1 to 63 of a-z, 0-9, - and _, and begins with a letter

        "#]],
    );
}
