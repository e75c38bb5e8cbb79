//! The frames of both directions, each declared once: the struct, its codec and its row in the
//! tables come from the same list. Refuses to know which frame may follow which.
//!
//! A frame is `[kind, run, fields…]` behind a 4-byte big-endian length. Fields are only ever
//! appended: a reader passes over what follows the last one it knows and takes a missing nullable
//! one at the end for nil. A writer leaves nils at the end out.

mod chunk;
mod from_agent;
mod from_runtime;
mod welcome;
mod word;

pub use chunk::ChunkData;
pub use from_agent::{
    Chunk, Effect, Fault, FromAgent, Hello, Log, OutputCheck, Pong, Ready, RunResult, Started,
    ToolCall,
};
pub use from_runtime::{
    Call, CallFrame, Cancel, Credit, FromRuntime, OutputVerdict, Ping, Stop, ToolResult, Welcome,
};
pub use welcome::{Limits, Tool};
pub use word::{CancelReason, LogLevel, ToolStatus};

use crate::field::Field;
use crate::reader::Reader;
use crate::violation::{Flaw, Violation};
use crate::writer::EncodeError;

/// A JSON object.
pub type Map = serde_json::Map<String, serde_json::Value>;

/// The frames of one direction.
pub trait Wire: Sized {
    /// Every frame of the direction, by kind.
    const SHAPES: &'static [Shape];

    /// Reads a frame from a whole body (what follows the length).
    ///
    /// # Errors
    /// The rule that the body breaks.
    fn decode(body: &[u8]) -> Result<Self, Violation>;

    /// Appends the frame with its length.
    ///
    /// # Errors
    /// The limit that the frame exceeds; the buffer is then as it was.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// The frame's name in documents, logs and vectors.
    fn name(&self) -> &'static str;
}

/// One frame as a row of `docs/protocol.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// The first element.
    pub kind: u64,
    /// The name in documents, logs and vectors.
    pub name: &'static str,
    /// Whether the second element is a run (else it is 0).
    pub of_a_run: bool,
    /// The elements from the third on.
    pub fields: &'static [FieldShape],
}

/// One field as a row of `docs/protocol.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldShape {
    /// The name.
    pub name: &'static str,
    /// The type's word: `int`, `str`, `bool`, `any`, `map`, `bin`, or one of these in brackets.
    pub of: &'static str,
    /// Whether nil may stand there, and the field be missing at the end.
    pub nullable: bool,
}

