//! Bytes of one direction, cut anywhere, become frames. Refuses to know what the frames mean.
//!
//! The buffer holds what one read gives; for a frame longer than that it grows once, to exactly the
//! frame, and shrinks back afterwards, so that an agent's memory does not remember its largest
//! answer. Nothing is reserved for a length beyond `FRAME_BYTES_MAX`.

use std::marker::PhantomData;

use bytes::buf::Limit;
use bytes::{Buf, BufMut, BytesMut};

use crate::frame::Wire;
use crate::head::FrameFront;
use crate::limits::{FRAME_BYTES_MAX, HEADER_BYTES, READ_BYTES};
use crate::violation::Violation;

/// The decoder of one direction. After a violation it stays at it: there is no way to find the
/// next frame.
#[derive(Debug)]
pub struct FrameDecoder<F> {
    buffer: BytesMut,
    /// Whether the buffer was made for one frame longer than a read.
    large: bool,
    violation: Option<Violation>,
    frames: PhantomData<fn() -> F>,
}

impl<F: Wire> FrameDecoder<F> {
    /// An empty decoder; it allocates with the first [`FrameDecoder::space`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            large: false,
            violation: None,
            frames: PhantomData,
        }
    }

    /// Where the next read goes (`reader.read_buf(&mut decoder.space())`): uninitialised space for
    /// the rest of a large frame, else for `READ_BYTES`. Take the whole frames out before.
    pub fn space(&mut self) -> Limit<&mut BytesMut> {
        let space = match self.frame_bytes() {
            Ok(Some(bytes)) if bytes > READ_BYTES => self.grow(bytes),
            Ok(_) | Err(_) => self.settle(),
        };
        (&mut self.buffer).limit(space)
    }

    /// The next whole frame, or nothing yet.
    ///
    /// # Errors
    /// The rule that the bytes break, again and again.
    pub fn next_frame(&mut self) -> Result<Option<F>, Violation> {
        let decoded = match &self.violation {
            Some(violation) => Err(violation.clone()),
            None => self.decode(),
        };
        if let Err(violation) = &decoded {
            self.violation = Some(violation.clone());
            self.buffer = BytesMut::new();
        }
        decoded
    }

    /// The front of the frame that [`FrameDecoder::next_frame`] is about to read.
    #[must_use]
    #[inline]
    pub fn front(&self) -> Option<FrameFront> {
        FrameFront::of(&self.buffer)
    }

    /// Says whether the stream may end here.
    ///
    /// # Errors
    /// [`Violation::TornFrame`] inside a frame.
    pub fn end(&self) -> Result<(), Violation> {
        match self.buffer.len() {
            0 => Ok(()),
            bytes => Err(Violation::TornFrame { bytes }),
        }
    }

    /// The next whole frame, or nothing yet; it stays for [`FrameDecoder::next_frame`].
    ///
    /// # Errors
    /// The rule that the bytes break.
    pub fn peek(&self) -> Result<Option<F>, Violation> {
        Ok(self.whole()?.map(|(frame, _)| frame))
    }

    fn decode(&mut self) -> Result<Option<F>, Violation> {
        let Some((frame, bytes)) = self.whole()? else {
            return Ok(None);
        };
        self.buffer.advance(bytes);
        Ok(Some(frame))
    }

    /// The frame at the front and its length, once all of it is there.
    fn whole(&self) -> Result<Option<(F, usize)>, Violation> {
        let Some(bytes) = self.frame_bytes()? else {
            return Ok(None);
        };
        let Some(body) = self.buffer.get(HEADER_BYTES..bytes) else {
            return Ok(None);
        };
        Ok(Some((F::decode(body)?, bytes)))
    }

    /// The length of the frame at the front, header included, once its header is there.
    fn frame_bytes(&self) -> Result<Option<usize>, Violation> {
        let Some(header) = self.buffer.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let body = u32::from_be_bytes(*header);
        match usize::try_from(body) {
            Ok(body) if body <= FRAME_BYTES_MAX => Ok(Some(HEADER_BYTES.saturating_add(body))),
            Ok(_) | Err(_) => Err(Violation::FrameTooLong { bytes: body.into() }),
        }
    }

    /// Makes the buffer exactly large enough for a large frame; returns what is missing of it.
    fn grow(&mut self, bytes: usize) -> usize {
        let missing = bytes.saturating_sub(self.buffer.len());
        if !self.buffer.try_reclaim(missing) {
            self.replace(bytes);
            self.large = true;
        }
        missing
    }

    /// Brings the buffer back to the size of one read; returns the space in it.
    fn settle(&mut self) -> usize {
        let space = READ_BYTES.saturating_sub(self.buffer.len()).max(1);
        if self.large || !self.buffer.try_reclaim(space) {
            self.replace(READ_BYTES);
            self.large = false;
        }
        space
    }

    /// Moves what is left of a frame into a new buffer.
    fn replace(&mut self, capacity: usize) {
        let mut buffer = BytesMut::with_capacity(capacity.max(self.buffer.len().saturating_add(1)));
        buffer.extend_from_slice(&self.buffer);
        self.buffer = buffer;
    }
}

impl<F: Wire> Default for FrameDecoder<F> {
    fn default() -> Self {
        Self::new()
    }
}
