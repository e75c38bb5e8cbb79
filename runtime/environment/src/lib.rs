//! The Python environment of agents: interpreter, lock, build, embedded SDK. Keeps its building out of everything else.
