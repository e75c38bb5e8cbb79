//! Operating-system processes: spawn, pipes, reaping, groups. Forbids actors and the protocol.
