//! The console on a real terminal (by `script`) and on pipes, in front of a stand-in for the node.

#[cfg(test)]
mod screen;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod terminal;