/// Declares the frames of one direction: the structs, the enum over them, and both codecs.
macro_rules! frames {
    (
        $(#[$direction_doc:meta])* $direction:ident;
        $(
            $(#[$frame_doc:meta])*
            $kind:literal $name:literal $frame:ident [$($run:ident)?] {
                $( $(#[$field_doc:meta])* $field:ident: $type:ty, )*
            }
        )*
    ) => {
        $(
            $(#[$frame_doc])*
            #[derive(Debug, Clone, PartialEq)]
            pub struct $frame {
                $(
                    /// The run it belongs to.
                    pub $run: u64,
                )?
                $( $(#[$field_doc])* pub $field: $type, )*
            }

            impl $frame {
                const SHAPE: Shape = Shape {
                    kind: $kind,
                    name: $name,
                    of_a_run: !<[&str]>::is_empty(&[$(stringify!($run))?]),
                    fields: &[$(
                        FieldShape {
                            name: stringify!($field),
                            of: <$type as Field>::TYPE,
                            nullable: <$type as Field>::NULLABLE,
                        },
                    )*],
                };

                fn read(fields: &mut Fields<'_, '_>, run: u64) -> Result<Self, Violation> {
                    fields.begin(&Self::SHAPE, run)?;
                    Ok(Self {
                        $($run: run,)?
                        $($field: fields.next(stringify!($field))?,)*
                    })
                }

                /// Appends the frame with its length.
                ///
                /// # Errors
                /// The limit that the frame exceeds; the buffer is then as it was.
                pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                    let run = 0_u64 $( + self.$run )?;
                    writer::append(out, $kind, run, &[$(&self.$field,)*])
                }
            }

            impl From<$frame> for $direction {
                fn from(frame: $frame) -> Self {
                    Self::$frame(frame)
                }
            }
        )*

        $(#[$direction_doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $direction {
            $( $(#[$frame_doc])* $frame($frame), )*
        }

        impl Wire for $direction {
            const SHAPES: &'static [Shape] = &[$($frame::SHAPE,)*];

            fn decode(body: &[u8]) -> Result<Self, Violation> {
                let mut from = Reader::new(body);
                let (mut fields, kind, run) = Fields::open(&mut from)?;
                let frame = match kind {
                    $( $kind => Self::$frame($frame::read(&mut fields, run)?), )*
                    _ => return Err(Violation::UnknownKind { kind }),
                };
                fields.close()?;
                Ok(frame)
            }

            fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                match self {
                    $( Self::$frame(frame) => frame.encode(out), )*
                }
            }

            fn name(&self) -> &'static str {
                match self {
                    $( Self::$frame(_) => $name, )*
                }
            }
        }
    };
}
pub(crate) use frames;

/// The elements of one frame that are still to be read.
pub(crate) struct Fields<'r, 'a> {
    from: &'r mut Reader<'a>,
    left: usize,
    frame: &'static str,
}

impl<'r, 'a> Fields<'r, 'a> {
    /// Reads the array's length, the kind and the run.
    pub(crate) fn open(from: &'r mut Reader<'a>) -> Result<(Self, u64, u64), Violation> {
        let malformed = |flaw| Violation::Malformed {
            part: "frame",
            flaw,
        };
        let marker = from.marker().map_err(malformed)?;
        let length = from.array_length(marker).map_err(malformed)?;
        let left = length
            .and_then(|length| length.checked_sub(2))
            .ok_or(malformed(Flaw::Expected(
                "an array of a kind, a run and fields",
            )))?;
        let kind = u64::read(from).map_err(malformed)?;
        let run = u64::read(from).map_err(malformed)?;
        Ok((
            Self {
                from,
                left,
                frame: "",
            },
            kind,
            run,
        ))
    }

    /// Says which frame it is; a frame of no run must say run 0.
    fn begin(&mut self, shape: &Shape, run: u64) -> Result<(), Violation> {
        self.frame = shape.name;
        if shape.of_a_run || run == 0 {
            Ok(())
        } else {
            Err(self.bad("run", Flaw::Range))
        }
    }

    fn next<T: Field>(&mut self, field: &'static str) -> Result<T, Violation> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                T::read(self.from).map_err(|flaw| self.bad(field, flaw))
            }
            None => T::absent().ok_or_else(|| self.bad(field, Flaw::Missing)),
        }
    }

    /// What most MessagePack libraries refuse by themselves is `malformed` in every language;
    /// what they would hand on is a bad field.
    fn bad(&self, field: &'static str, flaw: Flaw) -> Violation {
        match flaw {
            Flaw::Cut | Flaw::Utf8 | Flaw::Key | Flaw::Depth => {
                Violation::Malformed { part: field, flaw }
            }
            Flaw::Chunk(bytes) => Violation::ChunkTooLong { bytes },
            Flaw::Trailing
            | Flaw::Expected(_)
            | Flaw::Missing
            | Flaw::Range
            | Flaw::NotFinite
            | Flaw::Bytes
            | Flaw::Extension
            | Flaw::Count => Violation::BadField {
                frame: self.frame,
                field,
                flaw,
            },
        }
    }

    /// Passes over the fields of later versions; nothing may follow the array.
    fn close(self) -> Result<(), Violation> {
        let malformed = |flaw| Violation::Malformed {
            part: "frame",
            flaw,
        };
        for _ in 0..self.left {
            self.from.skip().map_err(malformed)?;
        }
        if self.from.left() == 0 {
            Ok(())
        } else {
            Err(malformed(Flaw::Trailing))
        }
    }
}
