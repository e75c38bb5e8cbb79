//! Traces of the real OTP, recorded by the oracle, against the pure core.

use std::path::Path;

use crate::script::Scenario;
use crate::virtual_tree;

/// One recorded run: `{"scenario": ..., "trace": [lines]}`, one a line of the file.
#[derive(serde::Deserialize)]
struct Recorded {
    name: String,
    scenario: Scenario,
    trace: Vec<String>,
}

/// The lines of each step; as a set where a supervisor was killed, since OTP gives no order then.
fn steps(trace: &[String]) -> Vec<Vec<&str>> {
    let mut steps = vec![vec!["-- start"]];
    for line in trace {
        if line.starts_with("-- ") {
            steps.push(Vec::new());
        }
        steps.last_mut().unwrap().push(line);
    }
    for step in steps.iter_mut().filter(|step| step[0].ends_with(" kill")) {
        step[1..].sort_unstable();
    }
    steps
}

#[test]
fn the_core_does_what_otp_does() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/otp/recorded.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    let recorded: Vec<Recorded> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(recorded.len() >= 100, "{} recorded runs", recorded.len());
    for Recorded {
        name,
        scenario,
        trace,
    } in recorded
    {
        let ours = virtual_tree::trace(&scenario);
        for (otp, ours) in steps(&trace).iter().zip(steps(&ours)) {
            assert_eq!(otp, &ours, "{name} at {:?}", otp[0]);
        }
        assert_eq!(steps(&trace).len(), steps(&ours).len(), "{name}: steps");
    }
}
