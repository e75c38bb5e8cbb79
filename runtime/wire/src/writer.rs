//! Writes MessagePack into an output buffer, smallest form first. Refuses to write a frame that the
//! other side would refuse to read: a failed frame leaves the buffer as it was.

use rmp::encode::{self, ByteBuf};

use crate::field::Put;
use crate::limits::{FRAME_BYTES_MAX, HEADER_BYTES, VALUES_MAX};

/// Why a frame could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The body would exceed `FRAME_BYTES_MAX`.
    #[error("frame longer than {FRAME_BYTES_MAX} bytes")]
    FrameTooLong,
    /// A value is nested deeper than `VALUE_DEPTH_MAX`.
    #[error("value nested deeper than {} levels", crate::limits::VALUE_DEPTH_MAX)]
    ValueTooDeep,
    /// The frame has more values than `VALUES_MAX`.
    #[error("more than {VALUES_MAX} values in one frame")]
    TooManyValues,
}

/// One frame being written to the end of a buffer.
pub(crate) struct Writer {
    buffer: ByteBuf,
    start: usize,
    values: usize,
}

/// Appends one frame: its length, kind and run, and its fields up to the last that is not nil. Room
/// is made at once, so that a large payload is moved once and the buffer does not grow under it.
pub(crate) fn append(
    out: &mut Vec<u8>,
    kind: u64,
    run: u64,
    fields: &[&dyn Put],
) -> Result<(), EncodeError> {
    let nils = fields.iter().rev().take_while(|field| field.is_nil());
    let fields = fields
        .get(..fields.len().saturating_sub(nils.count()))
        .unwrap_or_default();
    let hints = fields.iter().map(|field| field.bytes_hint());
    let hint = hints.fold(16, usize::saturating_add);
    let start = out.len();
    out.reserve(hint.min(FRAME_BYTES_MAX).saturating_add(HEADER_BYTES));
    out.extend_from_slice(&[0; HEADER_BYTES]);
    let mut writer = Writer {
        buffer: ByteBuf::from_vec(std::mem::take(out)),
        start,
        values: 0,
    };
    let written = writer.frame(kind, run, fields);
    *out = writer.buffer.into_vec();
    let sealed = written.and_then(|()| seal(out, start));
    if sealed.is_err() {
        out.truncate(start);
    }
    sealed
}

/// Writes the length of the frame that begins at `start` and reaches to the end.
fn seal(out: &mut [u8], start: usize) -> Result<(), EncodeError> {
    let bytes = out.len().saturating_sub(start.saturating_add(HEADER_BYTES));
    if bytes > FRAME_BYTES_MAX {
        return Err(EncodeError::FrameTooLong);
    }
    let length = u32::try_from(bytes).map_err(|_too_long| EncodeError::FrameTooLong)?;
    if let Some(header) = out
        .get_mut(start..)
        .and_then(<[u8]>::first_chunk_mut::<HEADER_BYTES>)
    {
        *header = length.to_be_bytes();
    }
    Ok(())
}

// `ByteBuf` cannot fail, so each `let Ok(..)` below is irrefutable.
impl Writer {
    fn frame(&mut self, kind: u64, run: u64, fields: &[&dyn Put]) -> Result<(), EncodeError> {
        self.array(fields.len().saturating_add(2))?;
        self.unsigned(kind);
        self.unsigned(run);
        fields.iter().try_for_each(|field| field.put(self))
    }

    /// Refuses what would exceed the frame before it is copied, so that an endless value costs no
    /// more memory than the limit.
    #[inline]
    fn room(&self, bytes: usize) -> Result<u32, EncodeError> {
        let body = self.buffer.as_slice().len().saturating_sub(self.start);
        if body.saturating_add(bytes) > FRAME_BYTES_MAX + HEADER_BYTES {
            return Err(EncodeError::FrameTooLong);
        }
        u32::try_from(bytes).map_err(|_too_long| EncodeError::FrameTooLong)
    }

    #[inline]
    pub(crate) fn nil(&mut self) {
        let Ok(()) = encode::write_nil(&mut self.buffer);
    }

    #[inline]
    pub(crate) fn bool(&mut self, value: bool) {
        let Ok(()) = encode::write_bool(&mut self.buffer, value);
    }

    #[inline]
    pub(crate) fn unsigned(&mut self, value: u64) {
        let Ok(_) = encode::write_uint(&mut self.buffer, value);
    }

    #[inline]
    pub(crate) fn signed(&mut self, value: i64) {
        let Ok(_) = encode::write_sint(&mut self.buffer, value);
    }

    #[inline]
    pub(crate) fn float(&mut self, value: f64) {
        let Ok(()) = encode::write_f64(&mut self.buffer, value);
    }

    #[inline]
    pub(crate) fn string(&mut self, value: &str) -> Result<(), EncodeError> {
        self.room(value.len())?;
        let Ok(()) = encode::write_str(&mut self.buffer, value);
        Ok(())
    }

    pub(crate) fn bin(&mut self, value: &[u8]) -> Result<(), EncodeError> {
        self.room(value.len())?;
        let Ok(()) = encode::write_bin(&mut self.buffer, value);
        Ok(())
    }

    pub(crate) fn array(&mut self, values: usize) -> Result<(), EncodeError> {
        let length = self.container(values)?;
        let Ok(_) = encode::write_array_len(&mut self.buffer, length);
        Ok(())
    }

    pub(crate) fn map(&mut self, entries: usize) -> Result<(), EncodeError> {
        let length = self.container(entries)?;
        let Ok(_) = encode::write_map_len(&mut self.buffer, length);
        Ok(())
    }

    fn container(&mut self, values: usize) -> Result<u32, EncodeError> {
        self.values = self.values.saturating_add(values);
        if self.values > VALUES_MAX {
            return Err(EncodeError::TooManyValues);
        }
        self.room(values)
    }
}
