//! The shells: supervisors, agents, registry, mailboxes, sessions as actors and tasks. Forbids TOML and network faces.
