//! Whatever the frames, wherever the bytes are cut, and whatever garbage comes.

use proptest::collection::vec;
use proptest::prelude::*;
use synapse_wire::{FrameDecoder, FromAgent, FromRuntime, RuntimeSession, Violation, Wire};

use crate::arbitrary;

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(128)
    }
}

fn encoded<F: Wire>(frames: &[F]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frames
        .iter()
        .for_each(|frame| frame.encode(&mut bytes).unwrap());
    bytes
}

fn decoded<F: Wire>(
    bytes: &[u8],
    pieces: &[usize],
) -> Result<(Vec<F>, FrameDecoder<F>), Violation> {
    let mut decoder = FrameDecoder::new();
    let frames = crate::read(&mut decoder, bytes, pieces)?;
    Ok((frames, decoder))
}

fn round_trip<F: Wire + PartialEq + std::fmt::Debug>(
    frames: Vec<F>,
    pieces: &[usize],
) -> Result<(), TestCaseError> {
    let (found, decoder) = decoded::<F>(&encoded(&frames), pieces).unwrap();
    prop_assert_eq!(found, frames);
    prop_assert_eq!(decoder.end(), Ok(()));
    Ok(())
}

fn prefix_is_incomplete<F: Wire>(frame: &F, at: prop::sample::Index) -> Result<(), TestCaseError> {
    let bytes = encoded(std::slice::from_ref(frame));
    let cut = at.index(bytes.len());
    let (found, decoder) = decoded::<F>(&bytes[..cut], &[usize::MAX]).unwrap();
    prop_assert_eq!(found.len(), 0);
    let torn = if cut == 0 {
        Ok(())
    } else {
        Err(Violation::TornFrame { bytes: cut })
    };
    prop_assert_eq!(decoder.end(), torn);
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn bytes_cut_anywhere_decode_to_the_same_frames_from_the_agent(
        frames in vec(arbitrary::from_agent(), 1..5),
        pieces in vec(1..200_usize, 1..20),
    ) {
        round_trip(frames, &pieces)?;
    }

    #[test]
    fn bytes_cut_anywhere_decode_to_the_same_frames_from_the_runtime(
        frames in vec(arbitrary::from_runtime(), 1..5),
        pieces in vec(1..200_usize, 1..20),
    ) {
        round_trip(frames, &pieces)?;
    }

    #[test]
    fn any_prefix_from_the_agent_is_incomplete(
        frame in arbitrary::from_agent(),
        at: prop::sample::Index,
    ) {
        prefix_is_incomplete(&frame, at)?;
    }

    #[test]
    fn any_prefix_from_the_runtime_is_incomplete(
        frame in arbitrary::from_runtime(),
        at: prop::sample::Index,
    ) {
        prefix_is_incomplete(&frame, at)?;
    }

    #[test]
    fn garbage_is_a_violation_or_incomplete(bytes in vec(any::<u8>(), 0..2000)) {
        // A random length is nearly always too long: give the body a fair chance, too.
        drop(FromAgent::decode(&bytes));
        drop(FromRuntime::decode(&bytes));
        drop(decoded::<FromAgent>(&bytes, &[7]));
    }

    #[test]
    fn damaged_frame_never_panics(
        frame in arbitrary::from_agent(),
        at: prop::sample::Index,
        byte: u8,
    ) {
        let mut bytes = encoded(std::slice::from_ref(&frame));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        drop(FromAgent::decode(&bytes[4..]));
        drop(decoded::<FromAgent>(&bytes, &[11]));
    }

    #[test]
    fn violation_stays(bytes in vec(any::<u8>(), 4..50)) {
        let mut decoder = FrameDecoder::<FromAgent>::new();
        if let Err(violation) = crate::read(&mut decoder, &bytes, &[usize::MAX]) {
            prop_assert!(Violation::NAMES.contains(&violation.name()));
            let again = crate::read(&mut decoder, &bytes, &[usize::MAX]);
            prop_assert_eq!(again, Err(violation));
        }
    }

    #[test]
    fn session_survives_any_conversation(
        steps in vec((arbitrary::from_agent(), 0..9_u8, arbitrary::call()), 0..16),
        greeted: bool,
    ) {
        let (mut session, mut out) = (RuntimeSession::new(), Vec::new());
        if greeted {
            crate::conversation::make_ready(&mut session, &mut out);
        }
        for (frame, command, call) in steps {
            let _refused_or_not =
                crate::conversation::command(&mut session, command, &call, &mut out);
            let ended = session.received(frame).is_err();
            prop_assert!(!ended || !session.is_ready());
        }
        // What it wrote is frames.
        let (_frames, decoder) = decoded::<FromRuntime>(&out, &[usize::MAX]).unwrap();
        prop_assert_eq!(decoder.end(), Ok(()));
    }
}
