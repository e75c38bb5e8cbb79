"""Writes to stdout in every way there is: print, the descriptor, a subprocess; also while imported.

To be seen: all of it is in the agent's log, none of it in a frame; the answer is right.
"""

from __future__ import annotations

import os
import subprocess
import sys

print("printed while importing")  # noqa: T201


def answer(prompt: str) -> str:
    """Print, then answer."""
    print("printed by print")  # noqa: T201
    sys.stdout.write("printed by write\n")
    os.write(1, b"printed to descriptor 1\n")
    subprocess.run(["echo", "printed by a subprocess"], check=True)
    return prompt
