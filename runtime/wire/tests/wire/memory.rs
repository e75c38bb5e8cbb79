//! What frames cost in memory, by a counting allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use serde_json::Value;
use synapse_wire::frame::{RunResult, ToolResult, ToolStatus};
use synapse_wire::limits::{FRAME_BYTES_MAX, READ_BYTES};
use synapse_wire::{CallFrame, FrameDecoder, FromAgent, Violation, Wire};

/// Counts the bytes that each thread holds, and the most that it held.
pub(crate) struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static COPIED: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    HELD.set(HELD.get() + bytes);
    PEAK.set(PEAK.get().max(HELD.get()));
}

fn signed(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

#[expect(
    unsafe_code,
    reason = "a global allocator is unsafe to implement; this one only counts"
)]
// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-signed(layout.size()));
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may be held at once, and what was there is copied.
        count(signed(size));
        count(-signed(layout.size()));
        COPIED.set(COPIED.get() + layout.size());
        // SAFETY: the caller keeps `realloc`'s contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// The most bytes that the thread held during `work` above what it held before.
fn peak<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (usize::try_from(PEAK.get() - before).unwrap_or(0), result)
}

/// Bytes that `work` made reallocations copy.
fn copied<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = COPIED.get();
    let result = work();
    (COPIED.get() - before, result)
}

fn read(decoder: &mut FrameDecoder<FromAgent>, bytes: &[u8]) -> Result<Vec<FromAgent>, Violation> {
    crate::read(decoder, bytes, &[READ_BYTES])
}

fn result(output: Value) -> Vec<u8> {
    let frame = RunResult {
        run: 1,
        output,
        new_messages: None,
        message_count: 0,
        usage: None,
    };
    let mut bytes = Vec::new();
    frame.encode(&mut bytes).unwrap();
    bytes
}

