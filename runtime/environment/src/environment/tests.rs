//! Real interpreters, real uv and real pip, installing from a folder of small wheels.

mod failing;
mod finding;
mod keeping;
mod own_venv;
mod site;
