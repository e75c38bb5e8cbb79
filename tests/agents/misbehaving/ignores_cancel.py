"""Goes on for the prompt's number of seconds whatever the caller wants.

To be seen: the caller of a cancelled run is answered at once; the slot stays taken; past
`cancel_grace` the incarnation is killed as `unresponsive`.
"""

from __future__ import annotations

import time


def answer(prompt: str) -> str:
    """Sleep through every cancel."""
    time.sleep(float(prompt))
    return prompt
