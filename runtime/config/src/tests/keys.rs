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
          |                 ^ here
          |
          = help: a table begins with a line such as [agent.assistant]

    "#]],
    );
    check(
        "[supervisor.root]\nchildren = [assistant]\n",
        &expect![[r#"
        error: this is not TOML: string values must be quoted, expected literal string
         --> supervision.toml:2:13
          |
        2 | children = [assistant]
          |             ^^^^^^^^^ here
          |
          = help: put the text into double quotes

    "#]],
    );
    check(
        "[agent.a]\n[agent.a]\n",
        &expect![[r#"
        error: this is not TOML: duplicate key
         --> supervision.toml:2:8
          |
        2 | [agent.a]
          |        ^ here
          |
          = help: every table and key may stand once; merge the two, or give one another name

    "#]],
    );
    check(
        "a = \"unfinished\nb = 1\n",
        &expect![[r#"
        error: this is not TOML: invalid basic string, expected `"`
         --> supervision.toml:1:16
          |
        1 | a = "unfinished
          |                ^ here

    "#]],
    );
}

#[test]
fn an_unknown_table_suggests_the_nearest() {
    check(
        &format!("{TREE}[agents.one]\nentry = \"m:a\"\n"),
        &expect![[r#"
        error: no agent and no supervisor is called "one"
         --> supervision.toml:2:13
          |
        2 | children = ["one"]
          |             ^^^^^
          |
          = help: declare it as [agent.NAME] or [supervisor.NAME]

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
          = help: the keys of [python] are venv, requirements, interpreter, path, spawn

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
          = help: it belongs into `mailbox`: mailbox = { when_full = ... }

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
        "entry = \"m:a\"\ntools = [\"add\"]\nhibernate_after = \"1h\"",
        &expect![[r#"
        error: `agent.one.tools`: tools are not available in this version of Synapse
         --> supervision.toml:5:1
          |
        5 | tools = ["add"]
          | ^^^^^
          |
          = help: give the agent its tools in Python

        error: `agent.one.hibernate_after`: hibernation is not available in this version of Synapse
         --> supervision.toml:6:1
          |
        6 | hibernate_after = "1h"
          | ^^^^^^^^^^^^^^^
          |
          = help: the agent keeps its process

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
    check(
        &format!("{TREE}[agent.one]\nentry = \"m:a\"\n[python]\nspawn = \"fork\"\n"),
        &expect![[r#"
        error: `python.spawn = "fork"` is not available in this version of Synapse
         --> supervision.toml:6:9
          |
        6 | spawn = "fork"
          |         ^^^^^^
          |
          = help: it must be "exec"

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

            error: `agent.one.env_pass` must be a list of variable's names, found "HOME"
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
        error: `agent` must be tables by name, found a list
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
