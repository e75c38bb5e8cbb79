"""An agent whose import waits until there is a file `go`: starts that last as long as a test wants.

Where there is also a file `NAME.fails`, the import of the agent NAME fails instead.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

LOOK_EVERY_S = 0.005

while not Path("go").exists():
    if Path(f"{os.environ['SYNAPSE_AGENT']}.fails").exists():
        raise RuntimeError("told to fail")
    time.sleep(LOOK_EVERY_S)


def answer(prompt: str) -> str:
    """Answer with the prompt."""
    return prompt
