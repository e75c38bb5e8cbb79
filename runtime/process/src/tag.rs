//! The tag of an incarnation: a variable that a process passes on to whatever it starts, by which
//! its leftovers are told from those of others. It refuses to know what they are.

use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

/// The variable that holds a tag. Tags are all of one length, so that a process that was forked
/// and not executed can write its own over the one in its memory, where the kernel shows it.
pub(crate) const TAG_VARIABLE: &str = "SYNAPSE_TAG";

/// What one process and its descendants have in their environment, and no other process has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag(String);

impl Tag {
    /// As the variable's value.
    pub(crate) fn as_os_str(&self) -> &OsStr {
        OsStr::new(&self.0)
    }

    /// The tag in an environment as /proc shows it.
    #[cfg(target_os = "linux")]
    pub(crate) fn in_environment(environment: &[u8]) -> Option<Self> {
        let mut variables = environment.split(|byte| *byte == 0);
        let value = variables.find_map(|variable| {
            variable
                .strip_prefix(TAG_VARIABLE.as_bytes())?
                .strip_prefix(b"=")
        })?;
        String::from_utf8(value.to_vec()).ok().map(Self)
    }
}

/// Makes tags: unlike each other, and unlike those of any other node.
#[derive(Debug)]
pub(crate) struct Tags {
    node: String,
    given: AtomicU32,
}

impl Tags {
    pub(crate) fn new() -> Self {
        // The hasher is keyed at random.
        let node = RandomState::new().hash_one(std::process::id());
        Self {
            node: format!("{node:016x}-"),
            given: AtomicU32::new(0),
        }
    }

    pub(crate) fn next(&self) -> Tag {
        let number = self.given.fetch_add(1, Ordering::Relaxed);
        Tag(format!("{}{number:08x}", self.node))
    }

    /// What this node's tags begin with.
    #[cfg(target_os = "linux")]
    pub(crate) fn of_node(&self) -> Family {
        Family(self.node.clone())
    }
}

/// All tags of one node.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct Family(String);

#[cfg(target_os = "linux")]
impl Family {
    pub(crate) fn has(&self, tag: &Tag) -> bool {
        tag.0.starts_with(&self.0)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_an_environment_and_known_by_its_node() {
        let (tags, others) = (Tags::new(), Tags::new());
        let tag = tags.next();
        assert_ne!(tag, tags.next());
        let text = tag.as_os_str().to_str().unwrap();
        let environment = format!("MY_SYNAPSE_TAG=x\0PATH=/bin\0SYNAPSE_TAG={text}\0HOME=/\0");
        assert_eq!(
            Tag::in_environment(environment.as_bytes()),
            Some(tag.clone())
        );
        assert_eq!(Tag::in_environment(b"PATH=/bin\0"), None);
        assert!(tags.of_node().has(&tag));
        assert!(!tags.of_node().has(&others.next()));
        assert_eq!(text.len(), others.next().0.len());
    }
}
