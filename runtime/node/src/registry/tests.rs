use serde_json::Value;

use super::*;

/// root(one, group(two, three), four)
fn registry() -> AgentRegistry {
    let agents = ["one", "two", "three", "four"];
    let agents = agents.map(|name| (name.to_owned(), agent(name)));
    let supervisor = |name: &str, children: &[(&str, &str)]| {
        let children: Vec<_> = children
            .iter()
            .map(|(kind, name)| json!({ *kind: name }))
            .collect();
        json!({
            "name": name, "strategy": "one_for_one", "intensity": 1, "period": 5000,
            "on_exhausted": "escalate", "start_order": "sequential", "auto_shutdown": "never",
            "restart": "permanent", "shutdown": "infinity",
            "significant": false, "children": children,
        })
    };
    let tree = json!({
        "root": "root",
        "supervisors": {
            "root": supervisor("root", &[("Agent", "one"), ("Supervisor", "group"), ("Agent", "four")]),
            "group": supervisor("group", &[("Agent", "two"), ("Agent", "three")]),
        },
        "agents": Value::Object(agents.into_iter().collect()),
    });
    let letters = Arc::new(DeadLetters::open(None));
    AgentRegistry::new(serde_json::from_value(tree).unwrap(), &letters)
}

fn agent(name: &str) -> Value {
    json!({
        "name": name, "program": "Declared", "model_settings": {}, "deps_scope": "run", "env": {},
        "usage_limits": {}, "env_pass": [], "restart": "permanent", "shutdown": {"timeout": 5000},
        "significant": false, "concurrency": 1, "prefetch": 0, "replicas": 1,
        "mailbox": {"size": 1, "when_full": "reject"}, "start_timeout": 1, "call_timeout": 1,
        "cancel_grace": 1, "spawn": "exec",
    })
}

fn names(agents: &[Arc<Agent>]) -> Vec<&str> {
    agents.iter().map(|agent| &*agent.name).collect()
}

fn check(targets: &[&str], expected: &[&str]) {
    let targets: Vec<_> = targets.iter().map(|target| (*target).to_owned()).collect();
    let found = registry().matching(&targets).unwrap();
    assert_eq!(names(&found), expected, "{targets:?}");
}

#[test]
fn targets_are_names_globs_and_subtrees_each_agent_once_in_start_order() {
    check(&["four", "one"], &["one", "four"]);
    check(&["group"], &["two", "three"]);
    check(&["root"], &["one", "two", "three", "four"]);
    check(&["t*"], &["two", "three"]);
    check(&["g*"], &["two", "three"]);
    check(&["three", "group", "t*"], &["two", "three"]);
    check(&["{one,four}"], &["one", "four"]);
    check(&[], &[]);
}

#[test]
fn a_target_that_matches_nothing_is_refused_with_the_nearest_name() {
    let refused = |target: &str| registry().matching(&[target.to_owned()]).unwrap_err();
    let cases = [
        ("thre", json!("three")),
        ("grup", json!("group")),
        ("xyz", json!(null)),
    ];
    for (target, nearest) in cases {
        let fault = refused(target);
        assert_eq!(fault.code, FaultCode::AgentNotFound, "{target}");
        assert_eq!(fault.details["nearest"], nearest, "{target}");
    }
    assert_eq!(refused("x*").code, FaultCode::AgentNotFound);
    assert_eq!(refused("[").code, FaultCode::InvalidInput);
}

#[test]
fn paths_lead_from_the_root() {
    let registry = registry();
    assert_eq!(registry.agent("three").unwrap().path, "root/group/three");
    assert_eq!(names(&registry.below("group")), ["two", "three"]);
    let supervisors = supervisors(registry.tree());
    let paths: Vec<_> = supervisors.iter().map(|(_, path)| path.as_str()).collect();
    assert_eq!(paths, ["root", "root/group"]);
}
