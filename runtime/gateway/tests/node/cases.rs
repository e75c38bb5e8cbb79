//! What a client sees of a node through its gateway.

use std::error::Error;
use std::pin::Pin;

use serde_json::json;
use synapse_api::{
    ActionKind, ClientError, Fault, Follow, LogLine, LogQuery, NodeEvent, RunEvent, RunRequest,
    RunStream, ToolEvent,
};

use crate::Outcome;
use crate::setup::Setup;

type Case = Pin<Box<dyn Future<Output = Outcome>>>;

/// Every case by its name.
pub(crate) fn all() -> Vec<(&'static str, Case)> {
    macro_rules! cases {
        ($($case:ident),* $(,)?) => { vec![$((stringify!($case), Box::pin($case()) as Case)),*] };
    }
    cases![
        status_shows_the_tree_and_its_programs,
        a_call_answers_with_its_output,
        a_stream_has_its_events_in_order,
        a_long_stream_comes_whole,
        a_large_answer_comes_whole,
        leaving_a_call_cancels_the_run_at_the_agent,
        leaving_a_stream_cancels_the_run_at_the_agent,
        a_run_is_cancelled_by_its_name,
        a_killed_agent_comes_back_and_its_end_is_told,
        a_crash_with_a_call_in_flight_is_the_agents_fault,
        names_that_nobody_has_are_refused_with_the_nearest,
        a_stopped_agent_refuses_calls_until_it_is_started,
        a_conversation_is_kept_and_forgotten,
        what_an_agent_writes_is_in_its_log,
        a_stopping_node_ends_its_followers_in_order,
    ]
}

async fn status_shows_the_tree_and_its_programs() -> Outcome {
    let setup = Setup::start().await?;
    let status = setup.client.status().await?;
    let echo = status.agent("echo").ok_or("no echo")?;
    assert_eq!(
        (status.schema, status.node.as_str(), status.agents.len()),
        (1, "tests", 2)
    );
    assert_eq!(
        (echo.path.as_str(), echo.state.as_str()),
        ("root/echo", "ready")
    );
    assert_eq!(
        (echo.incarnation, echo.restarts, echo.mailbox),
        (Some(1), 0, 64)
    );
    assert!(echo.pid.is_some() && echo.uptime_ms.is_some() && echo.last_exit.is_none());
    assert_eq!(echo.replicas.len(), 1);
    let program = echo.program.as_ref().ok_or("no program")?;
    assert_eq!(program.describe(), "plain Python, streams, no model");
    let root = status.supervisors.first().ok_or("no root")?;
    assert_eq!(
        (root.path.as_str(), root.strategy.as_str()),
        ("root", "one_for_one")
    );
    assert_eq!(root.children, ["echo", "other"]);
    let detail = setup.client.agent("echo").await?;
    assert_eq!(detail.status.pid, echo.pid);
    assert_eq!(detail.spec.entry.as_deref(), Some("tests:agent"));
    assert_eq!(
        detail.manifest.ok_or("no manifest")?["description"],
        "does what it is told"
    );
    setup.stop().await
}

async fn a_call_answers_with_its_output() -> Outcome {
    let setup = Setup::start().await?;
    let result = setup
        .client
        .run("echo", &RunRequest::prompt("hello"))
        .await?;
    assert_eq!((result.output, result.incarnation), (json!("hello"), 1));
    assert_eq!(
        (result.agent.as_str(), result.run.starts_with("r-")),
        ("echo", true)
    );
    assert_eq!(result.usage, json!({"requests": 0}));
    let input = RunRequest::input(json!({"a": [1, 2.5, null]}));
    let result = setup.client.run("echo", &input).await?;
    assert_eq!(Some(result.output), input.input);
    setup.stop().await
}

async fn a_stream_has_its_events_in_order() -> Outcome {
    let setup = Setup::start().await?;
    let request = RunRequest::prompt("say once upon a time");
    let mut stream = setup.client.run_stream("echo", &request).await?;
    let (mut names, mut text) = (Vec::new(), String::new());
    while let Some(event) = stream.next().await? {
        names.push(event.name().to_owned());
        match event {
            RunEvent::Chunk { text: piece, .. } => text.push_str(&piece),
            RunEvent::Result(result) => assert_eq!(result.output, json!(text)),
            _ => {}
        }
    }
    assert_eq!(
        names,
        ["run", "tool", "chunk", "chunk", "chunk", "chunk", "result"]
    );
    assert_eq!(text, "once upon a time");
    setup.stop().await
}

