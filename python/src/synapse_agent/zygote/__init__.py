"""The zygote: a warm, single-threaded process that forks agents' processes for the runtime.

It holds nothing of the user's: an agent's folder, environment, configuration and code come after
the fork. Linux only; elsewhere, and where a zygote fails, an agent starts by a fresh interpreter,
which runs the same worker. What passes between the two stands in `runtime/process/src/zygote.rs`.
"""
