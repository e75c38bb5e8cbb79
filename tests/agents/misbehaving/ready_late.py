"""Says ready late: its import takes as long as SYNAPSE_TEST_LATE_S says (2 seconds by default).

To be seen: `starting` meanwhile; a call that was made meanwhile waits and is answered; siblings
that do not depend on it are ready before it.
"""

from __future__ import annotations

import os
import time

time.sleep(float(os.environ.get("SYNAPSE_TEST_LATE_S", "2")))


def answer(prompt: str) -> str:
    """Answer like any other."""
    return prompt
