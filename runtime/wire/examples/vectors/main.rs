//! Rewrites `tests/vectors/`: `cargo run -p synapse-wire --example vectors`. A test holds the files
//! to what this generates.

#[path = "cases.rs"]
mod cases;
mod pack;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    for (name, cases) in cases::files() {
        std::fs::write(folder.join(name), cases::render(&cases))?;
    }
    Ok(())
}
