//! What an agent's spec says of calls whose process dies.

use serde::{Deserialize, Serialize};

/// What becomes of calls whose process dies. By default each death is answered, and that is all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashSpec {
    /// Whether a run may be executed twice without harm, by its author's word.
    pub idempotent: bool,
    /// How often a call is executed again after a crash; only where it is idempotent.
    pub retry_on_crash: u32,
    /// With so many deaths a call is refused and kept as a dead letter; 0: never.
    pub poison_after: u32,
}
