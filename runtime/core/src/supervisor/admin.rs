//! Requests: OTP's administration API, and what an operator may ask.

use crate::supervisor::child::{After, Child, Intent, Life, StartCause};
use crate::supervisor::children::Key;
use crate::supervisor::machine::{Phase, Step, Supervisor, info};
use crate::supervisor::{Action, ChildId, ChildSpec, Reply, Request, RequestError, Token};
use crate::time::Time;

impl Supervisor {
    pub(super) fn on_request(
        &mut self,
        now: Time,
        token: Token,
        request: Request,
        out: &mut Vec<Action>,
    ) {
        let reply = match request {
            Request::WhichChildren => Some(self.which_children()),
            Request::WhichChild(id) => self.with(&id, |this, key| {
                this.roster.children.get(key).map(info).map(Reply::Child)
            }),
            Request::CountChildren => Some(Reply::Counts(self.counts())),
            Request::GetChildspec(id) => self.with(&id, |this, key| this.get_childspec(key)),
            _ if !matches!(self.phase, Phase::Active { .. }) => {
                Some(Reply::Error(RequestError::ShuttingDown))
            }
            Request::CodeChange(change) => {
                self.changes.push_back((token, *change));
                None
            }
            Request::StartChild(spec) => self.start_child(token, spec, out),
            Request::DeleteChild(id) => self.with(&id, |this, key| this.delete_child(key, out)),
            Request::RestartChild(id) => {
                self.with(&id, |this, key| this.restart_child(token, key, out))
            }
            Request::TerminateChild(id) => {
                self.with(&id, |this, key| this.terminate_child(now, token, key, out))
            }
            Request::OperatorStop(id) => self.with(&id, |this, key| {
                this.set_intent(key, Intent::Held);
                this.terminate_child(now, token, key, out)
            }),
            Request::OperatorStart(id) => {
                self.with(&id, |this, key| this.operator_start(token, key, out))
            }
            Request::OperatorRestart(id) => {
                self.with(&id, |this, key| this.operator_restart(now, token, key, out))
            }
        };
        if let Some(reply) = reply {
            out.push(Action::Reply { token, reply });
        }
    }

    fn with(
        &mut self,
        id: &ChildId,
        act: impl FnOnce(&mut Self, Key) -> Option<Reply>,
    ) -> Option<Reply> {
        match self.roster.children.find(id) {
            Some(key) => act(self, key),
            None => Some(Reply::Error(RequestError::NotFound)),
        }
    }

    fn which_children(&self) -> Reply {
        Reply::Children(self.roster.children.iter().rev().map(info).collect())
    }

    fn get_childspec(&self, key: Key) -> Option<Reply> {
        let child = self.roster.children.get(key)?;
        Some(Reply::Spec(Box::new(child.spec.clone())))
    }

    fn start_child(
        &mut self,
        token: Token,
        spec: ChildSpec,
        out: &mut Vec<Action>,
    ) -> Option<Reply> {
        if let Err(error) = self.flags.check_spec(&spec) {
            return Some(Reply::Error(RequestError::InvalidSpec(error)));
        }
        if let Some(key) = self.roster.children.find(&spec.id) {
            return Some(Reply::Error(match self.roster.life(key) {
                Some(life) if life.is_alive() => RequestError::AlreadyStarted,
                _ => RequestError::AlreadyPresent,
            }));
        }
        let key = self
            .roster
            .children
            .push(Child::new(spec, self.flags.budget()));
        self.start_for(token, key, StartCause::Add, out)
    }

    fn delete_child(&mut self, key: Key, out: &mut Vec<Action>) -> Option<Reply> {
        Some(match self.roster.life(key)? {
            Life::Down if self.is_planned(key) => Reply::Error(RequestError::Restarting),
            Life::Down => {
                self.roster.forget(key, out);
                Reply::Ok
            }
            Life::Waiting { .. } => Reply::Error(RequestError::Restarting),
            Life::Starting { .. } | Life::Up { .. } | Life::Stopping { .. } => {
                Reply::Error(RequestError::Running)
            }
        })
    }

    fn restart_child(&mut self, token: Token, key: Key, out: &mut Vec<Action>) -> Option<Reply> {
        match self.roster.life(key)? {
            Life::Down if self.is_planned(key) => Some(Reply::Error(RequestError::Restarting)),
            Life::Down => {
                self.set_intent(key, Intent::Run);
                self.start_for(token, key, StartCause::Request, out)
            }
            Life::Waiting { .. } => Some(Reply::Error(RequestError::Restarting)),
            Life::Starting { .. } | Life::Up { .. } | Life::Stopping { .. } => {
                Some(Reply::Error(RequestError::Running))
            }
        }
    }

