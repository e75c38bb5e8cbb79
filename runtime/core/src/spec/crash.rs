//! What an agent's spec says of calls whose process dies.

use serde::{Deserialize, Serialize};

/// What becomes of calls whose process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashSpec {
    /// Whether a run may be executed twice without harm, by its author's word.
    pub idempotent: bool,
    /// How often a call is executed again after a crash; only where it is idempotent.
    pub retry_on_crash: u32,
    /// With so many deaths a call is refused and kept as a dead letter; 0: never.
    pub poison_after: u32,
}

impl Default for CrashSpec {
    /// One death is an accident and a second may be; a third by the same call is the call's.
    fn default() -> Self {
        Self {
            idempotent: false,
            retry_on_crash: 0,
            poison_after: 3,
        }
    }
}
