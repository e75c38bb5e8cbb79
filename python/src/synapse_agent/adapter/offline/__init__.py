"""The offline model: without key or network, so that everything runs on a fresh machine."""

from __future__ import annotations

from .model import OfflineModel

__all__ = ["OfflineModel"]
