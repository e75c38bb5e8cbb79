//! Real processes: how they start, end, are killed and leave nothing behind.

#[cfg(test)]
mod adopting;
mod end;
mod group;
mod parent;
mod start;
// cfg(test) tells clippy that these are tests too.
#[cfg(test)]
mod subject;
