//! The protocol, sans-I/O: bytes to frames to session state. Forbids processes, actors and tokio.
