//! Names things by the hash of all that they are made of. It refuses to know what that is.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Collects fields; their borders count, so that moving a byte from one to the next changes it.
#[derive(Default)]
pub(crate) struct Digest(Sha256);

impl Digest {
    pub(crate) fn field(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// 128 bits as hexadecimal digits: short enough for a folder's name, no collision by chance.
    pub(crate) fn name(self) -> String {
        self.0
            .finalize()
            .iter()
            .take(16)
            .fold(String::new(), |mut text, byte| {
                let _infallible = write!(text, "{byte:02x}");
                text
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_between_fields_count() {
        let name = |fields: &[&str]| {
            fields
                .iter()
                .fold(Digest::default(), |digest, field| digest.field(field))
                .name()
        };
        assert_ne!(name(&["ab", "c"]), name(&["a", "bc"]));
        assert_ne!(name(&["ab"]), name(&["ab", ""]));
        assert_eq!(name(&["ab"]).len(), 32);
    }
}
