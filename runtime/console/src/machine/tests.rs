use serde_json::{Map, Value, json};
use synapse_api::{
    ActionKind, ActionOutcome, AgentDetail, AgentStatus, Fault, NodeEvent, RunEvent, RunResult,
    Status, SupervisorStatus,
};

use super::*;

fn status() -> Status {
    let agent = |name: &str| AgentStatus {
        name: name.into(),
        path: format!("root/{name}"),
        state: "ready".into(),
        incarnation: Some(1),
        pid: Some(4121),
        restarts: 0,
        uptime_ms: Some(10),
        in_flight: 0,
        queued: 0,
        mailbox: 64,
        mode: "run_stream".into(),
        program: None,
        last_exit: None,
        spare_pid: None,
        usage: None,
        replicas: Vec::new(),
    };
    Status {
        schema: 1,
        node: "local".into(),
        pid: 1,
        guard_pid: None,
        version: "0.1.0".into(),
        uptime_ms: 5,
        agents: vec![agent("assistant"), agent("analyst")],
        supervisors: vec![SupervisorStatus {
            name: "root".into(),
            path: "root".into(),
            strategy: "one_for_one".into(),
            restarts_in_period: 0,
            intensity: 3,
            period_ms: 5_000,
            children: vec!["assistant".into(), "analyst".into()],
            state: "ready".into(),
            on_exhausted: "escalate".into(),
            start_order: "sequential".into(),
            restarts: 0,
            last_exits: Vec::new(),
        }],
    }
}

/// A console of its own, past its first actions.
fn console(manner: Manner) -> Machine {
    let (machine, actions) = Machine::start(manner, Place::Own, "c".into(), &status());
    assert_eq!(
        actions,
        [Action::Learn(Names::of(&status())), read("assistant")]
    );
    machine
}

fn read(agent: &str) -> Action {
    Action::Read {
        agent: Some(agent.into()),
    }
}

fn remark(text: &str) -> Action {
    Action::Show(View::Remark(text.into()))
}

fn line(machine: &mut Machine, text: &str) -> Vec<Action> {
    machine.step(0, Event::Line(text.into()))
}

fn call(task: Task, agent: &str, text: &str, session: &str) -> Action {
    let (agent, text, session) = (agent.into(), text.into(), session.into());
    Action::Call {
        task,
        agent,
        text,
        session,
        deps: None,
    }
}

fn run(task: Task, name: &str) -> Event {
    let event = RunEvent::Run {
        run: name.into(),
        agent: "assistant".into(),
        incarnation: 1,
    };
    Event::Run(task, event)
}

fn chunk(task: Task, text: &str) -> Event {
    Event::Run(
        task,
        RunEvent::Chunk {
            seq: 0,
            text: text.into(),
        },
    )
}

fn result(output: Value) -> RunResult {
    RunResult {
        run: "r-1".into(),
        agent: "assistant".into(),
        incarnation: 1,
        attempts: 1,
        output,
        usage: Value::Null,
        duration_ms: 4,
    }
}

fn error(task: Task, code: &str) -> Event {
    Event::Run(task, RunEvent::Error(Fault::new(code, "agent", "gone")))
}

fn node_event(kind: &str, agent: &str) -> NodeEvent {
    NodeEvent {
        seq: 1,
        at: "2026-11-20T09:46:52Z".into(),
        kind: kind.into(),
        agent: Some(agent.into()),
        supervisor: None,
        incarnation: Some(2),
        message: format!("{agent} {kind}"),
        data: Map::new(),
    }
}

fn notice(kind: &str, agent: &str, kept: Option<u64>) -> Action {
    Action::Show(View::Notice {
        event: node_event(kind, agent),
        kept,
    })
}

fn fault(code: &str) -> Action {
    let fault = Box::new(Fault::new(code, "agent", "gone"));
    Action::Show(View::Fault {
        fault,
        agent: Some("assistant".into()),
    })
}

