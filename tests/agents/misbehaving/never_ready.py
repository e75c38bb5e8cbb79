"""Says hello, and then nothing: its import never ends.

To be seen: `starting` until the start's time-out, then the process is killed; with a short shutdown
it also stops while it is still starting; siblings are ready meanwhile.
"""

from __future__ import annotations

import threading

threading.Event().wait()


def answer(prompt: str) -> str:
    """Never reached."""
    return prompt
