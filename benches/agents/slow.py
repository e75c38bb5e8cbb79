"""An agent whose start costs 200 ms of processor time, interpreter included."""

from __future__ import annotations

import time

START_S = 0.2

while time.process_time() < START_S:
    pass


def echo(prompt: str) -> str:
    return prompt
