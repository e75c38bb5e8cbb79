//! What a line does: commands to questions, and their answers to views.

use serde_json::Value;
use synapse_api::{AgentStatus, ExitCode, Status};

use super::turn::{Showing, Turn};
use super::{
    Action, Answer, Failure, Item, LINES_WAITING_MAX, Machine, Manner, Names, Phase, Question,
    Task, View, Watch,
};
use crate::grammar::{Command, parse};

impl Machine {
    /// A line was read. While something runs it waits for its turn.
    pub(super) fn line(&mut self, line: String, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Reading) {
            if self.waiting.len() < LINES_WAITING_MAX {
                self.waiting.push_back(line);
            } else {
                let text = format!("{LINES_WAITING_MAX} lines wait already; this one is dropped");
                actions.push(Action::Show(View::Trouble(text)));
            }
            return;
        }
        match parse(&line) {
            Ok(command) => self.command(command, actions),
            Err(misread) => {
                self.fail(ExitCode::Usage.code());
                actions.push(Action::Show(View::Trouble(misread.to_string())));
                self.next(actions);
            }
        }
    }

    fn command(&mut self, command: Command, actions: &mut Vec<Action>) {
        match command {
            Command::Nothing => self.next(actions),
            Command::Message(text) => match self.current.clone() {
                Some(agent) => self.call(agent, text, actions),
                None => self.nobody(actions),
            },
            Command::Call { agent, text } => self.call(agent, text, actions),
            Command::Help(topic) => {
                actions.push(Action::Show(View::Help(topic)));
                self.next(actions);
            }
            Command::Tree => self.ask(Question::Tree, actions),
            Command::Status => self.ask(Question::Status, actions),
            Command::Use(agent) => self.ask(Question::Agent(agent), actions),
            Command::New => self.new_conversation(actions),
            Command::Deps(deps) => self.deps(deps, actions),
            Command::History => self.history(actions),
            Command::Inspect {
                agent,
                exit: None,
                frames,
            } => self.ask(Question::Inspect { agent, frames }, actions),
            Command::Inspect {
                agent,
                exit: Some(which),
                frames,
            } => self.ask(
                Question::Exit {
                    agent,
                    which,
                    frames,
                },
                actions,
            ),
            Command::Stack(target) => self.ask(Question::Stack(target), actions),
            Command::Logs {
                agent,
                follow,
                previous,
            } => match follow {
                true => self.watch(Watch::Logs { agent, previous }, actions),
                false => self.ask(Question::Logs { agent, previous }, actions),
            },
            Command::Events { follow } => match follow {
                true => self.watch(Watch::Events, actions),
                false => self.ask(Question::Events, actions),
            },
            Command::Letters(letters) => self.ask(Question::Letters(letters), actions),
            Command::Operate(kind, targets) => self.ask(Question::Act(kind, targets), actions),
            Command::Quit => self.leave(actions),
        }
    }

    fn call(&mut self, agent: String, text: String, actions: &mut Vec<Action>) {
        let task = self.new_task();
        let session = self.conversations.touch(&agent);
        let deps = self.deps.get(&agent).cloned();
        let showing = Showing::of(self.structured.get(&agent).copied());
        self.phase = Phase::Calling(Turn::new(task, agent.clone(), self.now, showing));
        actions.push(Action::Call {
            task,
            agent,
            text,
            session,
            deps,
        });
    }

    /// Sets or shows the dependencies of the current agent's calls.
    fn deps(&mut self, deps: Option<Value>, actions: &mut Vec<Action>) {
        let Some(agent) = self.current.clone() else {
            return self.nobody(actions);
        };
        match deps {
            None => {}
            Some(Value::Null) => drop(self.deps.remove(&agent)),
            Some(deps) => drop(self.deps.insert(agent.clone(), deps)),
        }
        let text = match self.deps.get(&agent) {
            Some(deps) => format!("Messages to {agent} go with deps {deps}"),
            None => format!("Messages to {agent} go without deps."),
        };
        actions.push(Action::Show(View::Remark(text)));
        self.next(actions);
    }

    fn nobody(&mut self, actions: &mut Vec<Action>) {
        self.fail(ExitCode::Data.code());
        let text = "this node has no agents to talk to".to_owned();
        actions.push(Action::Show(View::Trouble(text)));
        self.next(actions);
    }

    fn new_conversation(&mut self, actions: &mut Vec<Action>) {
        let Some(agent) = self.current.clone() else {
            return self.nobody(actions);
        };
        if let Some(session) = self.conversations.renew(&agent) {
            actions.push(Action::Forget { session });
        }
        let text = format!("A fresh conversation with {agent}.");
        actions.push(Action::Show(View::Remark(text)));
        self.next(actions);
    }

    fn history(&mut self, actions: &mut Vec<Action>) {
        let Some(agent) = self.current.clone() else {
            return self.nobody(actions);
        };
        if let Some(session) = self.conversations.touched(&agent) {
            return self.ask(Question::History(session), actions);
        }
        let text = format!("Nothing was said to {agent} yet.");
        actions.push(Action::Show(View::Remark(text)));
        self.next(actions);
    }

    fn ask(&mut self, question: Question, actions: &mut Vec<Action>) {
        let task = self.new_task();
        self.phase = Phase::Asking(task);
        actions.push(Action::Ask { task, question });
    }

    fn watch(&mut self, watch: Watch, actions: &mut Vec<Action>) {
        let task = self.new_task();
        self.phase = Phase::Watching(task);
        if self.manner == Manner::Typed {
            actions.push(Action::Show(View::Remark("Ctrl-C ends it.".to_owned())));
        }
        actions.push(Action::Watch { task, watch });
    }

    /// A question was answered; the answer to one that was given up is stale.
    pub(super) fn answered(&mut self, task: Task, answer: Answer, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Asking(asked) if asked == task) {
            return;
        }
        match answer {
            Answer::Tree(status) => {
                self.learn(&status, actions);
                actions.push(Action::Show(View::Tree(Box::new(status))));
            }
            Answer::Status(status) => {
                self.learn(&status, actions);
                actions.push(Action::Show(View::Status(Box::new(status))));
            }
            Answer::Agent(detail) => {
                self.learn_program(&detail.status);
                self.current = Some(detail.status.name);
            }
            Answer::Inspect { detail, frames } => {
                let detail = Box::new(detail);
                actions.push(Action::Show(View::Inspect { detail, frames }));
            }
            Answer::Exit { dossier, frames } => {
                let dossier = Box::new(dossier);
                actions.push(Action::Show(View::Exit { dossier, frames }));
            }
            Answer::Stack(list) => actions.push(Action::Show(View::Stack(list))),
            Answer::History(session) => actions.push(Action::Show(View::History(session))),
            Answer::Logs(lines) => {
                show_all(lines.into_iter().map(View::Log), "No lines.", actions);
            }
            Answer::Events(events) => {
                show_all(events.into_iter().map(View::Event), "No events.", actions);
            }
            Answer::Letters(list) => {
                self.names = self.names.with_letters(&list);
                actions.push(Action::Learn(self.names.clone()));
                actions.push(Action::Show(View::Letters(list)));
            }
            Answer::Letter(letter) => actions.push(Action::Show(View::Letter(letter))),
            Answer::Tried(result) => {
                actions.push(Action::Show(View::Output(result.output.clone())));
                actions.push(Action::Show(View::Cost(result)));
            }
            Answer::Dropped(number) => {
                let letters = crate::render::count(number, "dead letter", "dead letters");
                actions.push(Action::Show(View::Remark(format!("Dropped {letters}."))));
            }
            Answer::Acted(outcomes) => {
                if outcomes.iter().any(|outcome| !outcome.ok) {
                    self.fail(ExitCode::Failure.code());
                }
                actions.push(Action::Show(View::Acted(outcomes)));
            }
        }
        self.next(actions);
    }

    fn learn(&mut self, status: &Status, actions: &mut Vec<Action>) {
        status
            .agents
            .iter()
            .for_each(|agent| self.learn_program(agent));
        let names = Names {
            letters: self.names.letters.clone(),
            ..Names::of(status)
        };
        if names != self.names {
            self.names = names.clone();
            actions.push(Action::Learn(names));
        }
    }

    /// Whether an agent's answers are structured is known once it was ready, except of plain
    /// functions, which return what they like.
    pub(super) fn learn_program(&mut self, agent: &AgentStatus) {
        let Some(program) = &agent.program else {
            return;
        };
        if program.output_name.is_some() || program.streams {
            let structured = program.output_name.is_some();
            self.structured.insert(agent.name.clone(), structured);
        }
    }

    /// A question or a watch failed.
    pub(super) fn failed(&mut self, task: Task, failure: Failure, actions: &mut Vec<Action>) {
        let own = |it: &Phase| matches!(it, Phase::Asking(t) | Phase::Watching(t) if *t == task);
        if own(&self.phase) {
            self.show_failure(failure, None, actions);
            self.next(actions);
        }
    }

    /// Shows it, and remembers the code; a node that is gone ends the console.
    pub(super) fn show_failure(
        &mut self,
        failure: Failure,
        agent: Option<String>,
        actions: &mut Vec<Action>,
    ) {
        match failure {
            Failure::Fault(fault) => {
                self.fail(fault.exit_code().code());
                actions.push(Action::Show(View::Fault { fault, agent }));
            }
            Failure::Other(text, exit) => {
                self.fail(exit);
                actions.push(Action::Show(View::Trouble(text)));
            }
            Failure::Gone => self.node_gone(actions),
        }
    }

    pub(super) fn followed(&self, task: Task, item: Item, actions: &mut Vec<Action>) {
        if matches!(self.phase, Phase::Watching(watched) if watched == task) {
            actions.push(Action::Show(match item {
                Item::Log(line) => View::Log(line),
                Item::Event(event) => View::Event(event),
            }));
        }
    }

    pub(super) fn follow_ended(&mut self, task: Task, actions: &mut Vec<Action>) {
        if matches!(self.phase, Phase::Watching(watched) if watched == task) {
            self.next(actions);
        }
    }
}

fn show_all(views: impl Iterator<Item = View>, none: &str, actions: &mut Vec<Action>) {
    let before = actions.len();
    actions.extend(views.map(Action::Show));
    if actions.len() == before {
        actions.push(Action::Show(View::Remark(none.to_owned())));
    }
}
