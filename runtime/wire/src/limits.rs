//! Every bound of the protocol, with its unit and its reason. Refuses to know what a user configured.

/// Bytes of one frame's body. Large enough for any honest answer, small enough that one frame of
/// each agent fits into memory; longer values belong into a file or a store.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of the length before each body.
pub const HEADER_BYTES: usize = 4;

/// Bytes of one chunk's `data` (the text itself, or an event's encoding): credit counts chunks, so
/// this is what makes credit a bound on memory.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// Chunks that a `call` lets a stream send before the first `credit`: 64 of them cover a wake-up of
/// either side at 200,000 chunks/s and are at most 4 MiB.
pub const STREAM_CREDIT_INITIAL: u32 = 64;

/// Chunks that may be on their way in one stream however fast its reader is: 2.5 ms of 200,000
/// chunks/s, and at most 32 MiB.
pub const STREAM_CREDIT_MAX: u32 = 512;

/// Levels of arrays and maps in one value. The msgpack package for Python refuses to pack deeper
/// than 511, so an honest SDK fails by itself before it could offend; the bound keeps the stack.
pub const VALUE_DEPTH_MAX: usize = 512;

/// Values in one frame, each array element and map entry counting one: a value takes a byte on the
/// wire and up to some hundreds in memory. A body shorter than this many bytes cannot exceed it.
pub const VALUES_MAX: usize = 1024 * 1024;

/// Tool calls, and likewise output checks, that one run may have open: a model asks for a handful.
pub const REQUESTS_OPEN_MAX: usize = 256;

/// Pings without an answer that a session remembers; the runtime gives up on an agent long before.
pub const PINGS_OPEN_MAX: u64 = 64;

/// Log lines per second that an agent may send by default; the SDK counts the rest as `dropped`.
pub const LOG_LINES_PER_S: u32 = 1000;

/// Bytes that one read asks the pipe for: what a Linux pipe holds by default.
pub const READ_BYTES: usize = 64 * 1024;