async fn a_long_stream_comes_whole() -> Outcome {
    let setup = Setup::start().await?;
    let words = "word ".repeat(10_000);
    let request = RunRequest::prompt(format!("say {words}"));
    let mut stream = setup.client.run_stream("echo", &request).await?;
    let (mut text, mut next) = (String::new(), 0);
    while let Some(event) = stream.next().await? {
        if let RunEvent::Tool(ToolEvent { seq, .. }) | RunEvent::Chunk { seq, .. } = &event {
            assert_eq!(*seq, next);
            next += 1;
        }
        if let RunEvent::Chunk { text: piece, .. } = event {
            text.push_str(&piece);
        }
    }
    assert_eq!((text == words, next), (true, 10_001));
    setup.stop().await
}

async fn a_large_answer_comes_whole() -> Outcome {
    let setup = Setup::start().await?;
    let large = "é\n".repeat(2 * 1024 * 1024);
    let result = setup
        .client
        .run("echo", &RunRequest::prompt(large.clone()))
        .await?;
    assert!(
        result.output.as_str() == Some(large.as_str()),
        "it is another"
    );
    setup.stop().await
}

async fn leaving_a_call_cancels_the_run_at_the_agent() -> Outcome {
    let setup = Setup::start().await?;
    let mut lines = setup
        .client
        .logs_follow("echo", LogQuery::default())
        .await?;
    let request = RunRequest::prompt("wait here");
    tokio::select! {
        outcome = setup.client.run("echo", &request) => return Err(format!("{outcome:?}").into()),
        line = log_line(&mut lines, "told to wait") => drop(line?),
    }
    log_line(&mut lines, "told to stop: caller_gone").await?;
    setup.stop().await
}

async fn leaving_a_stream_cancels_the_run_at_the_agent() -> Outcome {
    let setup = Setup::start().await?;
    let mut lines = setup
        .client
        .logs_follow("echo", LogQuery::default())
        .await?;
    let (stream, _run) = waiting_run(&setup).await?;
    drop(stream);
    log_line(&mut lines, "told to stop: caller_gone").await?;
    setup.stop().await
}

async fn a_run_is_cancelled_by_its_name() -> Outcome {
    let setup = Setup::start().await?;
    let (mut stream, run) = waiting_run(&setup).await?;
    setup.client.cancel(&run).await?;
    let end = stream.next().await?.ok_or("no end")?;
    assert!(
        matches!(&end, RunEvent::Error(fault) if fault.code == "cancelled"),
        "{end:?}"
    );
    let again = fault(setup.client.cancel("r-999").await)?;
    assert_eq!(
        (again.code.as_str(), again.message.contains("r-999")),
        ("invalid_input", true)
    );
    setup.stop().await
}

async fn a_killed_agent_comes_back_and_its_end_is_told() -> Outcome {
    let setup = Setup::start().await?;
    let pid = setup.client.agent("echo").await?.status.pid;
    let mut events = setup.client.events_follow(Some(0)).await?;
    let outcomes = setup
        .client
        .action(ActionKind::Kill, &["echo".to_owned()])
        .await?;
    assert_eq!(outcomes.len(), 1);
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.ok && outcome.pid == pid),
        "{outcomes:?}"
    );
    let ready = event(&mut events, "agent_ready").await?;
    assert_eq!(
        (ready.agent.as_deref(), ready.incarnation),
        (Some("echo"), Some(2))
    );
    let echo = setup.client.agent("echo").await?;
    assert_eq!(
        (echo.status.restarts, echo.status.incarnation),
        (1, Some(2))
    );
    let exit = echo.last_exits.first().ok_or("no exit")?;
    assert_eq!(
        (exit.reason.as_str(), exit.incarnation, exit.pid),
        ("signalled", 1, pid)
    );
    assert_eq!(exit.stderr_tail, ["the agent's first words"]);
    setup.stop().await
}

async fn a_crash_with_a_call_in_flight_is_the_agents_fault() -> Outcome {
    let setup = Setup::start().await?;
    let crashed = fault(setup.client.run("echo", &RunRequest::prompt("crash")).await)?;
    assert_eq!(
        (crashed.code.as_str(), crashed.origin.as_str()),
        ("agent_crashed", "agent")
    );
    let result = setup
        .client
        .run("echo", &RunRequest::prompt("again"))
        .await?;
    assert_eq!((result.output, result.incarnation), (json!("again"), 2));
    setup.stop().await
}

async fn names_that_nobody_has_are_refused_with_the_nearest() -> Outcome {
    let setup = Setup::start().await?;
    let client = &setup.client;
    let faults = [
        fault(client.run("ehco", &RunRequest::prompt("x")).await)?,
        fault(client.agent("ehco").await)?,
        fault(client.logs("ehco", LogQuery::default()).await)?,
        fault(client.action(ActionKind::Stop, &["ehco".to_owned()]).await)?,
    ];
    for fault in faults {
        let told = (fault.code.as_str(), fault.nearest());
        assert_eq!(told, ("agent_not_found", Some("echo")), "{fault}");
    }
    setup.stop().await
}