    /// Brings a child down and answers when it is. `None`: the answer comes later.
    fn terminate_child(
        &mut self,
        now: Time,
        token: Token,
        key: Key,
        out: &mut Vec<Action>,
    ) -> Option<Reply> {
        if self.is_planned(key) {
            return self.pass_over(token, key, out);
        }
        match self.roster.life(key)? {
            Life::Starting { .. } | Life::Up { .. } => {
                self.roster.stop(now, key, After::Rest, out);
                self.roster.wait_for_down(token, key)
            }
            Life::Stopping { .. } => {
                self.roster.set_after(key, After::Rest, out);
                self.roster.wait_for_down(token, key)
            }
            Life::Waiting { .. } => {
                self.roster.end_waiting(key, out);
                Some(Reply::Ok)
            }
            Life::Down => Some(Reply::Ok),
        }
    }

    /// Whether a plan is going to stop and start this child, or to start it.
    fn is_planned(&self, key: Key) -> bool {
        let Phase::Active {
            plan: Some(plan), ..
        } = &self.phase
        else {
            return false;
        };
        let Some(child) = self.roster.children.get(key) else {
            return false;
        };
        let starts = !child.life.is_alive() && child.intent == Intent::Run;
        let stops = matches!(child.life, Life::Stopping { .. });
        match plan.step {
            // What a request started behind the walk is not the plan's.
            Step::Stop { before } => key >= plan.from && (key < before || starts || stops),
            Step::Delay { .. } => key >= plan.from && (starts || stops),
            Step::Start { at, .. } => key >= at && starts,
            // What was to be started is started.
            Step::AwaitAll { .. } => false,
        }
    }

    /// Leaves the child out of the plan that holds it: it is stopped in its turn and stays down.
    fn pass_over(&mut self, token: Token, key: Key, out: &mut Vec<Action>) -> Option<Reply> {
        self.roster.end_waiting(key, out);
        self.roster
            .answer_up(key, &Reply::Error(RequestError::Stopped), out);
        let child = self.roster.children.get_mut(key)?;
        if child.intent == Intent::Run {
            child.intent = Intent::PassOver;
        }
        if child.life.is_alive() {
            self.roster.wait_for_down(token, key)
        } else {
            Some(Reply::Ok)
        }
    }

    fn operator_start(&mut self, token: Token, key: Key, out: &mut Vec<Action>) -> Option<Reply> {
        self.set_intent(key, Intent::Run);
        match self.roster.life(key)? {
            Life::Up { .. } => Some(Reply::Ok),
            // The plan brings it up in its turn; if its own backoff is what the plan waits for,
            // then now.
            _ if self.is_planned(key) => {
                self.roster.end_waiting(key, out);
                self.roster.wait_for_up(token, key)
            }
            Life::Starting { .. } => self.roster.wait_for_up(token, key),
            Life::Stopping { .. } => {
                self.roster.set_after(key, After::Start, out);
                self.roster.wait_for_up(token, key)
            }
            Life::Waiting { .. } | Life::Down => {
                self.roster.end_waiting(key, out);
                self.start_for(token, key, StartCause::Request, out)
            }
        }
    }

    fn operator_restart(
        &mut self,
        now: Time,
        token: Token,
        key: Key,
        out: &mut Vec<Action>,
    ) -> Option<Reply> {
        let lives = matches!(
            self.roster.life(key)?,
            Life::Up { .. } | Life::Starting { .. }
        );
        if !lives || self.is_planned(key) {
            return self.operator_start(token, key, out);
        }
        self.set_intent(key, Intent::Run);
        self.roster.stop(now, key, After::Start, out);
        self.roster.wait_for_up(token, key)
    }

    pub(super) fn set_intent(&mut self, key: Key, intent: Intent) {
        if let Some(child) = self.roster.children.get_mut(key) {
            child.intent = intent;
        }
    }

    fn start_for(
        &mut self,
        token: Token,
        key: Key,
        cause: StartCause,
        out: &mut Vec<Action>,
    ) -> Option<Reply> {
        self.roster.start(key, cause, out);
        self.roster.wait_for_up(token, key)
    }
}
