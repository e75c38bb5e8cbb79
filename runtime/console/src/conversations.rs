//! The console's own conversations: one for each agent, fresh by `/new`. Their messages live in
//! the node; here are only their names.

use std::collections::BTreeMap;

/// Which conversation this console has with each agent.
#[derive(Debug)]
pub(crate) struct Conversations {
    console: String,
    with: BTreeMap<String, Conversation>,
}

#[derive(Debug, Default)]
struct Conversation {
    renewals: u64,
    touched: bool,
}

impl Conversations {
    /// `console` tells this console apart from all others that talk to the same node.
    pub(crate) const fn new(console: String) -> Self {
        Self {
            console,
            with: BTreeMap::new(),
        }
    }

    /// The conversation with this agent, which something is said in now.
    pub(crate) fn touch(&mut self, agent: &str) -> String {
        let conversation = self.with.entry(agent.to_owned()).or_default();
        conversation.touched = true;
        let renewals = conversation.renewals;
        self.id(agent, renewals)
    }

    /// The conversation with this agent, if anything was said in it.
    pub(crate) fn touched(&self, agent: &str) -> Option<String> {
        let conversation = self.with.get(agent).filter(|it| it.touched)?;
        Some(self.id(agent, conversation.renewals))
    }

    /// Begins afresh; gives the conversation that is over, if anything was said in it.
    pub(crate) fn renew(&mut self, agent: &str) -> Option<String> {
        let over = self.touched(agent)?;
        let conversation = self.with.entry(agent.to_owned()).or_default();
        conversation.renewals += 1;
        conversation.touched = false;
        Some(over)
    }

    fn id(&self, agent: &str, renewals: u64) -> String {
        format!("{}-{agent}-{}", self.console, renewals + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_agent_has_its_own_and_new_begins_another() {
        let mut conversations = Conversations::new("console-7".into());
        assert_eq!(conversations.touched("echo"), None);
        assert_eq!(conversations.touch("echo"), "console-7-echo-1");
        assert_eq!(conversations.touch("writer"), "console-7-writer-1");
        assert_eq!(conversations.renew("echo"), Some("console-7-echo-1".into()));
        assert_eq!(conversations.renew("echo"), None);
        assert_eq!(conversations.touch("echo"), "console-7-echo-2");
        assert_eq!(
            conversations.touched("writer"),
            Some("console-7-writer-1".into())
        );
    }
}
