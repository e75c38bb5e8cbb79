//! Requests: OTP's administration API, and what an operator may ask.

use crate::supervisor::child::{After, Child, Intent, Life, StartCause};
use crate::supervisor::children::Key;
use crate::supervisor::machine::{Phase, Step, Supervisor, check_spec, info};
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
            Request::CountChildren => Some(Reply::Counts(self.children.counts())),
            Request::GetChildspec(id) => Some(self.get_childspec(&id)),
            _ if !matches!(self.phase, Phase::Active { .. }) => {
                Some(Reply::Error(RequestError::ShuttingDown))
            }
            Request::StartChild(spec) => self.start_child(token, spec, out),
            Request::DeleteChild(id) => Some(self.delete_child(&id, out)),
            Request::RestartChild(id) => {
                self.on_child(&id, |this, key| this.restart_child(token, key, out))
            }
            Request::TerminateChild(id) => {
                self.on_child(&id, |this, key| this.terminate_child(now, token, key, out))
            }
            Request::OperatorStop(id) => self.on_child(&id, |this, key| {
                this.set_intent(key, Intent::Held);
                this.terminate_child(now, token, key, out)
            }),
            Request::OperatorStart(id) => {
                self.on_child(&id, |this, key| this.operator_start(token, key, out))
            }
            Request::OperatorRestart(id) => {
                self.on_child(&id, |this, key| this.operator_restart(now, token, key, out))
            }
        };
        if let Some(reply) = reply {
            out.push(Action::Reply { token, reply });
        }
    }

    fn on_child(
        &mut self,
        id: &ChildId,
        act: impl FnOnce(&mut Self, Key) -> Option<Reply>,
    ) -> Option<Reply> {
        match self.children.find(id) {
            Some(key) => act(self, key),
            None => Some(Reply::Error(RequestError::NotFound)),
        }
    }

    fn which_children(&self) -> Reply {
        Reply::Children(self.children.iter().rev().map(info).collect())
    }

    fn get_childspec(&self, id: &ChildId) -> Reply {
        let child = self
            .children
            .find(id)
            .and_then(|key| self.children.get(key));
        child.map_or(Reply::Error(RequestError::NotFound), |child| {
            Reply::Spec(Box::new(child.spec.clone()))
        })
    }

    fn start_child(
        &mut self,
        token: Token,
        spec: ChildSpec,
        out: &mut Vec<Action>,
    ) -> Option<Reply> {
        if let Err(error) = check_spec(&spec, self.flags.auto_shutdown) {
            return Some(Reply::Error(RequestError::InvalidSpec(error)));
        }
        let present = self
            .children
            .find(&spec.id)
            .and_then(|key| self.children.get(key));
        if let Some(present) = present {
            return Some(Reply::Error(if present.life.is_alive() {
                RequestError::AlreadyStarted
            } else {
                RequestError::AlreadyPresent
            }));
        }
        let key = self.children.push(Child::new(spec));
        self.start_for(token, key, StartCause::Add, out)
    }

    fn delete_child(&mut self, id: &ChildId, out: &mut Vec<Action>) -> Reply {
        let Some(key) = self.children.find(id) else {
            return Reply::Error(RequestError::NotFound);
        };
        match self.children.get(key).map(|child| &child.life) {
            Some(Life::Down) => {
                self.forget(key, out);
                Reply::Ok
            }
            Some(Life::Waiting { .. }) => Reply::Error(RequestError::Restarting),
            _ => Reply::Error(RequestError::Running),
        }
    }

    fn restart_child(&mut self, token: Token, key: Key, out: &mut Vec<Action>) -> Option<Reply> {
        match self.children.get(key).map(|child| &child.life) {
            Some(Life::Down) => {
                self.set_intent(key, Intent::Run);
                self.start_for(token, key, StartCause::Request, out)
            }
            Some(Life::Waiting { .. }) => Some(Reply::Error(RequestError::Restarting)),
            _ => Some(Reply::Error(RequestError::Running)),
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
        match self.children.get(key).map(|child| &child.life) {
            Some(Life::Starting { .. } | Life::Up { .. }) => {
                self.stop_child(now, key, After::Rest, out);
                self.wait_for_down(token, key)
            }
            Some(Life::Stopping { .. }) => {
                self.set_after(key, After::Rest, out);
                self.wait_for_down(token, key)
            }
            Some(Life::Waiting { .. }) => {
                self.end_waiting(key, out);
                Some(Reply::Ok)
            }
            Some(Life::Down) | None => Some(Reply::Ok),
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
        let Some(child) = self.children.get(key) else {
            return false;
        };
        let stays = matches!(child.life, Life::Starting { .. } | Life::Up { .. });
        match plan.step {
            // What was started behind the walk, by a request, is not the plan's.
            Step::Stop { before } => key >= plan.from && (key < before || !stays),
            Step::Delay { .. } => key >= plan.from && !stays,
            Step::Start { at, .. } => key >= at && !child.life.is_alive(),
        }
    }

    /// Leaves the child out of the plan that holds it: it is stopped in its turn and stays down.
    fn pass_over(&mut self, token: Token, key: Key, out: &mut Vec<Action>) -> Option<Reply> {
        self.end_waiting_only(key, out);
        let child = self.children.get_mut(key)?;
        if child.intent == Intent::Run {
            child.intent = Intent::PassOver;
        }
        if child.life.is_alive() {
            self.wait_for_down(token, key)
        } else {
            Some(Reply::Ok)
        }
    }

    fn end_waiting_only(&mut self, key: Key, out: &mut Vec<Action>) {
        if matches!(
            self.children.get(key).map(|child| &child.life),
            Some(Life::Waiting { .. })
        ) {
            self.end_waiting(key, out);
        }
    }

    fn operator_start(&mut self, token: Token, key: Key, out: &mut Vec<Action>) -> Option<Reply> {
        self.set_intent(key, Intent::Run);
        if self.is_planned(key) {
            // The plan brings it up in its turn.
            return self.wait_for_up(token, key);
        }
        match self.children.get(key).map(|child| &child.life) {
            Some(Life::Up { .. }) => Some(Reply::Ok),
            Some(Life::Starting { .. }) => self.wait_for_up(token, key),
            Some(Life::Stopping { .. }) => {
                self.set_after(key, After::Start, out);
                self.wait_for_up(token, key)
            }
            Some(Life::Waiting { .. } | Life::Down) | None => {
                self.end_waiting_only(key, out);
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
        let life = self.children.get(key).map(|child| &child.life);
        if let (Some(Life::Up { .. } | Life::Starting { .. }), false) = (life, self.is_planned(key))
        {
            self.set_intent(key, Intent::Run);
            self.stop_child(now, key, After::Start, out);
            return self.wait_for_up(token, key);
        }
        self.operator_start(token, key, out)
    }

    fn set_intent(&mut self, key: Key, intent: Intent) {
        if let Some(child) = self.children.get_mut(key) {
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
        self.start(key, cause, out);
        self.wait_for_up(token, key)
    }

    fn wait_for_up(&mut self, token: Token, key: Key) -> Option<Reply> {
        self.children.get_mut(key)?.up_waiters.push(token);
        None
    }

    fn wait_for_down(&mut self, token: Token, key: Key) -> Option<Reply> {
        self.children.get_mut(key)?.down_waiters.push(token);
        None
    }
}
