//! New flags and specs for a supervisor that is up: OTP's `code_change`.

use crate::supervisor::child::{Child, Intent};
use crate::supervisor::children::Key;
use crate::supervisor::dynamic::after_template;
use crate::supervisor::machine::{Phase, Supervisor};
use crate::supervisor::{
    Action, ChildId, ChildSpec, CodeChange, DynamicFlags, DynamicSupervisor, Flags, Reply,
    RequestError,
};

impl Supervisor {
    /// Makes the changes that were asked for, if no plan is walking over the children; refuses
    /// them when the supervisor goes down.
    pub(super) fn make_changes(&mut self, out: &mut Vec<Action>) {
        let refused = match &self.phase {
            Phase::Active { plan: None, .. } => false,
            Phase::Stopping { .. } | Phase::Ended => true,
            Phase::New | Phase::Active { plan: Some(_), .. } => return,
        };
        while let Some((token, change)) = self.changes.pop_front() {
            let reply = if refused {
                Reply::Error(RequestError::ShuttingDown)
            } else {
                self.change_code(change)
            };
            out.push(Action::Reply { token, reply });
        }
    }

    fn change_code(&mut self, change: CodeChange) -> Reply {
        let CodeChange::Static { flags, children } = change else {
            return Reply::Error(RequestError::BadStartSpec);
        };
        if let Err(error) = flags.check(&children) {
            return Reply::Error(RequestError::InvalidSpec(error));
        }
        self.set_flags(flags);
        let ids: Vec<ChildId> = children.iter().map(|spec| spec.id.clone()).collect();
        for spec in children {
            match self.roster.children.find(&spec.id) {
                Some(key) => self.roster.children.set_spec(key, spec),
                None => {
                    let child = Child::new(spec, self.flags.budget());
                    self.roster.children.push(child);
                }
            }
        }
        self.roster.reorder(&ids);
        Reply::Ok
    }

    fn set_flags(&mut self, flags: Flags) {
        self.roster.intensity.set(flags.intensity, flags.period);
        let mut at = Key::FIRST;
        while let Some((key, _)) = self.roster.children.at_or_after(at) {
            at = key.next();
            let Some(child) = self.roster.children.get_mut(key) else {
                continue;
            };
            match (&mut child.budget, flags.budget()) {
                (Some(kept), Some(_)) => kept.set(flags.intensity, flags.period),
                (slot, fresh) => *slot = fresh,
            }
            // Without budgets of their own nobody is parked: it is a child that is down.
            if child.budget.is_none() && child.intent == Intent::Parked {
                child.intent = Intent::Run;
            }
        }
        self.flags = flags;
    }
}

impl DynamicSupervisor {
    pub(super) fn change_code(&mut self, change: CodeChange) -> Reply {
        let CodeChange::Dynamic(flags) = change else {
            return Reply::Error(RequestError::BadStartSpec);
        };
        // With a template and without one the children are of two kinds: OTP's and Elixir's.
        if flags.template.is_some() != self.flags.template.is_some() {
            return Reply::Error(RequestError::BadStartSpec);
        }
        if let Some(template) = &flags.template {
            self.follow(template);
        }
        self.set_flags(flags);
        Reply::Ok
    }

    fn follow(&mut self, template: &ChildSpec) {
        let mut at = Key::FIRST;
        while let Some((key, child)) = self.roster.children.at_or_after(at) {
            let spec = after_template(template, &child.spec);
            self.roster.children.set_spec(key, spec);
            at = key.next();
        }
    }

    fn set_flags(&mut self, flags: DynamicFlags) {
        self.roster.intensity.set(flags.intensity, flags.period);
        self.flags = flags;
    }
}
