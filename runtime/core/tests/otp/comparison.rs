//! Whether two traces are the same, by the rules of the oracle.

/// The first step that differs: what OTP did, and what we did. `None` where the traces are equal.
#[must_use]
pub(crate) fn differs(otp: &[String], ours: &[String]) -> Option<String> {
    let (otp, ours) = (steps(otp), steps(ours));
    (0..otp.len().max(ours.len())).find_map(|index| {
        let (otp, ours) = (otp.get(index), ours.get(index));
        (otp != ours).then(|| format!("step {index}:\n  otp  {otp:?}\n  ours {ours:?}"))
    })
}

/// The lines of each step; as a set where a supervisor was killed, since OTP gives no order then.
fn steps(trace: &[String]) -> Vec<Vec<&str>> {
    let mut steps = vec![vec!["-- start"]];
    for line in trace {
        if line.starts_with("-- ") {
            steps.push(Vec::new());
        }
        if let Some(step) = steps.last_mut() {
            step.push(line);
        }
    }
    for step in &mut steps {
        if let Some((label, lines)) = step.split_first_mut()
            && label.ends_with(" kill")
        {
            lines.sort_unstable();
        }
    }
    steps
}