/// A small generator of bytes (xorshift), the same each time.
fn garbage(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

#[test]
fn garbage_never_allocates_beyond_the_frame_limit() {
    for seed in 0..2000 {
        let mut bytes = garbage(seed, 20_000);
        // Half of them begin with a plausible length and the head of a frame with a value.
        if seed % 2 == 0 {
            bytes[..8].copy_from_slice(&[0, 0, 0x40, 0, 0x96, 71, 1, 0xdd]);
        }
        let mut decoder = FrameDecoder::new();
        let (peak, _) = peak(|| read(&mut decoder, &bytes));
        assert!(
            peak < FRAME_BYTES_MAX + 1024 * 1024,
            "{peak} bytes for seed {seed}"
        );
    }
}

#[test]
fn claimed_lengths_reserve_no_more_than_the_bytes_at_hand_allow() {
    // 400 arrays within each other, each claiming 500 elements of a body of 2000 bytes.
    let mut body = vec![0x96, 71, 1];
    for _ in 0..400 {
        body.extend([0xdc, 0x01, 0xf4]);
    }
    body.resize(2000, 0xc0);
    let (peak, decoded) = peak(|| FromAgent::decode(&body));
    assert_eq!(decoded.unwrap_err().name(), "malformed");
    assert!(peak <= 2000 * size_of::<Value>(), "{peak} bytes");
}

#[test]
fn frame_of_more_values_than_the_limit_is_refused() {
    let mut bytes = vec![0x96, 71, 1, 0xdd];
    let values: u32 = 1024 * 1024 + 1;
    bytes.extend(values.to_be_bytes());
    bytes.resize(bytes.len() + values as usize, 0xc0);
    bytes.extend([0xc0, 0, 0xc0]);
    let (peak, decoded) = peak(|| FromAgent::decode(&bytes));
    assert_eq!(decoded.unwrap_err().name(), "bad_field");
    assert!(peak < 1024, "{peak} bytes");
}

#[test]
fn nesting_to_the_limit_is_read_and_beyond_it_is_refused() {
    let nested = |levels: usize| {
        let mut body = vec![0x96, 71, 1];
        body.resize(body.len() + levels, 0x91);
        body.extend([0xc0, 0xc0, 0, 0xc0]);
        FromAgent::decode(&body)
    };
    let deepest = nested(512).unwrap();
    let mut bytes = Vec::new();
    deepest.encode(&mut bytes).unwrap();
    assert_eq!(nested(513).unwrap_err().name(), "malformed");
    assert_eq!(nested(1_000_000).unwrap_err().name(), "malformed");
}

#[test]
fn large_string_is_copied_once_out_of_the_buffer_and_the_buffer_never_grows_under_it() {
    let megabyte = 1024 * 1024;
    let bytes = result(Value::from("x".repeat(megabyte)));
    let mut decoder = FrameDecoder::new();
    let (peak, (copied, frames)) = peak(|| copied(|| read(&mut decoder, &bytes)));
    assert_eq!(frames.unwrap().len(), 1);
    // The read buffer and the string.
    assert!(peak < 2 * megabyte + 3 * READ_BYTES, "{peak} bytes");
    assert!(copied < READ_BYTES, "{copied} bytes");
}

#[test]
fn large_call_is_copied_once_into_the_output() {
    let megabyte = 1024 * 1024;
    let input = Value::from("x".repeat(megabyte));
    let call = CallFrame::new(1, &input, false);
    let (peak, (copied, out)) = peak(|| {
        copied(|| {
            let mut out = Vec::new();
            call.encode(&mut out).unwrap();
            out
        })
    });
    assert!(out.len() > megabyte);
    assert!(peak < megabyte + 4096, "{peak} bytes");
    assert!(copied < 4096, "{copied} bytes");
}

#[test]
fn memory_is_flat_after_a_large_frame() {
    let mut decoder = FrameDecoder::new();
    let large = result(Value::from("x".repeat(8 * 1024 * 1024)));
    let small = result(Value::from("x"));
    read(&mut decoder, &small).unwrap();
    let before = HELD.get();
    for _ in 0..3 {
        drop(read(&mut decoder, &large).unwrap());
        drop(read(&mut decoder, &small).unwrap());
        assert_eq!(HELD.get(), before);
    }
    for _ in 0..10_000 {
        drop(read(&mut decoder, &small).unwrap());
    }
    assert_eq!(HELD.get(), before);
}

#[test]
fn largest_frame_fits_and_one_byte_more_is_too_long() {
    // Of a result: array, kind, run, the string's 5, nil, count.
    let around = 3 + 5 + 2;
    let bytes = result(Value::from("x".repeat(FRAME_BYTES_MAX - around)));
    assert_eq!(bytes.len(), FRAME_BYTES_MAX + 4);
    let mut decoder = FrameDecoder::new();
    let (peak, frames) = peak(|| read(&mut decoder, &bytes));
    assert_eq!(frames.unwrap().len(), 1);
    assert!(peak < 2 * FRAME_BYTES_MAX + 3 * READ_BYTES, "{peak} bytes");

    let value = Value::from("x".repeat(FRAME_BYTES_MAX - around + 1));
    let frame = RunResult {
        run: 1,
        output: value,
        new_messages: None,
        message_count: 0,
        usage: None,
    };
    let mut out = b"before".to_vec();
    assert!(frame.encode(&mut out).is_err());
    assert_eq!(out, b"before");
}

#[test]
fn refused_value_costs_no_more_than_the_limit() {
    let piece = Value::from("x".repeat(1024 * 1024));
    let value = Value::Array(vec![piece; 40]);
    let result = ToolResult {
        run: 1,
        call: 1,
        status: ToolStatus::Ok,
        value,
        message: None,
    };
    let mut out = Vec::new();
    let (peak, encoded) = peak(|| result.encode(&mut out));
    assert!(encoded.is_err());
    assert!(out.is_empty());
    assert!(peak < 3 * FRAME_BYTES_MAX, "{peak} bytes");
}
