//! What stands at the front of a frame: its length, kind and run. For whoever counts and remembers
//! frames without reading them. Refuses to judge: what makes no sense has no kind.

use crate::frame::{Fields, Wire};
use crate::limits::HEADER_BYTES;
use crate::reader::Reader;

/// The front of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// The length that it announces, itself not counted.
    pub bytes: u32,
    /// Its kind; `None` where that is no number of one byte.
    pub kind: Option<u8>,
    /// Its run, 0 where it has none.
    pub run: u64,
}

impl FrameHead {
    /// Of the frame at the front of these bytes, of which not all need to be there; `None` before
    /// its length is.
    #[must_use]
    pub fn peek(bytes: &[u8]) -> Option<Self> {
        let (length, body) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let mut body = Reader::new(body);
        let (kind, run) = match Fields::open(&mut body) {
            Ok((_, kind, run)) => (u8::try_from(kind).ok(), run),
            Err(_) => (None, 0),
        };
        Some(Self {
            bytes: u32::from_be_bytes(*length),
            kind,
            run,
        })
    }

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
    use crate::frame::{Cancel, CancelReason, FromAgent, FromRuntime};

    #[test]
    fn a_frame_is_known_by_its_front() {
        let mut bytes = Vec::new();
        let (run, reason) = (70_000, CancelReason::Cancelled);
        Cancel { run, reason }.encode(&mut bytes).unwrap();
        let head = FrameHead::peek(&bytes).unwrap();
        assert_eq!(head.bytes as usize, bytes.len() - HEADER_BYTES);
        assert_eq!(head.run, run);
        assert_eq!(head.name::<FromRuntime>(), Some("cancel"));
        assert_eq!(FrameHead::peek(&bytes[..3]), None);
    }

    #[test]
    fn what_is_no_frame_has_a_length_and_no_kind() {
        let head = FrameHead::peek(b"hello, world").unwrap();
        assert_eq!((head.bytes, head.kind, head.run), (0x6865_6c6c, None, 0));
        assert_eq!(head.name::<FromAgent>(), None);
        let unknown = FrameHead::peek(&[0, 0, 0, 3, 0x92, 0x7f, 0x05]).unwrap();
        assert_eq!((unknown.kind, unknown.run), (Some(0x7f), 5));
        assert_eq!(unknown.name::<FromAgent>(), None);
    }
}
