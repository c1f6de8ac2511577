"""A machine a transport can reach, and the slots that jobs run on."""

from __future__ import annotations

import re
from typing import Any

import attrs


def words_of(build: str) -> frozenset[str]:
    """The words in the name of an environment or an image: ``here/cosmos-nightly:1`` has the word ``nightly``."""
    return frozenset(re.findall(r"[a-z0-9]+", build.lower()))


@attrs.frozen(kw_only=True)
class Slot:
    """A set of a host's GPUs that runs one job at a time. Without GPUs it is a place for CPU work."""

    host: str
    index: int
    gpus: tuple[int, ...] = ()
    gpu: str = ""
    """Kind of GPU, such as ``h200``; empty when there is none."""
    build: str = ""
    """Which environment jobs run in, or the name of their image; see :attr:`Host.built`."""

    @property
    def name(self) -> str:
        """``host/index``, as shown to people."""
        return f"{self.host}/{self.index}"


@attrs.frozen(kw_only=True)
class Host:
    """A machine as ``cosmos.toml`` describes it under ``[hosts.<name>]``."""

    name: str
    transport: str = "local"
    address: str = ""
    """Where it is, in the transport's own words, such as ``user@host:22``; empty for this machine."""
    root: str = ""
    """Folder on the host that we may use; empty for the transport's own choice."""
    slots: int = 1
    gpus: int = 0
    gpu: str = ""
    build: str = ""
    """Which environment its jobs run in, such as ``nightly``; empty for what :attr:`built` tells."""
    stagger: float = 0.0
    """Seconds between two starts, where it has GPUs."""
    options: Any = attrs.field(factory=dict)
    """The transport's own options: a table in ``cosmos.toml``, and an instance of its options class once validated."""

    @property
    def built(self) -> str:
        """Which environment its jobs run in: what is said of it, else the name of the image of its containers."""
        options = self.options
        image = options.get("image", "") if isinstance(options, dict) else getattr(options, "image", "")
        return self.build or str(image)

    @property
    def words(self) -> frozenset[str]:
        """The words of :attr:`built`, in small letters."""
        return words_of(self.built)

    def each_slot(self) -> tuple[Slot, ...]:
        """The host's slots, its GPUs dealt out evenly; CPU slots where it has none."""
        share = self.gpus // self.slots if self.slots else 0
        return tuple(
            Slot(
                host=self.name,
                index=index,
                gpus=tuple(range(index * share, (index + 1) * share)),
                gpu=self.gpu if share else "",
                build=self.built if share else "",
            )
            for index in range(self.slots)
        )


LOCAL = Host(name="local", transport="local")
"""The machine we run on, there without being asked for."""
