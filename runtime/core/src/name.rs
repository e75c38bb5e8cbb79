//! Names of agents, supervisors, templates and tools: one namespace, one grammar.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest name, in bytes: what a DNS label and a process name in most tools can carry.
pub const NAME_BYTES_MAX: usize = 63;

/// A checked name: `[a-z][a-z0-9_-]{0,62}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Box<str>);

/// Why a string is not a name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// The string is empty.
    #[error("empty name")]
    Empty,
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("name of {0} bytes, at most {NAME_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// A character outside the grammar, at this byte position.
    #[error("character {found:?} at position {at}; a name is [a-z][a-z0-9_-]*")]
    Character {
        /// The offending character.
        found: char,
        /// Its byte position, counted from 0.
        at: usize,
    },
}

impl Name {
    /// Checks `text` against the grammar.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong and where.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong(text.len()));
        }
        for (at, found) in text.char_indices() {
            let allowed = match found {
                'a'..='z' => true,
                '0'..='9' | '_' | '-' => at > 0,
                _ => false,
            };
            if !allowed {
                return Err(NameError::Character { found, at });
            }
        }
        Ok(Self(text.into_boxed_str()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.into_string()
    }
}
