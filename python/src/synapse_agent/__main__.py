"""The worker's process: `python -P -m synapse_agent`, its pipes on fds 0 and 1.

Claims the descriptors before anything can print, and serves. It refuses to know more.
"""

from __future__ import annotations

from .stdio import claim

_PIPES = claim()

import sys  # noqa: E402

from .incarnation import serve  # noqa: E402

if __name__ == "__main__":
    sys.exit(serve(_PIPES))
