//! Who has which name in a tree: what Elixir's Registry promises of names, and OTP of global ones.

use synapse_core::exit::ExitReason;
use synapse_core::supervisor::{ChildState, Reply, Request};
use synapse_node::supervisor::SupervisionTree;

use crate::children::crash;
use crate::tree::{Planted, plant};

/// The incarnation of a child, by the name of its supervisor.
async fn incarnation(tree: &SupervisionTree, supervisor: &str, child: &str) -> u64 {
    let supervisor = tree.supervisor(supervisor).unwrap();
    match supervisor.request(Request::WhichChild(child.into())).await {
        Reply::Child(child) => child.incarnation,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn clean_up_registry_on_process_crash() {
    let Planted {
        stage, tree, root, ..
    } = plant(1).await;
    let old = tree.supervisor("s2").unwrap();
    old.crash();
    old.ended().await;
    stage.until("up(root/s1/s2)").await;
    root.kill();
    root.ended().await;
    for name in ["root", "s1", "s2"] {
        assert!(tree.supervisor(name).is_none(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn has_unique_registrations() {
    // Two trees of the same names in one process have nothing in common.
    let (one, other) = (plant(1).await, plant(1).await);
    one.root.stop();
    one.root.ended().await;
    assert!(one.tree.supervisor("s1").is_none());
    let alive = other.tree.supervisor("s1").unwrap();
    assert_eq!(alive.snapshot().await.unwrap().path, "root/s1");
}

#[tokio::test(start_paused = true)]
async fn has_unique_registrations_even_if_the_owner_has_just_died() {
    let Planted { stage, tree, .. } = plant(1).await;
    stage.take();
    let old = tree.supervisor("s2").unwrap();
    old.crash();
    stage.until("up(root/s1/s2)").await;
    let new = tree.supervisor("s2").unwrap();
    assert!(new.snapshot().await.is_some(), "the name is the new one's");
    assert!(old.snapshot().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn dispatches_to_a_single_key() {
    let Planted { stage, tree, .. } = plant(1).await;
    stage.take();
    let parent = tree.supervisor(tree.parent("c").unwrap().as_str()).unwrap();
    let restarted = parent.request(Request::OperatorRestart("c".into())).await;
    assert_eq!(restarted, Reply::Ok);
    assert_eq!(stage.take(), ["-c1(shutdown)", "+c2"], "nobody else");
}

#[tokio::test(start_paused = true)]
async fn unregisters_process_by_key() {
    let Planted { tree, .. } = plant(1).await;
    let parent = tree.supervisor("s1").unwrap();
    let stopped = parent.request(Request::OperatorStop("s2".into())).await;
    assert_eq!(stopped, Reply::Ok);
    assert!(tree.supervisor("s2").is_none());
    let started = parent.request(Request::OperatorStart("s2".into())).await;
    assert_eq!(started, Reply::Ok);
    assert!(tree.supervisor("s2").is_some());
}

#[tokio::test(start_paused = true)]
async fn unregisters_with_no_entries() {
    let Planted { tree, .. } = plant(1).await;
    assert!(tree.supervisor("nobody").is_none());
    assert!(tree.supervisor("a").is_none(), "an agent is no supervisor");
    assert!(tree.parent("nobody").is_none());
}

/// The suite's four ways to lose a name: each time it is somebody new who has it.
#[tokio::test(start_paused = true)]
async fn simple_global_supervisor() {
    // The supervisor is killed.
    let planted = plant(1).await;
    planted.stage.take();
    planted.tree.supervisor("s2").unwrap().crash();
    planted.stage.until("up(root/s1/s2)").await;
    assert_eq!(incarnation(&planted.tree, "s1", "s2").await, 2);
    assert_eq!(incarnation(&planted.tree, "s2", "c").await, 2);
    // The worker is killed, or ends.
    for reason in [ExitReason::Killed, ExitReason::Normal, crash()] {
        let planted = plant(1).await;
        planted.stage.take();
        planted.stage.exit("c", reason);
        planted.stage.until("+d2").await;
        assert_eq!(incarnation(&planted.tree, "s2", "c").await, 2);
    }
    // The worker is terminated and restarted through the supervisor's name.
    let planted = plant(1).await;
    let named = planted.tree.supervisor("s2").unwrap();
    for request in [Request::TerminateChild, Request::RestartChild] {
        assert_eq!(named.request(request("c".into())).await, Reply::Ok);
    }
    assert_eq!(incarnation(&planted.tree, "s2", "c").await, 2);
    let states = named.snapshot().await.unwrap().children;
    assert!(states.iter().all(|child| child.state == ChildState::Up));
    // When the top is killed all names are free.
    planted.root.kill();
    planted.root.ended().await;
    assert!(planted.tree.supervisor("s2").is_none());
}
