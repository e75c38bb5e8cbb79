//! Where the Python threads of living processes stand.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The processes of one agent, or one of them, with their stacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StackList {
    /// One for each replica that was asked; at least one of them has stacks.
    pub stacks: Vec<Stack>,
}

/// One process, and where its threads stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stack {
    /// The agent.
    pub agent: String,
    /// Which of its replicas, from 0.
    pub replica: u32,
    /// The incarnation; null before the first.
    pub incarnation: Option<u64>,
    /// Its process; null where it has none.
    pub pid: Option<u32>,
    /// The stacks of all its Python threads, as Python's faulthandler writes them; null where there
    /// are none.
    pub text: Option<String>,
    /// Why there are none; null where there are.
    pub why: Option<String>,
}

/// `AGENT` or `AGENT/REPLICA`: whose stacks are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackTarget {
    /// The agent.
    pub agent: String,
    /// One of its replicas; all of them where none is named.
    pub replica: Option<u32>,
}

/// What stands behind the slash is no number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no replica: write AGENT, or AGENT/REPLICA with a number from 0")]
pub struct NoReplica(String);

impl FromStr for StackTarget {
    type Err = NoReplica;

    fn from_str(text: &str) -> Result<Self, NoReplica> {
        let (agent, replica) = match text.split_once('/') {
            None => (text, None),
            Some((agent, number)) => {
                let number = number.parse();
                let number = number.map_err(|_no_number| NoReplica(text.to_owned()))?;
                (agent, Some(number))
            }
        };
        Ok(Self {
            agent: agent.to_owned(),
            replica,
        })
    }
}

impl fmt::Display for StackTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.agent)?;
        self.replica
            .map_or(Ok(()), |replica| write!(formatter, "/{replica}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_named_behind_a_slash() {
        for (text, agent, replica) in [
            ("worker", "worker", None),
            ("worker/0", "worker", Some(0)),
            ("worker/12", "worker", Some(12)),
        ] {
            let target: StackTarget = text.parse().unwrap();
            assert_eq!((target.agent.as_str(), target.replica), (agent, replica));
            assert_eq!(target.to_string(), text);
        }
        for wrong in ["worker/", "worker/x", "worker/-1", "worker/1/2"] {
            assert!(wrong.parse::<StackTarget>().is_err(), "{wrong}");
        }
    }
}
