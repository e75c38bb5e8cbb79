//! What the faces speak: requests, events, status, faults, and the Unix-socket client. Knows no other crate of ours.
