"""Clips: sealed folders with the colour video and the controls of one scene variation.

All videos of a clip are equal in frames, size and rate, each was decoded to its last frame, and ``clip.json`` names
each with its SHA-256. :func:`seal` makes a clip of a folder, :func:`inspect` says what stands against it, and
:meth:`Clip.load` opens one quickly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core.clip.sealed import MANIFEST, Clip, ClipFile

if TYPE_CHECKING:
    from cosmos_core.clip.passes import MODALITIES, Source, modality_of
    from cosmos_core.clip.sealing import DERIVABLE, Draft, inspect, seal

__all__ = [
    "DERIVABLE",
    "MANIFEST",
    "MODALITIES",
    "Clip",
    "ClipFile",
    "Draft",
    "Source",
    "inspect",
    "modality_of",
    "seal",
]


def __getattr__(name: str) -> object:
    # Sealing is loaded on first use: opening a sealed clip, or naming its class, does not pay for it.
    if name in __all__:
        from cosmos_core.clip import passes, sealing

        return getattr(sealing, name, None) or getattr(passes, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
