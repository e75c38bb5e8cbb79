//! How lives ended: the node's dossiers as the API's.

use synapse_api as api;
use synapse_node as node;

use super::{index, millis};

pub(super) fn exit(view: &node::ExitView) -> api::LastExit {
    let view = view.clone();
    api::LastExit {
        reason: view.reason.word().to_owned(),
        detail: view.detail,
        at: view.at,
        incarnation: view.incarnation,
        stderr_tail: view.stderr_tail,
        pid: view.pid,
        uptime_ms: millis(view.uptime),
        traceback: view.traceback,
        peak_resident_bytes: view.peak_resident_bytes,
        runs_in_flight: view.runs_in_flight,
        replica: index(view.replica),
    }
}

pub(crate) fn dossier(view: &node::ExitView) -> api::Dossier {
    let view = view.clone();
    api::Dossier {
        agent: view.agent,
        incarnation: view.incarnation,
        replica: index(view.replica),
        reason: view.reason.word().to_owned(),
        detail: view.detail,
        code: view.code,
        signal: view.signal,
        signal_name: view.signal_name.map(str::to_owned),
        core_dumped: view.core_dumped,
        pid: view.pid,
        started_at: view.started_at,
        at: view.at,
        uptime_ms: millis(view.uptime),
        start_ms: view.start_took.map(millis),
        peak_resident_bytes: view.peak_resident_bytes,
        runs_in_flight: view.runs_in_flight,
        runs: view.runs.into_iter().map(run_cut_off).collect(),
        frames: view.frames.into_iter().map(frame).collect(),
        stderr_tail: view.stderr_tail,
        traceback: view.traceback,
        stacks: view.stacks,
        kernel: view.kernel.clone(),
        next: view.next.get().map(next_step),
    }
}

fn run_cut_off(view: node::RunCutOff) -> api::RunCutOff {
    api::RunCutOff {
        run: view.run,
        running_ms: millis(view.running),
        stream: view.stream,
        chunks: view.chunks,
        tool_calls: view.tool_calls,
        cancelled: view.cancelled,
        outcome: view.outcome.to_owned(),
        again: view.again,
        dead_letter: view.dead_letter,
    }
}

fn frame(view: node::FrameView) -> api::Frame {
    api::Frame {
        from: view.from.as_str().to_owned(),
        kind: view.kind.to_owned(),
        run: view.run,
        bytes: view.bytes,
        age_ms: millis(view.age),
    }
}

pub(super) fn live_frames(view: node::LiveFrames) -> api::LiveFrames {
    api::LiveFrames {
        replica: index(view.replica),
        incarnation: view.incarnation,
        frames: view.frames.into_iter().map(frame).collect(),
    }
}

fn next_step(view: &node::NextView) -> api::NextStep {
    api::NextStep {
        action: view.action.as_str().to_owned(),
        detail: view.detail.clone(),
        supervisor: view.supervisor.clone(),
        delay_ms: view.delay.map(millis),
        restarts: view.restarts,
        intensity: view.intensity,
        period_ms: view.period.map(millis),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, OnceLock};
    use std::time::Duration;

    use synapse_core::exit::ExitReason;

    use super::*;

    fn view() -> node::ExitView {
        let next = OnceLock::new();
        let step = node::NextView {
            action: node::NextAction::Restart,
            detail: "restarting".to_owned(),
            supervisor: "root".to_owned(),
            delay: Some(Duration::from_millis(200)),
            restarts: Some(1),
            intensity: Some(3),
            period: Some(Duration::from_secs(5)),
        };
        next.set(step).unwrap();
        node::ExitView {
            agent: "echo".to_owned(),
            incarnation: 3,
            replica: 1,
            reason: ExitReason::Signalled(11),
            detail: "killed by signal 11".to_owned(),
            code: Some(3),
            signal: Some(11),
            signal_name: Some("SIGSEGV"),
            core_dumped: true,
            pid: Some(4121),
            started_at: "2026-11-20T09:46:11.000Z".to_owned(),
            at: "2026-11-20T09:46:52.000Z".to_owned(),
            uptime: Duration::from_secs(41),
            start_took: Some(Duration::from_millis(22)),
            peak_resident_bytes: Some(1),
            runs_in_flight: vec!["r-17".to_owned()],
            runs: vec![node::RunCutOff {
                run: "r-17".to_owned(),
                running: Duration::from_millis(1_250),
                stream: true,
                chunks: 14,
                tool_calls: 1,
                cancelled: true,
                outcome: "unknown",
                again: true,
                dead_letter: Some("d-3".to_owned()),
            }],
            frames: vec![node::FrameView {
                from: node::Side::Agent,
                kind: "chunk",
                run: Some("r-17".to_owned()),
                bytes: 120,
                age: Duration::from_millis(12),
            }],
            stderr_tail: vec!["loading".to_owned()],
            traceback: Some("KeyError".to_owned()),
            stacks: Some("Thread 0x1".to_owned()),
            kernel: None,
            next: Arc::new(next),
        }
    }

    #[test]
    fn the_log_has_the_same_object_as_the_api() {
        let logged = serde_json::to_value(view()).unwrap();
        let served = serde_json::to_value(dossier(&view())).unwrap();
        assert_eq!(logged, served);
    }
}
