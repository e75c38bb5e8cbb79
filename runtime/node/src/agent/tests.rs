use serde_json::json;

use super::*;

fn agent(replicas: usize) -> Agent {
    let spec = json!({
        "name": "one", "program": "Declared", "model_settings": {}, "deps_scope": "run", "env": {},
        "usage_limits": {}, "env_pass": [], "restart": "permanent", "shutdown": {"timeout": 5000},
        "significant": false, "concurrency": 1, "prefetch": 0, "replicas": replicas,
        "mailbox": {"size": 1, "when_full": "reject"}, "start_timeout": 1, "call_timeout": 1,
        "cancel_grace": 1, "spawn": "exec",
    });
    let letters = Arc::new(DeadLetters::open(None));
    let spec = serde_json::from_value(spec).unwrap();
    Agent::new(spec, "root/one".to_owned(), letters)
}

fn exit(agent: &Agent, replica: usize, incarnation: u64) -> Arc<ExitView> {
    let of = (replica, incarnation);
    Arc::new(evidence::dossier(agent, of, ExitReason::Exited(9), None))
}

#[test]
fn a_replica_that_crashes_on_and_on_leaves_the_exits_of_the_others() {
    let agent = agent(2);
    agent.exited(exit(&agent, 0, 1));
    for incarnation in 2..100 {
        agent.exited(exit(&agent, 1, incarnation));
    }
    let exits = agent.detail().exits;
    let of = |replica| exits.iter().filter(move |exit| exit.replica == replica);
    assert_eq!((of(0).count(), of(1).count()), (1, EXITS_KEPT));
    assert_eq!(exits.first().unwrap().incarnation, 99, "newest first");
    assert_eq!(exits.last().unwrap().incarnation, 1);
}

#[test]
fn who_is_stopped_by_hand_is_no_longer_parked() {
    let agent = agent(1);
    let parked = (AgentState::Failed, WhyDown::Parked);
    agent.stays_down(0, parked, &agent.failed());
    let why = |agent: &Agent| agent.view().replicas[0].why_down;
    assert_eq!(why(&agent), Some(WhyDown::Parked));
    agent.rests(0, AgentState::Stopped);
    assert_eq!(why(&agent), None);
}

#[test]
fn who_is_stopped_by_hand_stays_so_while_its_supervisor_tries_to_start() {
    let agent = agent(2);
    agent.rests(0, AgentState::Stopped);
    agent.waits_with_its_supervisor();
    assert_eq!(agent.state(0), AgentState::Backoff);
    agent.hold(&agent.stopped());
    agent.rests(0, AgentState::Stopped);
    agent.waits_with_its_supervisor();
    assert_eq!(agent.state(0), AgentState::Stopped);
}
