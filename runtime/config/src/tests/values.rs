//! Kinds of values: what is written wrongly, and what is said about it.

use expect_test::expect;

use super::{TREE, check, check_agent};

#[test]
fn durations() {
    check_agent(
        "entry = \"m:a\"\ncall_timeout = 5\nstart_timeout = \"0s\"\ncancel_grace = \"5 sec\"\nshutdown = \"brutal\"",
        &expect![[r#"
            error: `agent.one.call_timeout` must be a duration such as "250ms", "5s", "2m" or "1h", found 5
             --> supervision.toml:5:16
              |
            5 | call_timeout = 5
              |                ^
              |
              = help: a unit is needed: "5s" is seconds, "5ms" milliseconds

            error: `agent.one.start_timeout` must be a duration such as "250ms", "5s", "2m" or "1h", found "0s"
             --> supervision.toml:6:17
              |
            6 | start_timeout = "0s"
              |                 ^^^^
              |
              = help: the shortest allowed here is "1ms"

            error: `agent.one.cancel_grace` must be a duration such as "250ms", "5s", "2m" or "1h", found "5 sec"
             --> supervision.toml:7:16
              |
            7 | cancel_grace = "5 sec"
              |                ^^^^^^^
              |
              = help: write "5s"

            error: `agent.one.shutdown` must be a duration such as "5s", or "brutal_kill" or "infinity", found "brutal"
             --> supervision.toml:8:12
              |
            8 | shutdown = "brutal"
              |            ^^^^^^^^
              |
              = help: did you mean "brutal_kill"?

        "#]],
    );
}

#[test]
fn sizes() {
    check(
        &format!(
            "{TREE}[agent.one]\nentry = \"m:a\"\n[runtime]\nlog = {{ file_size = \"10MB\" }}\nsessions = {{ bytes = \"1KiB\" }}\n"
        ),
        &expect![[r#"
            error: `runtime.log.file_size` must be a size such as "64KiB" or "16MiB", found "10MB"
             --> supervision.toml:6:21
              |
            6 | log = { file_size = "10MB" }
              |                     ^^^^^^
              |
              = help: write "10MiB"

            error: `runtime.sessions.bytes` must be a size such as "64KiB" or "16MiB", found "1KiB"
             --> supervision.toml:7:22
              |
            7 | sessions = { bytes = "1KiB" }
              |                      ^^^^^^
              |
              = help: allowed are 64KiB to 1024GiB

        "#]],
    );
}

#[test]
fn choices() {
    check_agent(
        "entry = \"m:a\"\nmode = \"stream\"\nrestart = \"always\"",
        &expect![[r#"
            error: `agent.one.mode` must be "run", "run_stream" or "run_sync", found "stream"
             --> supervision.toml:5:8
              |
            5 | mode = "stream"
              |        ^^^^^^^^
              |
              = help: did you mean "run_stream"?

            error: `agent.one.restart` must be "permanent", "transient" or "temporary", found "always"
             --> supervision.toml:6:11
              |
            6 | restart = "always"
              |           ^^^^^^^^
              |
              = help: did you mean "permanent"?

        "#]],
    );
}

#[test]
fn numbers_in_their_limits() {
    check_agent(
        "entry = \"m:a\"\nconcurrency = 0\nreplicas = 0\nmailbox = { size = 0 }\nbackoff = { factor = 0.5, jitter = 2 }\nprefetch = -1",
        &expect![[r#"
            error: `agent.one.concurrency` must be a whole number from 1 to 4096, found 0
             --> supervision.toml:5:15
              |
            5 | concurrency = 0
              |               ^

            error: `agent.one.replicas` must be a whole number from 1 to 1024, found 0
             --> supervision.toml:6:12
              |
            6 | replicas = 0
              |            ^

            error: `agent.one.mailbox.size` must be a whole number from 1 to 1000000, found 0
             --> supervision.toml:7:20
              |
            7 | mailbox = { size = 0 }
              |                    ^

            error: `agent.one.backoff.factor` must be a number from 1.0 to 1000.0, found 0.5
             --> supervision.toml:8:22
              |
            8 | backoff = { factor = 0.5, jitter = 2 }
              |                      ^^^

            error: `agent.one.backoff.jitter` must be a number from 0.0 to 1.0, found 2
             --> supervision.toml:8:36
              |
            8 | backoff = { factor = 0.5, jitter = 2 }
              |                                    ^

            error: `agent.one.prefetch` must be a whole number from 0 to 4096, found -1
             --> supervision.toml:9:12
              |
            9 | prefetch = -1
              |            ^^

        "#]],
    );
    check(
        "[supervisor.root]\nintensity = -1\nchildren = []\n",
        &expect![[r#"
        error: `supervisor.root.intensity` must be a whole number from 0 to 10000, found -1
         --> supervision.toml:2:13
          |
        2 | intensity = -1
          |             ^^

        warning: supervisor `root` has nothing to supervise
         --> supervision.toml:3:12
          |
        3 | children = []
          |            ^^

    "#]],
    );
}

#[test]
fn entries() {
    check_agent(
        "entry = \"agents/assistant.py:agent\"",
        &expect![[r#"
        error: `agent.one.entry` must be a Python place "module:attribute", found "agents/assistant.py:agent"
         --> supervision.toml:4:9
          |
        4 | entry = "agents/assistant.py:agent"
          |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: did you mean "agents.assistant:agent"?

    "#]],
    );
    check_agent(
        "entry = \"agents.assistant\"\ndeps = \"what is this\"",
        &expect![[r#"
        error: `agent.one.entry` must be a Python place "module:attribute", found "agents.assistant"
         --> supervision.toml:4:9
          |
        4 | entry = "agents.assistant"
          |         ^^^^^^^^^^^^^^^^^^
          |
          = help: did you mean "agents.assistant:agent"?

        error: `agent.one.deps` must be a Python place "module:attribute", found "what is this"
         --> supervision.toml:5:8
          |
        5 | deps = "what is this"
          |        ^^^^^^^^^^^^^^

    "#]],
    );
}

#[test]
fn environments() {
    check_agent(
        "entry = \"m:a\"\nenv = { \"A-B\" = \"x\", PORT = 80, SYNAPSE_AGENT = \"me\" }\nenv_pass = [\"KEY=value\", \"1A\"]",
        &expect![[r#"
            error: "A-B" is not the name of a variable
             --> supervision.toml:5:9
              |
            5 | env = { "A-B" = "x", PORT = 80, SYNAPSE_AGENT = "me" }
              |         ^^^^^
              |
              = help: a name is letters, digits and _, and does not begin with a digit

            error: `agent.one.env.PORT` must be a string, found 80
             --> supervision.toml:5:29
              |
            5 | env = { "A-B" = "x", PORT = 80, SYNAPSE_AGENT = "me" }
              |                             ^^
              |
              = help: put the value into double quotes; variables are text

            error: `SYNAPSE_AGENT` is set by the runtime
             --> supervision.toml:5:33
              |
            5 | env = { "A-B" = "x", PORT = 80, SYNAPSE_AGENT = "me" }
              |                                 ^^^^^^^^^^^^^
              |
              = help: leave it out, or choose another name

            error: "KEY=value" is not the name of a variable
             --> supervision.toml:6:13
              |
            6 | env_pass = ["KEY=*****", "1A"]
              |             ^^^^^^^^^^^
              |
              = help: to set a variable: env = { KEY = "value" }

            error: "1A" is not the name of a variable
             --> supervision.toml:6:26
              |
            6 | env_pass = ["KEY=*****", "1A"]
              |                          ^^^^
              |
              = help: a name is letters, digits and _, and does not begin with a digit

        "#]],
    );
}

#[test]
fn values_that_json_lacks() {
    check_agent(
        "entry = \"m:a\"\nmodel_settings = { temperature = nan, since = 2026-01-01 }",
        &expect![[r#"
        error: `agent.one.model_settings.temperature` is NaN, which JSON does not have
         --> supervision.toml:5:34
          |
        5 | model_settings = { temperature = nan, since = 2026-01-01 }
          |                                  ^^^

        error: `agent.one.model_settings.since` is the date 2026-01-01, which JSON does not have
         --> supervision.toml:5:47
          |
        5 | model_settings = { temperature = nan, since = 2026-01-01 }
          |                                               ^^^^^^^^^^
          |
          = help: put the date into double quotes

    "#]],
    );
}

#[test]
fn models() {
    check_agent(
        "entry = \"m:a\"\nmodel = \"gpt-5\"",
        &expect![[r#"
        error: `agent.one.model` must be "offline" or "provider:model", found "gpt-5"
         --> supervision.toml:5:9
          |
        5 | model = "gpt-5"
          |         ^^^^^^^
          |
          = help: did you mean "openai:gpt-5"?

    "#]],
    );
    check_agent(
        "entry = \"m:a\"\nmodel = \"offlin\"",
        &expect![[r#"
        error: `agent.one.model` must be "offline" or "provider:model", found "offlin"
         --> supervision.toml:5:9
          |
        5 | model = "offlin"
          |         ^^^^^^^^
          |
          = help: did you mean "offline"?

    "#]],
    );
    check_agent(
        "entry = \"m:a\"\nmodel = \"opnai:gpt-5\"",
        &expect![[r#"
        warning: `agent.one.model`: no provider "opnai" is known
         --> supervision.toml:5:9
          |
        5 | model = "opnai:gpt-5"
          |         ^^^^^^^^^^^^^
          |
          = help: did you mean "openai:gpt-5"?

    "#]],
    );
}
