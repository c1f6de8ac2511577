"""Clips: sealed folders with the colour video and the controls of one scene variation.

All videos of a clip are equal in frames, size and rate, each was decoded to its last frame, and ``clip.json`` names
each with its SHA-256. :func:`seal` makes a clip of a folder, :func:`inspect` says what stands against it, and
:meth:`Clip.load` opens one quickly.
"""

from __future__ import annotations

from cosmos_core.clip.passes import MODALITIES, Source, modality_of
from cosmos_core.clip.sealed import MANIFEST, Clip, ClipFile
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
