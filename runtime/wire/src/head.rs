//! What stands at the front of a frame: its length, kind and run. For whoever remembers frames
//! without reading them: to keep a front costs a copy of a few bytes, and it is read when somebody
//! asks. Refuses to judge: what makes no sense has no kind.

use crate::frame::{Fields, Wire};
use crate::limits::HEADER_BYTES;
use crate::reader::Reader;

/// Bytes of a front: the length, the array's marker, a kind of one byte, and the longest run.
const FRONT_BYTES: usize = 16;

/// The first bytes of a frame, as they stand on the pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameFront([u8; FRONT_BYTES]);

/// What a front says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// The length that the frame announces, itself not counted.
    pub bytes: u32,
    /// Its kind; `None` where that is no number of one byte.
    pub kind: Option<u8>,
    /// Its run, 0 where it has none.
    pub run: u64,
}

impl FrameFront {
    /// Of the frame at the beginning of these bytes, of which not all need to be there; `None`
    /// before its length is.
    #[must_use]
    #[inline]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if let Some(front) = bytes.first_chunk() {
            return Some(Self(*front));
        }
        if bytes.len() < HEADER_BYTES {
            return None;
        }
        let mut front = [0; FRONT_BYTES];
        front.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self(front))
    }

    /// The length that the frame announces, itself not counted.
    #[must_use]
    #[inline]
    pub fn bytes(self) -> u32 {
        let Self([a, b, c, d, ..]) = self;
        u32::from_be_bytes([a, b, c, d])
    }

    /// All that it says.
    #[must_use]
    pub fn read(self) -> FrameHead {
        let mut body = Reader::new(self.0.get(HEADER_BYTES..).unwrap_or_default());
        let (kind, run) = match Fields::open(&mut body) {
            Ok((_, kind, run)) => (u8::try_from(kind).ok(), run),
            Err(_) => (None, 0),
        };
        FrameHead {
            bytes: self.bytes(),
            kind,
            run,
        }
    }
}

impl FrameHead {
    /// The name of its kind among the frames of this direction.
    #[must_use]
    pub fn name<F: Wire>(self) -> Option<&'static str> {
        let kind = self.kind?;
        let mut shapes = F::SHAPES.iter();
        let shape = shapes.find(|shape| shape.kind == u64::from(kind))?;
        Some(shape.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Cancel, CancelReason, FromAgent, FromRuntime, Ping};

    #[test]
    fn a_frame_is_known_by_its_front() {
        for run in [1, 70_000, u64::MAX] {
            let mut bytes = Vec::new();
            let reason = CancelReason::Cancelled;
            Cancel { run, reason }.encode(&mut bytes).unwrap();
            let front = FrameFront::of(&bytes).unwrap();
            let head = front.read();
            assert_eq!(head.bytes as usize, bytes.len() - HEADER_BYTES);
            assert_eq!((head.run, front.bytes()), (run, head.bytes));
            assert_eq!(head.name::<FromRuntime>(), Some("cancel"));
            assert_eq!(FrameFront::of(&bytes[..3]), None);
        }
    }

    #[test]
    fn a_frame_that_is_shorter_than_a_front_is_known_too() {
        let mut bytes = Vec::new();
        Ping { nonce: 1 }.encode(&mut bytes).unwrap();
        assert!(bytes.len() < FRONT_BYTES);
        let head = FrameFront::of(&bytes).unwrap().read();
        assert_eq!((head.name::<FromRuntime>(), head.run), (Some("ping"), 0));
    }

    #[test]
    fn what_is_no_frame_has_a_length_and_no_kind() {
        let head = FrameFront::of(b"hello, world").unwrap().read();
        assert_eq!((head.bytes, head.kind, head.run), (0x6865_6c6c, None, 0));
        assert_eq!(head.name::<FromAgent>(), None);
        let unknown = FrameFront::of(&[0, 0, 0, 3, 0x92, 0x7f, 0x05]);
        let unknown = unknown.unwrap().read();
        assert_eq!((unknown.kind, unknown.run), (Some(0x7f), 5));
        assert_eq!(unknown.name::<FromAgent>(), None);
    }
}
