//! The REPL: an api client like any other. Forbids knowing the node.
