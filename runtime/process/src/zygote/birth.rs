//! What a zygote's child is given: descriptors, folder, name and environment.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;

use crate::command::Command;
use crate::pipe::set_nonblocking;
use crate::tag::{TAG_VARIABLE, Tag};

/// What a new child is to be.
#[derive(Clone, Debug)]
pub struct Birth {
    /// Its folder, environment and pipes; program and arguments are the zygote's.
    pub command: Command,
    /// What lists of processes show of it.
    pub title: String,
}

impl Birth {
    /// As the child reads it: the length, 4 bytes, most significant first, then fields that each
    /// end with a zero byte, which none of them can hold: folder, title, `NAME=VALUE` each. The
    /// last variable is the tag.
    pub(super) fn to_bytes(&self, tag: &Tag) -> Vec<u8> {
        let mut fields = Vec::new();
        let mut add = |parts: &[&[u8]]| {
            fields.extend(parts.concat());
            fields.push(0);
        };
        add(&[self.command.cwd.as_os_str().as_bytes()]);
        add(&[self.title.as_bytes()]);
        for (name, value) in &self.command.env {
            add(&[name.as_bytes(), b"=", value.as_bytes()]);
        }
        add(&[TAG_VARIABLE.as_bytes(), b"=", tag.as_os_str().as_bytes()]);
        let length = u32::try_from(fields.len()).unwrap_or(u32::MAX);
        [&length.to_be_bytes(), fields.as_slice()].concat()
    }
}

/// The runtime's ends of a child's pipes, in the order of their numbers, and of its cord.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) pipes: [OwnedFd; 3],
    pub(super) cord: UnixStream,
}

impl Ends {
    /// And the child's, in the order in which they are sent.
    pub(super) fn make() -> io::Result<(Self, [OwnedFd; 4])> {
        let (its_stdin, stdin) = io::pipe()?;
        let (stdout, its_stdout) = io::pipe()?;
        let (stderr, its_stderr) = io::pipe()?;
        let pipes: [OwnedFd; 3] = [stdin.into(), stdout.into(), stderr.into()];
        let (cord, its_cord) = UnixStream::pair()?;
        cord.set_nonblocking(true)?;
        for end in &pipes {
            set_nonblocking(end)?;
        }
        let its = [
            its_stdin.into(),
            its_stdout.into(),
            its_stderr.into(),
            its_cord.into(),
        ];
        Ok((Self { pipes, cord }, its))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_birth_is_a_length_and_fields_that_end_with_zero() {
        let birth = Birth {
            command: Command::new("", "/tmp").env([("A", "1 2"), ("B", "")]),
            title: "synapse: echo".to_owned(),
        };
        let tag = crate::tag::Tags::new().next();
        let tag_text = tag.as_os_str().to_str().unwrap();
        let text = format!("/tmp\0synapse: echo\0A=1 2\0B=\0SYNAPSE_TAG={tag_text}\0");
        let bytes = birth.to_bytes(&tag);
        assert_eq!(bytes.get(4..), Some(text.as_bytes()));
        assert_eq!(bytes.get(..4), Some(&[0, 0, 0, 66][..]));
    }
}