async fn a_stopped_agent_refuses_calls_until_it_is_started() -> Outcome {
    let setup = Setup::start().await?;
    let targets = ["ech*".to_owned()];
    let stopped = setup.client.action(ActionKind::Stop, &targets).await?;
    assert!(
        stopped
            .iter()
            .all(|outcome| outcome.ok && outcome.agent == "echo"),
        "{stopped:?}"
    );
    let refused = fault(setup.client.run("echo", &RunRequest::prompt("x")).await)?;
    assert_eq!(refused.code, "agent_stopped");
    setup.client.action(ActionKind::Start, &targets).await?;
    let result = setup.client.run("echo", &RunRequest::prompt("x")).await?;
    assert_eq!(result.output, json!("x"));
    setup.stop().await
}

async fn a_conversation_is_kept_and_forgotten() -> Outcome {
    let setup = Setup::start().await?;
    let request = RunRequest {
        session: Some("talk".into()),
        ..RunRequest::prompt("hello")
    };
    setup.client.run("echo", &request).await?;
    let session = setup.client.session("talk").await?;
    let turn = session.turns.first().ok_or("no turn")?;
    assert_eq!((session.agent.as_str(), session.turns.len()), ("echo", 1));
    assert_eq!(
        (&turn.prompt, &turn.answer),
        (&json!("hello"), &json!("hello"))
    );
    setup.client.drop_session("talk").await?;
    for gone in [
        fault(setup.client.session("talk").await.map(drop))?,
        fault(setup.client.drop_session("talk").await)?,
    ] {
        assert_eq!(gone.message, "there is no conversation \"talk\"");
    }
    setup.stop().await
}

async fn what_an_agent_writes_is_in_its_log() -> Outcome {
    let setup = Setup::start().await?;
    let mut lines = setup
        .client
        .logs_follow("echo", LogQuery::default())
        .await?;
    let line = log_line(&mut lines, "the agent's first words").await?;
    assert_eq!(
        (line.stream.as_str(), line.incarnation),
        ("stderr", Some(1))
    );
    let past = setup
        .client
        .logs(
            "echo",
            LogQuery {
                previous: false,
                tail: Some(50),
            },
        )
        .await?;
    assert!(past.contains(&line), "{past:?}");
    setup.stop().await
}

async fn a_stopping_node_ends_its_followers_in_order() -> Outcome {
    let setup = Setup::start().await?;
    let mut events = setup.client.events_follow(Some(0)).await?;
    let (mut stream, _run) = waiting_run(&setup).await?;
    setup.client.shutdown().await?;
    event(&mut events, "node_stopping").await?;
    let end = stream.next().await?.ok_or("no end")?;
    assert!(matches!(&end, RunEvent::Error(_)), "{end:?}");
    setup.node.ended().await;
    setup.gateway.close().await;
    while events.next().await?.is_some() {}
    assert!(matches!(
        setup.client.status().await,
        Err(ClientError::Connect(_))
    ));
    Ok(())
}

/// A run that goes on until it is cancelled, and its name.
async fn waiting_run(setup: &Setup) -> Result<(RunStream, String), Box<dyn Error>> {
    let mut stream = setup
        .client
        .run_stream("echo", &RunRequest::prompt("wait here"))
        .await?;
    match stream.next().await? {
        Some(RunEvent::Run { run, .. }) => Ok((stream, run)),
        other => Err(format!("the first event is {other:?}").into()),
    }
}

/// The line that says this; the case's own time limits the wait.
async fn log_line(lines: &mut Follow<LogLine>, text: &str) -> Result<LogLine, Box<dyn Error>> {
    while let Some(line) = lines.next().await? {
        if line.text.contains(text) {
            return Ok(line);
        }
    }
    Err(format!("no line {text:?}").into())
}

/// The next event of this kind.
async fn event(events: &mut Follow<NodeEvent>, kind: &str) -> Result<NodeEvent, Box<dyn Error>> {
    while let Some(event) = events.next().await? {
        if event.kind == kind {
            return Ok(event);
        }
    }
    Err(format!("no event {kind}").into())
}

/// The fault that a request was refused with.
fn fault<T>(outcome: Result<T, ClientError>) -> Result<Fault, Box<dyn Error>> {
    match outcome {
        Ok(_) => Err("it was not refused".into()),
        Err(ClientError::Fault(fault)) => Ok(*fault),
        Err(error) => Err(error.into()),
    }
}
