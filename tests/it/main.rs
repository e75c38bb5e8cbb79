//! The real binary with the real Python, as a user meets them: what people and scripts see, what
//! is left when something dies. It refuses to know the inside of any crate.

mod harness;

mod calls;
