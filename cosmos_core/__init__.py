"""Turns a scene into verified training video.

    from cosmos_core import Cosmos

Everything else plugin authors need is in :mod:`cosmos_core.extend`; ``hookimpl`` marks implementations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cosmos_core.api import Cosmos
    from cosmos_core.hookspecs import hookimpl

__version__ = "0.1.0"
__all__ = ["Cosmos", "__version__", "hookimpl"]


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that a plugin or `cosmos --help` does not pay for the store.
    if name == "Cosmos":
        from cosmos_core.api import Cosmos

        return Cosmos
    if name == "hookimpl":
        from cosmos_core.hookspecs import hookimpl

        return hookimpl
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
