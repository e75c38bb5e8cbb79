"""Says hello, and then nothing: its import never ends.

To be seen: `starting` until the start's time-out, then the process is killed; with a short shutdown
it also stops while it is still starting; siblings are ready meanwhile.
"""

from __future__ import annotations

import threading

from moment import DUE

if DUE:
    threading.Event().wait()


def answer(prompt: str) -> str:
    """Answer, in an incarnation that is not to misbehave."""
    return prompt
