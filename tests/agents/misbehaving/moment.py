"""When an agent that cannot start misbehaves: always, or in one incarnation only.

A child whose first start fails ends the whole tree, as in OTP; to see what a failing restart does,
ONLY_IN names the incarnation that fails.
"""

from __future__ import annotations

import os

INCARNATION = os.environ.get("SYNAPSE_INCARNATION", "1")
DUE = os.environ.get("ONLY_IN", INCARNATION) == INCARNATION
