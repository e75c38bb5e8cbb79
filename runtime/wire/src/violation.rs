//! What a peer can do wrong, by name. Refuses to know what is done about it (the child is killed).

use std::fmt;

/// One broken rule of the protocol. [`Violation::name`] is stable and appears in exit reasons,
/// vectors and `docs/protocol.md`; `Display` is for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A header announced a body beyond `FRAME_BYTES_MAX`.
    #[error("frame of {bytes} bytes, more than {max} are not allowed", max = crate::limits::FRAME_BYTES_MAX)]
    FrameTooLong {
        /// What the header said.
        bytes: u64,
    },
    /// The stream ended inside a frame.
    #[error("end of file inside a frame, {bytes} bytes after its start")]
    TornFrame {
        /// What had come of the frame, header included.
        bytes: usize,
    },
    /// A body that is not one MessagePack array of a kind, a run and fields, or a field of it that
    /// MessagePack libraries refuse: cut short, no UTF-8, no string as a key, nested too deeply.
    #[error("malformed frame: `{part}` {flaw}")]
    Malformed {
        /// The field, or "frame".
        part: &'static str,
        /// What was wrong with it.
        flaw: Flaw,
    },
    /// A kind that this version of the protocol does not have in this direction.
    #[error("unknown kind of frame {kind}")]
    UnknownKind {
        /// The kind that came.
        kind: u64,
    },
    /// A field of the wrong type, out of range, missing, or holding what JSON has not.
    #[error("`{field}` of `{frame}` {flaw}")]
    BadField {
        /// The frame's name.
        frame: &'static str,
        /// The field's name.
        field: &'static str,
        /// What was wrong with it.
        flaw: Flaw,
    },
    /// A chunk with more data than `CHUNK_BYTES_MAX`.
    #[error("chunk of {bytes} bytes, more than {max} are not allowed", max = crate::limits::CHUNK_BYTES_MAX)]
    ChunkTooLong {
        /// The length of its data.
        bytes: usize,
    },
    /// A frame that is not legal in the state of the conversation.
    #[error("`{frame}` is not expected {state}")]
    UnexpectedFrame {
        /// The frame's name.
        frame: &'static str,
        /// The state, as a phrase ("before hello").
        state: &'static str,
    },
    /// The peers have no version in common.
    #[error("no common protocol version: the agent speaks {offered:?}, the runtime {spoken:?}", spoken = crate::VERSIONS)]
    VersionUnsupported {
        /// What the agent offered.
        offered: Vec<u64>,
    },
    /// A frame for a run that was never called or has ended.
    #[error("`{frame}` for run {run}, which is not open")]
    UnknownRun {
        /// The frame's name.
        frame: &'static str,
        /// The run it named.
        run: u64,
    },
    /// `started` for a run that was not prefetched, or had already started.
    #[error("`started` for run {run}, which {was}")]
    UnexpectedStart {
        /// The run it named.
        run: u64,
        /// Why it could not start, as a phrase.
        was: &'static str,
    },
    /// A chunk of a run that was not called as a stream.
    #[error("chunk for run {run}, which is no stream")]
    NotStreaming {
        /// The run it named.
        run: u64,
    },
    /// A chunk out of order.
    #[error("chunk {found} of run {run}, {expected} was due")]
    WrongSequence {
        /// The run it named.
        run: u64,
        /// The number that was due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// A chunk that no credit was left for.
    #[error("chunk for run {run} beyond its credit")]
    CreditExceeded {
        /// The run it named.
        run: u64,
    },
    /// A tool call or output check with the number of one that is still open.
    #[error("`{frame}` {number} of run {run} is already open")]
    DuplicateRequest {
        /// The frame's name.
        frame: &'static str,
        /// The run it named.
        run: u64,
        /// Its number.
        number: u64,
    },
    /// More open tool calls or output checks than `REQUESTS_OPEN_MAX`.
    #[error("more than {max} open `{frame}` of run {run}", max = crate::limits::REQUESTS_OPEN_MAX)]
    TooManyRequests {
        /// The frame's name.
        frame: &'static str,
        /// The run it named.
        run: u64,
    },
    /// A pong with a nonce that no open ping has.
    #[error("pong {nonce} answers no open ping")]
    UnknownPing {
        /// The nonce that came.
        nonce: u64,
    },
}

impl Violation {
    /// Every name, in the order of the variants.
    pub const NAMES: &[&str] = &[
        "frame_too_long",
        "torn_frame",
        "malformed",
        "unknown_kind",
        "bad_field",
        "chunk_too_long",
        "unexpected_frame",
        "version_unsupported",
        "unknown_run",
        "unexpected_start",
        "not_streaming",
        "wrong_sequence",
        "credit_exceeded",
        "duplicate_request",
        "too_many_requests",
        "unknown_ping",
    ];

    /// The stable name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::FrameTooLong { .. } => "frame_too_long",
            Self::TornFrame { .. } => "torn_frame",
            Self::Malformed { .. } => "malformed",
            Self::UnknownKind { .. } => "unknown_kind",
            Self::BadField { .. } => "bad_field",
            Self::ChunkTooLong { .. } => "chunk_too_long",
            Self::UnexpectedFrame { .. } => "unexpected_frame",
            Self::VersionUnsupported { .. } => "version_unsupported",
            Self::UnknownRun { .. } => "unknown_run",
            Self::UnexpectedStart { .. } => "unexpected_start",
            Self::NotStreaming { .. } => "not_streaming",
            Self::WrongSequence { .. } => "wrong_sequence",
            Self::CreditExceeded { .. } => "credit_exceeded",
            Self::DuplicateRequest { .. } => "duplicate_request",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::UnknownPing { .. } => "unknown_ping",
        }
    }
}

/// What is wrong with a piece of MessagePack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The body ends inside a value.
    Cut,
    /// Bytes follow the frame's array.
    Trailing,
    /// Another type stands there.
    Expected(&'static str),
    /// A field that is not nullable is missing.
    Missing,
    /// An integer that the field cannot hold.
    Range,
    /// A string that is not UTF-8.
    Utf8,
    /// NaN or an infinity.
    NotFinite,
    /// A map key that is not a string.
    Key,
    /// Bytes in a JSON value.
    Bytes,
    /// A MessagePack extension or reserved marker.
    Extension,
    /// More levels than `VALUE_DEPTH_MAX`.
    Depth,
    /// More values than `VALUES_MAX`.
    Count,
    /// A chunk longer than `CHUNK_BYTES_MAX`: becomes [`Violation::ChunkTooLong`].
    Chunk(usize),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "ends before its value does",
            Self::Trailing => "has bytes after its array",
            Self::Expected(what) => return write!(f, "is not {what}"),
            Self::Missing => "is missing",
            Self::Range => "is out of range",
            Self::Utf8 => "is not UTF-8",
            Self::NotFinite => "is not a finite number",
            Self::Key => "has a map key that is not a string",
            Self::Bytes => "has bytes where JSON is due",
            Self::Extension => "has a MessagePack extension",
            Self::Depth => "is nested too deeply",
            Self::Count => "has more values than a frame may hold",
            Self::Chunk(bytes) => return write!(f, "has {bytes} bytes, too many for a chunk"),
        })
    }
}
