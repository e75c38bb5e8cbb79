//! How the use of an agent's processes looks.

use expect_test::expect;
use synapse_api::{AgentDetail, AgentSummary, ReplicaStatus, ResourceLimits, Usage};

use super::{check, first_minute, replica};
use crate::render::{Palette, inspect, status as table};

#[test]
fn what_an_agent_uses_and_may_use_is_told_in_full_and_in_the_table_for_all_replicas() {
    let mut status = first_minute();
    let usage = Usage {
        cpu_ms: 1_240,
        cpu_percent: 12.4,
        resident_bytes: 61 << 20,
        proportional_bytes: Some(13 << 20),
        open_files: Some(12),
        threads: 2,
    };
    let agent = &mut status.agents[0];
    agent.usage = Some(usage);
    agent.replicas[0].usage = Some(usage);
    let second = Usage {
        proportional_bytes: None,
        ..usage
    };
    agent.replicas.push(ReplicaStatus {
        usage: Some(second),
        ..replica(1, 3)
    });
    let detail = AgentDetail {
        status: agent.clone(),
        manifest: None,
        spec: AgentSummary {
            limits: ResourceLimits {
                memory_bytes: Some(512 << 20),
                open_files: Some(256),
                processes: None,
                cpu_ms: Some(600_000),
            },
            ..AgentSummary::default()
        },
        last_exits: Vec::new(),
        last_fault: None,
        frames: Vec::new(),
    };
    let page = inspect(&detail, false, 200, Palette::PLAIN);
    let lines = page.lines();
    let told: Vec<&str> = lines
        .filter(|line| line.starts_with("uses") || line.starts_with("limits"))
        .collect();
    check(
        &told.join("\n"),
        &expect![[r#"
        uses          61 MiB of memory (13 MiB where shared pages count by its part), 12% of a processor (1.2 s since its start), 2 threads, 12 open files
        limits        memory 512 MiB, open_files 256, cpu_time 10m
    "#]],
    );
    status.agents.truncate(2);
    check(
        &table(&status, 100, Palette::PLAIN),
        &expect![[r#"
        node local   pid 4100   up 3 min 20 s   synapse 0.1.0
        NAME        STATE   RESTARTS   UPTIME    PID   IN FLIGHT   QUEUED   MEMORY   CPU
        assistant   ready          0     41 s   4121           0    0/256   74 MiB   25%
        analyst     ready          0     41 s   4121           0    0/256        -     -
    "#]],
    );
}
