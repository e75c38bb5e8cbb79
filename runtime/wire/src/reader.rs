//! Reads MessagePack primitives from one frame's body. Refuses to allocate: what it returns borrows.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "MessagePack has 37 markers; each function here names those that it reads"
)]

use rmp::Marker;

use crate::limits::VALUES_MAX;
use crate::violation::Flaw;

/// A cursor over a body. Every value takes at least a byte, so the claims of all arrays and maps
/// together cannot honestly exceed the bytes: `values_left` starts there and is charged as soon as
/// a length is claimed, which is what makes it safe to reserve memory for that length.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    values_left: usize,
    /// Whether `VALUES_MAX`, not the bytes, is what bounds the values.
    long: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let long = bytes.len() > VALUES_MAX;
        Self {
            bytes,
            values_left: bytes.len().min(VALUES_MAX),
            long,
        }
    }

    /// Bytes not read yet.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub(crate) fn peek(&self) -> Result<Marker, Flaw> {
        self.bytes
            .first()
            .map(|byte| Marker::from_u8(*byte))
            .ok_or(Flaw::Cut)
    }

    /// Whether nil stands here; it is passed over then.
    #[inline]
    pub(crate) fn nil(&mut self) -> Result<bool, Flaw> {
        let nil = self.peek()? == Marker::Null;
        if nil {
            self.take(1)?;
        }
        Ok(nil)
    }

    #[inline]
    pub(crate) fn marker(&mut self) -> Result<Marker, Flaw> {
        let (first, rest) = self.bytes.split_first().ok_or(Flaw::Cut)?;
        self.bytes = rest;
        Ok(Marker::from_u8(*first))
    }

    #[inline]
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Flaw> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(Flaw::Cut)?;
        self.bytes = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>().ok_or(Flaw::Cut)?;
        self.bytes = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Flaw> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Flaw> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Flaw> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Flaw> {
        self.array().map(u64::from_be_bytes)
    }

    /// The integer behind a marker, if the marker is one of an integer.
    #[inline]
    pub(crate) fn integer(&mut self, marker: Marker) -> Result<Option<Integer>, Flaw> {
        Ok(Some(match marker {
            Marker::FixPos(value) => Integer::Positive(value.into()),
            Marker::U8 => Integer::Positive(self.u8()?.into()),
            Marker::U16 => Integer::Positive(self.u16()?.into()),
            Marker::U32 => Integer::Positive(self.u32()?.into()),
            Marker::U64 => Integer::Positive(self.u64()?),
            Marker::FixNeg(value) => Integer::signed(value.into()),
            Marker::I8 => Integer::signed(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Integer::signed(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Integer::signed(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => Integer::signed(i64::from_be_bytes(self.array()?)),
            _ => return Ok(None),
        }))
    }

    /// The float behind a marker, if the marker is one of a float.
    #[inline]
    pub(crate) fn float(&mut self, marker: Marker) -> Result<Option<f64>, Flaw> {
        Ok(Some(match marker {
            Marker::F64 => f64::from_be_bytes(self.array()?),
            Marker::F32 => f32::from_be_bytes(self.array()?).into(),
            _ => return Ok(None),
        }))
    }

    /// The length behind a marker, if the marker is one of a string.
    #[inline]
    pub(crate) fn string_length(&mut self, marker: Marker) -> Result<Option<usize>, Flaw> {
        Ok(Some(match marker {
            Marker::FixStr(length) => length.into(),
            Marker::Str8 => self.u8()?.into(),
            Marker::Str16 => self.u16()?.into(),
            Marker::Str32 => length(self.u32()?),
            _ => return Ok(None),
        }))
    }

    /// The length behind a marker, if the marker is one of bytes.
    #[inline]
    pub(crate) fn bin_length(&mut self, marker: Marker) -> Result<Option<usize>, Flaw> {
        Ok(Some(match marker {
            Marker::Bin8 => self.u8()?.into(),
            Marker::Bin16 => self.u16()?.into(),
            Marker::Bin32 => length(self.u32()?),
            _ => return Ok(None),
        }))
    }

    /// The length behind a marker, if the marker is one of an array. Uncharged.
    #[inline]
    pub(crate) fn array_length(&mut self, marker: Marker) -> Result<Option<usize>, Flaw> {
        Ok(Some(match marker {
            Marker::FixArray(length) => length.into(),
            Marker::Array16 => self.u16()?.into(),
            Marker::Array32 => length(self.u32()?),
            _ => return Ok(None),
        }))
    }

    /// The length behind a marker, if the marker is one of a map. Uncharged.
    #[inline]
    pub(crate) fn map_length(&mut self, marker: Marker) -> Result<Option<usize>, Flaw> {
        Ok(Some(match marker {
            Marker::FixMap(length) => length.into(),
            Marker::Map16 => self.u16()?.into(),
            Marker::Map32 => length(self.u32()?),
            _ => return Ok(None),
        }))
    }

    /// Charges a claimed number of values: once per element or entry, before any is read.
    #[inline]
    pub(crate) fn claim(&mut self, values: usize) -> Result<(), Flaw> {
        match self.values_left.checked_sub(values) {
            Some(left) => self.values_left = left,
            None if self.long && values <= self.bytes.len() => return Err(Flaw::Count),
            None => return Err(Flaw::Cut),
        }
        Ok(())
    }

    pub(crate) fn bool(&mut self) -> Result<bool, Flaw> {
        match self.marker()? {
            Marker::True => Ok(true),
            Marker::False => Ok(false),
            _ => Err(Flaw::Expected("a boolean")),
        }
    }

    pub(crate) fn string(&mut self) -> Result<&'a str, Flaw> {
        let marker = self.marker()?;
        let length = self
            .string_length(marker)?
            .ok_or(Flaw::Expected("a string"))?;
        self.text(length)
    }

    #[inline]
    pub(crate) fn text(&mut self, length: usize) -> Result<&'a str, Flaw> {
        std::str::from_utf8(self.take(length)?).map_err(|_not_utf8| Flaw::Utf8)
    }

    /// Passes over one value of any kind, however nested, without recursion. Trailing fields of a
    /// later version may hold what this version does not know.
    pub(crate) fn skip(&mut self) -> Result<(), Flaw> {
        let mut owed: usize = 1;
        while owed > 0 {
            owed = owed.saturating_sub(1).saturating_add(self.skip_one()?);
        }
        Ok(())
    }

    /// Passes over one marker and its own bytes; returns how many values it announced.
    fn skip_one(&mut self) -> Result<usize, Flaw> {
        let marker = self.marker()?;
        let bytes = match marker {
            Marker::U8 | Marker::I8 => 1,
            Marker::U16 | Marker::I16 | Marker::FixExt1 => 2,
            Marker::FixExt2 => 3,
            Marker::U32 | Marker::I32 | Marker::F32 => 4,
            Marker::FixExt4 => 5,
            Marker::U64 | Marker::I64 | Marker::F64 => 8,
            Marker::FixExt8 => 9,
            Marker::FixExt16 => 17,
            Marker::Ext8 => 1 + usize::from(self.u8()?),
            Marker::Ext16 => 1 + usize::from(self.u16()?),
            Marker::Ext32 => length(self.u32()?).saturating_add(1),
            Marker::Reserved => return Err(Flaw::Extension),
            _ => return self.skip_sized(marker),
        };
        self.take(bytes)?;
        Ok(0)
    }

    fn skip_sized(&mut self, marker: Marker) -> Result<usize, Flaw> {
        if let Some(values) = self.array_length(marker)? {
            return Ok(values);
        }
        if let Some(entries) = self.map_length(marker)? {
            return Ok(entries.saturating_mul(2));
        }
        let bytes = match self.string_length(marker)? {
            Some(bytes) => bytes,
            None => self.bin_length(marker)?.unwrap_or(0),
        };
        self.take(bytes)?;
        Ok(0)
    }
}

/// An integer of JSON's 64-bit range.
pub(crate) enum Integer {
    Positive(u64),
    Negative(i64),
}

impl Integer {
    fn signed(value: i64) -> Self {
        u64::try_from(value).map_or(Self::Negative(value), Self::Positive)
    }
}

/// A 32-bit length fits `usize` on every platform that the standard library's I/O supports well.
fn length(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
