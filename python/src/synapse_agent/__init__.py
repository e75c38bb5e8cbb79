"""Synapse's Python side: what runs inside an agent's process, and what authors may import.

Importing this package costs nothing that an agent does not use: neither asyncio nor pydantic-ai
comes with it.
"""

from __future__ import annotations

from .context import Context

__all__ = ["Context", "__version__"]

__version__ = "0.1.0"
