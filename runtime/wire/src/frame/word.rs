//! The closed sets of words that fields hold. Refuses to know what follows from a word.

use crate::field::{Field, Put};
use crate::reader::Reader;
use crate::violation::Flaw;
use crate::writer::{EncodeError, Writer};

/// Declares an enum that is a string on the wire.
macro_rules! words {
    (
        $(#[$doc:meta])* $name:ident, $expected:literal;
        $( $(#[$word_doc:meta])* $variant:ident = $word:literal, )*
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $( $(#[$word_doc])* $variant, )*
        }

        impl $name {
            /// Every word of the set.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $word, )*
                }
            }
        }

        impl Put for $name {
            fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
                out.string(self.as_str())
            }
        }

        impl Field for $name {
            const TYPE: &'static str = "str";

            fn read(from: &mut Reader<'_>) -> Result<Self, Flaw> {
                match from.string()? {
                    $( $word => Ok(Self::$variant), )*
                    _ => Err(Flaw::Expected($expected)),
                }
            }
        }
    };
}

words! {
    /// How a tool call ended.
    ToolStatus, "one of ok, retry, fail, abort";
    /// `value` is the tool's answer.
    Ok = "ok",
    /// The model gets `message` and may try again.
    Retry = "retry",
    /// The tool failed; the model gets `message`.
    Fail = "fail",
    /// The run ends with fault `tool_failed`.
    Abort = "abort",
}

words! {
    /// Why a run is cancelled.
    CancelReason, "one of cancelled, caller_gone, deadline_exceeded, shutdown";
    /// The caller asked for it.
    Cancelled = "cancelled",
    /// The caller's connection closed.
    CallerGone = "caller_gone",
    /// The call's deadline passed.
    DeadlineExceeded = "deadline_exceeded",
    /// The agent is being stopped and its time is nearly up.
    Shutdown = "shutdown",
}

words! {
    /// How serious a log line is.
    LogLevel, "one of debug, info, warning, error";
    /// For the author.
    Debug = "debug",
    /// The normal course.
    Info = "info",
    /// Something to look at.
    Warning = "warning",
    /// Something went wrong.
    Error = "error",
}
