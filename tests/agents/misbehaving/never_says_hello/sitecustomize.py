"""Never says hello: the interpreter hangs while it starts, before the worker's first line.

Use any entry with `env = { PYTHONPATH = "<this folder>" }`; Python imports a module of this name by
itself. To be seen: `starting` until the handshake's time-out, an exit reason that says so, and no
process left.
"""

from __future__ import annotations

import os
import threading

INCARNATION = os.environ.get("SYNAPSE_INCARNATION", "1")
if os.environ.get("ONLY_IN", INCARNATION) == INCARNATION:
    threading.Event().wait()