#[test]
fn a_message_goes_to_the_current_agent_and_its_conversation() {
    let mut console = console(Manner::Typed);
    assert_eq!(
        line(&mut console, "hi"),
        [call(1, "assistant", "hi", "c-assistant-1")]
    );
    assert_eq!(console.step(1, run(1, "r-1")), []);
    assert_eq!(
        console.step(2, chunk(1, "Hel")),
        [Action::Show(View::Text("Hel".into()))]
    );
    assert_eq!(
        console.step(3, chunk(1, "lo")),
        [Action::Show(View::Text("lo".into()))]
    );
    let end = console.step(4, Event::Run(1, RunEvent::Result(result(json!("Hello")))));
    assert_eq!(
        end,
        [
            Action::Show(View::Cost(result(json!("Hello")))),
            read("assistant")
        ]
    );
}

#[test]
fn an_output_that_was_not_streamed_is_shown_whole() {
    let mut console = console(Manner::Typed);
    line(&mut console, "hi");
    console.step(1, run(1, "r-1"));
    let output = json!({"title": "x"});
    let end = console.step(2, Event::Run(1, RunEvent::Result(result(output.clone()))));
    assert_eq!(end[0], Action::Show(View::Output(output)));
}

#[test]
fn a_structured_output_is_shown_whole_though_its_json_was_streamed() {
    let mut console = console(Manner::Typed);
    line(&mut console, "hi");
    assert_eq!(console.step(1, chunk(1, "{\"title\": ")), []);
    assert_eq!(console.step(1, chunk(1, "\"x\"}")), []);
    let output = json!({"title": "x"});
    let end = console.step(2, Event::Run(1, RunEvent::Result(result(output.clone()))));
    assert_eq!(end[0], Action::Show(View::Output(output)));
    assert_eq!(end.len(), 3);
}

#[test]
fn what_was_held_back_of_an_answer_that_fails_is_shown() {
    let mut console = console(Manner::Typed);
    line(&mut console, "hi");
    assert_eq!(console.step(1, chunk(1, "[one, ")), []);
    let end = console.step(2, error(1, "agent_crashed"));
    assert_eq!(end[0], Action::Show(View::Text("[one, ".into())));
    assert_eq!(end[1], fault("agent_crashed"));
}

#[test]
fn an_agent_that_answers_in_text_may_begin_with_a_bracket() {
    let mut status = status();
    let program = synapse_api::Program {
        streams: true,
        ..synapse_api::Program::default()
    };
    status.agents[0].program = Some(program);
    let (mut console, _) = Machine::start(Manner::Typed, Place::Own, "c".into(), &status);
    line(&mut console, "hi");
    let shown = console.step(1, chunk(1, "[sic]"));
    assert_eq!(shown, [Action::Show(View::Text("[sic]".into()))]);
}

#[test]
fn interrupt_cancels_by_name_and_the_partial_answer_stays() {
    let mut console = console(Manner::Typed);
    line(&mut console, "hi");
    console.step(1, run(1, "r-17"));
    console.step(2, chunk(1, "Once upon"));
    let interrupted = console.step(100, Event::Interrupt);
    let cancel = Action::Cancel { run: "r-17".into() };
    assert_eq!(interrupted, [Action::Show(View::Interrupted), cancel]);
    let text = "cancelled after 212 ms; the partial answer stays in the conversation";
    assert_eq!(
        console.step(212, error(1, "cancelled")),
        [remark(text), read("assistant")]
    );
}

#[test]
fn what_still_comes_behind_an_interrupt_is_not_shown() {
    let mut console = console(Manner::Typed);
    line(&mut console, "hi");
    console.step(1, run(1, "r-17"));
    console.step(2, chunk(1, "Once"));
    console.step(3, Event::Interrupt);
    assert_eq!(console.step(4, chunk(1, " upon")), []);
    let end = console.step(
        5,
        Event::Run(1, RunEvent::Result(result(json!("Once upon")))),
    );
    let whole = Action::Show(View::Output(json!("Once upon")));
    assert_eq!(
        end[0], whole,
        "it was finished before it could be cancelled"
    );
}

