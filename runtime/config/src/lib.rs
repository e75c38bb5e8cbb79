//! supervision.toml to a valid TreeSpec, or every mistake with its span. The only crate that knows TOML.
