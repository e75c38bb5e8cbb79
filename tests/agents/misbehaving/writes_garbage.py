"""Writes bytes that are no frame into the protocol's pipe when it is called.

The length is honest, the body is not MessagePack's array. To be seen: the call answers
`agent_crashed` with the violation `malformed`; the incarnation is killed for `protocol_violation`
and restarted; siblings notice nothing. `hold` does so when it is released: calls that were written
ahead are answered `agent_crashed` too, since the process may have begun with them, unheard.
"""

from __future__ import annotations

import os

from synapse_agent.stdio import claimed


def answer(prompt: str) -> str:
    """Break the protocol."""
    body = b"this is no frame"
    os.write(claimed().write, len(body).to_bytes(4, "big") + body)
    return prompt


def hold(prompt: str) -> str:
    """Break it when released."""
    from plain import hold_blocking  # is not beside this file

    hold_blocking(prompt)
    return answer(prompt)
