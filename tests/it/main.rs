//! The real binary with the real Python, as a user meets them: what people and scripts see, what
//! is left when something dies. It refuses to know the inside of any crate.

#[cfg(test)]
mod harness;

#[cfg(test)]
mod additions;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod console;
#[cfg(test)]
mod conversations;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod dossiers;
#[cfg(test)]
mod environments;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod growth;
#[cfg(test)]
mod hanging;
#[cfg(test)]
mod hibernation;
#[cfg(test)]
mod mailboxes;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod misbehaving;
#[cfg(test)]
mod node;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod orphans;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod standby;
#[cfg(test)]
mod states;
#[cfg(test)]
mod status;
#[cfg(test)]
mod supervision;
#[cfg(test)]
mod zygote;
