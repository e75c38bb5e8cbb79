//! Supervisors below supervisors: cases of the suite as scenarios, with the trace of the real OTP.

use crate::comparison::differs;
use crate::recorded::read;
use crate::virtual_tree;

fn check(name: &str) {
    let mut cases = read("cases.jsonl");
    cases.retain(|case| case.name == name);
    let [case] = &*cases else {
        panic!("{} cases of the name {name}", cases.len());
    };
    let ours = virtual_tree::trace(&case.scenario);
    assert_eq!(differs(&case.trace, &ours), None, "{name}");
}

#[test]
fn tree() {
    check("tree");
}

#[test]
fn significant_escalation() {
    check("significant_escalation");
    check("significant_escalation_not_marked");
}