#[test]
fn interrupt_before_the_run_has_a_name_drops_the_call() {
    let mut console = console(Manner::Typed);
    line(&mut console, "hi");
    let actions = console.step(30, Event::Interrupt);
    let expected = [
        Action::Show(View::Interrupted),
        Action::Drop { task: 1 },
        remark("cancelled after 30 ms"),
        read("assistant"),
    ];
    assert_eq!(actions, expected);
    assert_eq!(console.step(31, run(1, "r-1")), [], "its events are stale");
    assert_eq!(console.step(32, error(1, "cancelled")), []);
}

#[test]
fn a_result_that_overtakes_the_cancel_is_shown_as_usual() {
    let mut console = console(Manner::Typed);
    line(&mut console, "hi");
    console.step(1, run(1, "r-1"));
    console.step(2, Event::Interrupt);
    let end = console.step(3, Event::Run(1, RunEvent::Result(result(json!("done")))));
    assert_eq!(end.len(), 3);
    assert_eq!(end[0], Action::Show(View::Output(json!("done"))));
}

#[test]
fn a_second_interrupt_does_not_wait_for_the_agent() {
    let mut console = console(Manner::Typed);
    line(&mut console, "hi");
    console.step(1, run(1, "r-1"));
    console.step(2, Event::Interrupt);
    let actions = console.step(3, Event::Interrupt);
    assert_eq!(actions[0], Action::Drop { task: 1 });
    assert_eq!(actions[2], read("assistant"));
}

#[test]
fn interrupts_at_the_prompt_only_give_a_hint() {
    let mut console = console(Manner::Typed);
    for _ in 0..2 {
        let actions = console.step(1, Event::Interrupted { empty: true });
        assert!(matches!(
            &actions[..],
            [Action::Show(View::Remark(_)), Action::Read { .. }]
        ));
    }
    assert_eq!(
        console.step(2, Event::Interrupted { empty: false }),
        [read("assistant")]
    );
    let signal = console.step(3, Event::Interrupt);
    assert!(
        matches!(&signal[..], [Action::Show(View::Remark(_))]),
        "the reader reads on"
    );
}

#[test]
fn an_event_in_the_middle_of_a_stream_is_shown_at_once() {
    let mut console = console(Manner::Typed);
    line(&mut console, "hi");
    console.step(1, chunk(1, "Once "));
    let seen = console.step(2, Event::Notice(node_event("agent_restarting", "analyst")));
    assert_eq!(seen, [notice("agent_restarting", "analyst", None)]);
    assert_eq!(
        console.step(3, chunk(1, "upon")),
        [Action::Show(View::Text("upon".into()))]
    );
}

#[test]
fn an_agent_that_dies_in_the_middle_of_a_stream_costs_only_its_call() {
    let mut console = console(Manner::Typed);
    line(&mut console, "hi");
    console.step(1, chunk(1, "Once "));
    assert_eq!(
        console.step(2, error(1, "agent_crashed")),
        [fault("agent_crashed"), read("assistant")]
    );
    let back = node_event("agent_ready", "assistant");
    let look = Action::LookAfter {
        event: back.clone(),
        session: "c-assistant-1".into(),
    };
    assert_eq!(console.step(3, Event::Notice(back.clone())), [look]);
    assert_eq!(
        console.step(4, Event::Kept(back, Some(2))),
        [notice("agent_ready", "assistant", Some(2))]
    );
}

#[test]
fn a_line_in_the_middle_of_a_call_waits_for_its_turn() {
    let mut console = console(Manner::Typed);
    line(&mut console, "one");
    assert_eq!(line(&mut console, "two"), []);
    let end = console.step(1, Event::Run(1, RunEvent::Result(result(json!("done")))));
    assert_eq!(end[2], call(2, "assistant", "two", "c-assistant-1"));
}

