"""The offline model: deterministic, without key or network, so that everything runs on a fresh machine."""

from __future__ import annotations

from synapse_agent.adapter.offline.model import OfflineModel

__all__ = ["OfflineModel"]
