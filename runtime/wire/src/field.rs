//! How each type of field is written and read. Refuses to know which frame a field is in.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::reader::{Integer, Reader};
use crate::value;
use crate::violation::Flaw;
use crate::writer::{EncodeError, Writer};

/// A type that can be written to a position of a frame, owned or borrowed.
pub(crate) trait Put {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError>;

    /// About how many bytes `put` will write, exact enough where there are many.
    fn bytes_hint(&self) -> usize {
        16
    }

    /// Whether it is a nullable field's nil, which is left out at a frame's end.
    fn is_nil(&self) -> bool {
        false
    }
}

/// A type that can be read from a position of a frame.
pub(crate) trait Field: Put + Sized {
    /// The word that `docs/protocol.md` has for the type.
    const TYPE: &'static str;

    /// The word for a list of it; empty where no frame has one.
    const LIST: &'static str = "";

    /// Whether nil may stand there.
    const NULLABLE: bool = false;

    fn read(from: &mut Reader<'_>) -> Result<Self, Flaw>;

    /// What a missing trailing field means: nil where the field is nullable, else nothing.
    fn absent() -> Option<Self> {
        None
    }
}

impl Put for u64 {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.unsigned(*self);
        Ok(())
    }
}

impl Field for u64 {
    const TYPE: &'static str = "int";
    const LIST: &'static str = "[int]";

    fn read(from: &mut Reader<'_>) -> Result<Self, Flaw> {
        let marker = from.marker()?;
        match from.integer(marker)? {
            Some(Integer::Positive(value)) => Ok(value),
            Some(Integer::Negative(_)) => Err(Flaw::Range),
            None => Err(Flaw::Expected("an integer")),
        }
    }
}

impl Put for u32 {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.unsigned((*self).into());
        Ok(())
    }
}

impl Field for u32 {
    const TYPE: &'static str = "int";

    fn read(from: &mut Reader<'_>) -> Result<Self, Flaw> {
        u64::read(from)?
            .try_into()
            .map_err(|_out_of_range| Flaw::Range)
    }
}

impl Put for bool {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.bool(*self);
        Ok(())
    }
}

impl Field for bool {
    const TYPE: &'static str = "bool";

    fn read(from: &mut Reader<'_>) -> Result<Self, Flaw> {
        from.bool()
    }
}

impl Put for str {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.string(self)
    }

    fn bytes_hint(&self) -> usize {
        self.len().saturating_add(16)
    }
}

impl Put for String {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
        self.as_str().put(out)
    }

    fn bytes_hint(&self) -> usize {
        self.as_str().bytes_hint()
    }
}

impl Field for String {
    const TYPE: &'static str = "str";

    fn read(from: &mut Reader<'_>) -> Result<Self, Flaw> {
        from.string().map(str::to_owned)
    }
}

impl Put for Bytes {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.bin(self)
    }

    fn bytes_hint(&self) -> usize {
        self.len().saturating_add(16)
    }
}

impl Field for Bytes {
    const TYPE: &'static str = "bin";
    const LIST: &'static str = "[bin]";

    fn read(from: &mut Reader<'_>) -> Result<Self, Flaw> {
        let marker = from.marker()?;
        let length = from.bin_length(marker)?.ok_or(Flaw::Expected("bytes"))?;
        from.take(length).map(Self::copy_from_slice)
    }
}

impl Put for Value {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
        value::write(out, self)
    }

    fn bytes_hint(&self) -> usize {
        self.as_str().map_or(64, str::len).saturating_add(16)
    }
}

impl Field for Value {
    const TYPE: &'static str = "any";

    fn read(from: &mut Reader<'_>) -> Result<Self, Flaw> {
        value::read(from)
    }
}

impl Put for Map<String, Value> {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
        value::write_map(out, self)
    }

    fn bytes_hint(&self) -> usize {
        self.len().saturating_mul(32)
    }
}

impl Field for Map<String, Value> {
    const TYPE: &'static str = "map";

    fn read(from: &mut Reader<'_>) -> Result<Self, Flaw> {
        value::read_map(from)
    }
}

impl<T: Put> Put for Option<T> {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Some(value) => value.put(out),
            None => {
                out.nil();
                Ok(())
            }
        }
    }

    fn bytes_hint(&self) -> usize {
        self.as_ref().map_or(1, T::bytes_hint)
    }

    fn is_nil(&self) -> bool {
        self.is_none()
    }
}

impl<T: Field> Field for Option<T> {
    const TYPE: &'static str = T::TYPE;
    const NULLABLE: bool = true;

    fn read(from: &mut Reader<'_>) -> Result<Self, Flaw> {
        if from.nil()? {
            Ok(None)
        } else {
            T::read(from).map(Some)
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Put> Put for [T] {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.array(self.len())?;
        self.iter().try_for_each(|value| value.put(out))
    }

    fn bytes_hint(&self) -> usize {
        self.iter()
            .map(T::bytes_hint)
            .fold(8, usize::saturating_add)
    }
}

impl<T: Put> Put for Vec<T> {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
        self.as_slice().put(out)
    }

    fn bytes_hint(&self) -> usize {
        self.as_slice().bytes_hint()
    }
}

impl<T: Field> Field for Vec<T> {
    const TYPE: &'static str = T::LIST;

    fn read(from: &mut Reader<'_>) -> Result<Self, Flaw> {
        let marker = from.marker()?;
        let count = from
            .array_length(marker)?
            .ok_or(Flaw::Expected("an array"))?;
        from.claim(count)?;
        let mut values = Self::with_capacity(count.min(from.left()));
        for _ in 0..count {
            values.push(T::read(from)?);
        }
        Ok(values)
    }
}

impl<T: Put + ?Sized> Put for &T {
    fn put(&self, out: &mut Writer) -> Result<(), EncodeError> {
        (**self).put(out)
    }

    fn bytes_hint(&self) -> usize {
        (**self).bytes_hint()
    }

    fn is_nil(&self) -> bool {
        (**self).is_nil()
    }
}
