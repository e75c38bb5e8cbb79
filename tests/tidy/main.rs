//! The house's own rules, where no compiler or linter holds them: shape of files, arrows between
//! crates, documents that name what exists. It reads the source tree and refuses to run any of it,
//! but for the binary's own `--help`, which docs/cli.md repeats.

mod tree;

mod command_line;
mod crates;
mod decisions;
mod documents;
mod sources;