#[test]
fn more_lines_than_may_wait_are_refused() {
    let mut console = console(Manner::Typed);
    line(&mut console, "one");
    for _ in 0..LINES_WAITING_MAX {
        assert_eq!(line(&mut console, "more"), []);
    }
    assert!(matches!(
        &line(&mut console, "more")[..],
        [Action::Show(View::Trouble(_))]
    ));
}

#[test]
fn use_asks_the_node_and_changes_the_prompt() {
    let mut console = console(Manner::Typed);
    let question = Question::Agent("analyst".into());
    assert_eq!(
        line(&mut console, "/use analyst"),
        [Action::Ask { task: 1, question }]
    );
    let detail = AgentDetail {
        status: status().agents[1].clone(),
        manifest: None,
        spec: synapse_api::AgentSummary::default(),
        last_exits: Vec::new(),
        last_fault: None,
        frames: Vec::new(),
    };
    let answer = Box::new(Answer::Agent(detail));
    assert_eq!(
        console.step(1, Event::Answered(1, answer)),
        [read("analyst")]
    );
    assert_eq!(
        line(&mut console, "hi"),
        [call(2, "analyst", "hi", "c-analyst-1")]
    );
}

#[test]
fn deps_go_with_every_call_of_their_agent_until_they_are_taken_back() {
    let mut console = console(Manner::Typed);
    let shown = |text| [remark(text), read("assistant")];
    let none = "Messages to assistant go without deps.";
    assert_eq!(line(&mut console, "/deps"), shown(none));
    let with = "Messages to assistant go with deps {\"user\":\"Ada\"}";
    assert_eq!(line(&mut console, "/deps {\"user\": \"Ada\"}"), shown(with));
    line(&mut console, "/new");
    for (task, text) in [(1, "one"), (2, "two")] {
        let [Action::Call { deps, .. }] = &line(&mut console, text)[..] else {
            panic!("no call");
        };
        assert_eq!(deps, &Some(json!({"user": "Ada"})));
        console.step(1, error(task, "agent_crashed"));
    }
    let other = line(&mut console, "/call echo hi");
    assert_eq!(other, [call(3, "echo", "hi", "c-echo-1")]);
    console.step(1, error(3, "agent_crashed"));
    assert_eq!(line(&mut console, "/deps null"), shown(none));
}

#[test]
fn new_forgets_the_conversation_and_history_says_so() {
    let mut console = console(Manner::Typed);
    let nothing = [
        remark("Nothing was said to assistant yet."),
        read("assistant"),
    ];
    assert_eq!(line(&mut console, "/history"), nothing);
    line(&mut console, "hi");
    console.step(1, error(1, "agent_crashed"));
    let expected = [
        Action::Forget {
            session: "c-assistant-1".into(),
        },
        remark("A fresh conversation with assistant."),
        read("assistant"),
    ];
    assert_eq!(line(&mut console, "/new"), expected);
    assert_eq!(line(&mut console, "/history"), nothing);
    assert_eq!(
        line(&mut console, "hi"),
        [call(2, "assistant", "hi", "c-assistant-2")]
    );
}

#[test]
fn the_answer_to_a_question_that_was_given_up_is_stale() {
    let mut console = console(Manner::Typed);
    line(&mut console, "/kill assistant");
    let actions = console.step(1, Event::Interrupt);
    assert_eq!(actions[0], Action::Drop { task: 1 });
    assert_eq!(
        console.step(2, Event::Answered(1, Box::new(Answer::Acted(Vec::new())))),
        []
    );
    assert_eq!(console.step(2, Event::Failed(1, Failure::Gone)), []);
}

