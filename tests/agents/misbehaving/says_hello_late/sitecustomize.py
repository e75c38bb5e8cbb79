"""Says hello late: the interpreter sleeps SYNAPSE_TEST_LATE_S seconds (2 by default) as it starts.

Use any entry with `env = { PYTHONPATH = "<this folder>" }`; Python imports a module of this name by
itself. To be seen: `starting` meanwhile; then all is well, and calls made meanwhile are answered.
"""

from __future__ import annotations

import os
import time

time.sleep(float(os.environ.get("SYNAPSE_TEST_LATE_S", "2")))
