//! The `synapse` binary.
fn main() {}
