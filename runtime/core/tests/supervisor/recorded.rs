//! Traces of the real OTP, recorded by the oracle, against the pure core.

use std::path::Path;

use crate::comparison::differs;
use crate::script::Scenario;
use crate::virtual_tree;

/// One recorded run: `{"name": ..., "scenario": ..., "trace": [lines]}`, one a line of the file.
#[derive(serde::Deserialize)]
pub(crate) struct Recorded {
    pub(crate) name: String,
    pub(crate) scenario: Scenario,
    pub(crate) trace: Vec<String>,
}

pub(crate) fn read(file: &str) -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/otp");
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_core_does_what_otp_does() {
    let recorded = read("recorded.jsonl");
    assert!(recorded.len() >= 100, "{} recorded runs", recorded.len());
    for Recorded {
        name,
        scenario,
        trace,
    } in recorded
    {
        let ours = virtual_tree::trace(&scenario);
        assert_eq!(differs(&trace, &ours), None, "{name}");
    }
}
