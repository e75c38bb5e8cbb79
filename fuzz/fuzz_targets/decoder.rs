//! Any bytes, cut anywhere, in both directions and through a session: no panic, and what decodes
//! encodes to something that decodes to the same.

#![no_main]

use std::fmt::Debug;

use bytes::BufMut;
use libfuzzer_sys::fuzz_target;
use synapse_wire::{
    CallFrame, FrameDecoder, FromAgent, FromRuntime, Greeting, RuntimeSession, Wire,
};

// The first byte is the length of the pieces.
fuzz_target!(|input: &[u8]| {
    let Some((piece, bytes)) = input.split_first() else {
        return;
    };
    let piece = usize::from(*piece);
    let mut session = RuntimeSession::new();
    let (mut out, mut run) = (Vec::new(), 0);
    frames::<FromRuntime>(bytes, piece, |_frame| {});
    frames::<FromAgent>(bytes, piece, |frame| {
        // Refusals and violations are outcomes like any other here.
        let _event = session.received(frame);
        let _refused = session.welcome(Greeting::default(), &mut out);
        run += 1;
        let input = run.into();
        let call = CallFrame {
            prefetched: run % 2 == 0,
            ..CallFrame::new(run, &input, true)
        };
        let _refused = session.call(&call, &mut out);
        out.clear();
    });
});

fn frames<F: Wire + PartialEq + Debug>(bytes: &[u8], piece: usize, mut each: impl FnMut(F)) {
    let mut decoder = FrameDecoder::<F>::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut space = decoder.space();
        let length = piece.max(1).min(space.remaining_mut()).min(rest.len());
        space.put_slice(&rest[..length]);
        rest = &rest[length..];
        while let Ok(Some(frame)) = decoder.next_frame() {
            check_round_trip(&frame);
            each(frame);
        }
    }
}

fn check_round_trip<F: Wire + PartialEq + Debug>(frame: &F) {
    let mut bytes = Vec::new();
    frame
        .encode(&mut bytes)
        .expect("what was read is within the limits");
    assert_eq!(F::decode(&bytes[4..]).as_ref(), Ok(frame));
}
