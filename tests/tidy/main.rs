//! The house's own rules, where no compiler or linter holds them: shape of files, arrows between
//! crates, documents that name what exists. It reads the source tree and refuses to run any of it,
//! but for the binary's own `--help`, which docs/cli.md repeats.

// cfg(test) tells clippy that helpers belong to the tests, too.
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod crates;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod tree;
