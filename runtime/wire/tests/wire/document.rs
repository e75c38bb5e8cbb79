//! Holds `docs/protocol.md` to the crate.
