//! The shape of the tree.

use expect_test::expect;

use super::check;

#[test]
fn a_tree_without_root_suggests_its_only_supervisor() {
    check(
        "[supervisor.main]\nchildren = [\"one\"]\n[agent.one]\nentry = \"m:a\"\n",
        &expect![[r#"
        error: there is no [supervisor.root]
         --> supervision.toml:1:13
          |
        1 | [supervisor.main]
          |             ^^^^
          |
          = help: the top supervisor is called `root`

    "#]],
    );
}

#[test]
fn a_supervisor_without_children_is_incomplete() {
    check(
        "[supervisor.root]\nstrategy = \"one_for_one\"\n",
        &expect![[r#"
        error: supervisor `root` has no `children`
         --> supervision.toml:1:13
          |
        1 | [supervisor.root]
          |             ^^^^
          |
          = help: name its agents and supervisors in start order: children = ["..."]

    "#]],
    );
}

#[test]
fn an_unknown_child_suggests_the_nearest_and_excuses_it() {
    check(
        "[supervisor.root]\nchildren = [\"asistant\"]\n[agent.assistant]\nentry = \"m:a\"\n",
        &expect![[r#"
        error: no agent and no supervisor is called "asistant"
         --> supervision.toml:2:13
          |
        2 | children = ["asistant"]
          |             ^^^^^^^^^^
          |
          = help: did you mean "assistant"?

    "#]],
    );
}

#[test]
fn a_child_is_listed_once() {
    check(
        "[supervisor.root]\nchildren = [\"echo\", \"echo\", \"inner\"]\n[supervisor.inner]\nchildren = [\"echo\"]\n[agent.echo]\nentry = \"m:a\"\n",
        &expect![[r#"
            error: `echo` is listed twice in the children of `root`
             --> supervision.toml:2:21
              |
            2 | children = ["echo", "echo", "inner"]
              |             ------  ^^^^^^ again here
              |             |
              |             first here
              |
              = help: each agent and supervisor has one place in the tree

            error: `echo` is a child of both `root` and `inner`
             --> supervision.toml:4:13
              |
            2 | children = ["echo", "echo", "inner"]
              |             ------ first here
            3 | [supervisor.inner]
            4 | children = ["echo"]
              |             ^^^^^^ again here
              |
              = help: each agent and supervisor has one place in the tree

        "#]],
    );
}

#[test]
fn what_nobody_lists_never_starts() {
    check(
        "[supervisor.root]\nchildren = []\n[supervisor.inner]\nchildren = []\n[agent.one]\nentry = \"m:a\"\n",
        &expect![[r#"
            warning: supervisor `root` has nothing to supervise
             --> supervision.toml:2:12
              |
            2 | children = []
              |            ^^

            error: supervisor `inner` is in no supervisor's `children`, so it would never start
             --> supervision.toml:3:13
              |
            3 | [supervisor.inner]
              |             ^^^^^
              |
              = help: add "inner" to the children of [supervisor.root], or remove the table

            warning: supervisor `inner` has nothing to supervise
             --> supervision.toml:4:12
              |
            4 | children = []
              |            ^^

            error: agent `one` is in no supervisor's `children`, so it would never start
             --> supervision.toml:5:8
              |
            5 | [agent.one]
              |        ^^^
              |
              = help: add "one" to the children of [supervisor.root], or remove the table

        "#]],
    );
}

#[test]
fn the_root_is_nobodys_child() {
    check(
        "[supervisor.root]\nchildren = [\"root\"]\n",
        &expect![[r#"
        error: `root` cannot be a child: it is the top of the tree
         --> supervision.toml:2:13
          |
        2 | children = ["root"]
          |             ^^^^^^

    "#]],
    );
}

#[test]
fn supervisors_do_not_supervise_each_other() {
    check(
        "[supervisor.root]\nchildren = []\n[supervisor.a]\nchildren = [\"b\"]\n[supervisor.b]\nchildren = [\"c\"]\n[supervisor.c]\nchildren = [\"a\"]\n",
        &expect![[r#"
            warning: supervisor `root` has nothing to supervise
             --> supervision.toml:2:12
              |
            2 | children = []
              |            ^^

            error: supervisors supervise each other: b -> c -> a -> b
             --> supervision.toml:4:13
              |
            4 | children = ["b"]
              |             ^^^ `a` starts `b`
            5 | [supervisor.b]
            6 | children = ["c"]
              |             --- `b` starts `c`
            7 | [supervisor.c]
            8 | children = ["a"]
              |             --- `c` starts `a`
              |
              = help: a tree has no way back up: remove one of these

        "#]],
    );
    check(
        "[supervisor.root]\nchildren = []\n[supervisor.self]\nchildren = [\"self\"]\n",
        &expect![[r#"
            warning: supervisor `root` has nothing to supervise
             --> supervision.toml:2:12
              |
            2 | children = []
              |            ^^

            error: supervisors supervise each other: self -> self
             --> supervision.toml:4:13
              |
            4 | children = ["self"]
              |             ^^^^^^ `self` starts `self`
              |
              = help: a tree has no way back up: remove one of these

        "#]],
    );
}

#[test]
fn agents_and_supervisors_share_one_namespace() {
    check(
        "[supervisor.root]\nchildren = [\"one\"]\n[supervisor.one]\nchildren = []\n[agent.one]\nentry = \"m:a\"\n",
        &expect![[r#"
            warning: supervisor `one` has nothing to supervise
             --> supervision.toml:4:12
              |
            4 | children = []
              |            ^^

            error: `one` is the name of a supervisor and of an agent
             --> supervision.toml:5:8
              |
            3 | [supervisor.one]
              |             --- supervisor here
            4 | children = []
            5 | [agent.one]
              |        ^^^ agent here
              |
              = help: agents and supervisors share one namespace; rename one of them

        "#]],
    );
}

#[test]
fn a_tree_is_not_deeper_than_its_walk_allows() {
    let tree = |levels: usize| -> String {
        let supervisor = |level: usize, name: String| {
            let children = if level == levels {
                String::new()
            } else {
                format!("\"s{}\"", level + 1)
            };
            format!("[supervisor.{name}]\nchildren = [{children}]\n")
        };
        let inner = (1..=levels).map(|level| supervisor(level, format!("s{level}")));
        supervisor(0, "root".to_owned()) + &inner.collect::<String>()
    };
    let said = |levels| super::said(&tree(levels), std::path::Path::new("/nowhere/s.toml"));
    assert!(!said(64).contains("error"), "{}", said(64));
    assert!(
        said(65).contains("`s65` is more than 64 levels below `root`"),
        "{}",
        said(65)
    );
}