#[test]
fn what_is_watched_ends_by_interrupt() {
    let mut console = console(Manner::Typed);
    assert_eq!(
        line(&mut console, "/events -f"),
        [
            remark("Ctrl-C ends it."),
            Action::Watch {
                task: 1,
                watch: Watch::Events
            }
        ]
    );
    let item = || Box::new(Item::Event(node_event("agent_ready", "echo")));
    assert_eq!(
        console.step(1, Event::Followed(1, item())),
        [Action::Show(View::Event(node_event("agent_ready", "echo")))]
    );
    let end = console.step(2, Event::Interrupt);
    let expected = [
        Action::Drop { task: 1 },
        Action::Show(View::Interrupted),
        read("assistant"),
    ];
    assert_eq!(end, expected);
    assert_eq!(console.step(3, Event::Followed(1, item())), []);
}

#[test]
fn the_node_going_away_ends_the_console_with_a_line() {
    for event in [
        Event::FeedLost(Failure::Gone),
        Event::RunFailed(1, Failure::Gone),
    ] {
        let mut console = console(Manner::Typed);
        line(&mut console, "hi");
        let actions = console.step(1, event);
        let line = Action::Show(View::Trouble("the node has gone away".into()));
        assert_eq!(actions, [line, Action::End(ConsoleEnd::NodeGone)]);
        assert_eq!(console.step(2, Event::FeedLost(Failure::Gone)), []);
    }
}

#[test]
fn a_lagging_event_feed_is_followed_again() {
    let mut console = console(Manner::Typed);
    let lost = Event::FeedLost(Failure::Other("late".into(), 1));
    assert_eq!(console.step(1, lost), [Action::FollowEvents]);
}

#[test]
fn a_script_runs_on_and_ends_with_its_first_failure() {
    let mut console = console(Manner::Script);
    let misread = line(&mut console, "/tre");
    assert!(matches!(
        &misread[..],
        [Action::Show(View::Trouble(_)), Action::Read { .. }]
    ));
    line(&mut console, "hi");
    console.step(1, error(1, "agent_crashed"));
    let end = console.step(2, Event::InputEnded);
    assert_eq!(end, [Action::End(ConsoleEnd::Left { exit: 2 })]);
}

#[test]
fn a_script_without_failures_ends_well() {
    let mut console = console(Manner::Script);
    line(&mut console, "hi");
    console.step(1, Event::Run(1, RunEvent::Result(result(json!("x")))));
    let end = console.step(2, Event::InputEnded);
    assert_eq!(end, [Action::End(ConsoleEnd::Left { exit: 0 })]);
}

#[test]
fn failures_of_a_person_are_forgotten() {
    let mut console = console(Manner::Typed);
    line(&mut console, "/tre");
    assert_eq!(
        line(&mut console, "/quit"),
        [
            remark("Stopping."),
            Action::End(ConsoleEnd::Left { exit: 0 })
        ]
    );
}

#[test]
fn an_interrupted_script_ends() {
    let mut console = console(Manner::Script);
    assert_eq!(
        console.step(1, Event::Interrupt),
        [Action::End(ConsoleEnd::Signalled(2))]
    );
}

#[test]
fn an_action_that_failed_fails_its_script() {
    let mut console = console(Manner::Script);
    let question = Question::Act(ActionKind::Kill, vec!["analyst".into()]);
    assert_eq!(
        line(&mut console, "/kill analyst"),
        [Action::Ask { task: 1, question }]
    );
    let outcome = ActionOutcome {
        agent: "analyst".into(),
        ok: false,
        message: "analyst has no process".into(),
        pid: None,
        incarnation: None,
    };
    console.step(
        1,
        Event::Answered(1, Box::new(Answer::Acted(vec![outcome]))),
    );
    let end = console.step(2, Event::InputEnded);
    assert_eq!(end, [Action::End(ConsoleEnd::Left { exit: 1 })]);
}

#[test]
fn a_signal_ends_the_console_in_any_phase() {
    let mut console = console(Manner::Typed);
    line(&mut console, "hi");
    assert_eq!(
        console.step(1, Event::Signal(15)),
        [Action::End(ConsoleEnd::Signalled(15))]
    );
}
