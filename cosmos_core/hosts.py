"""A machine a transport can reach, and the slots that jobs run on."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Slot:
    """A set of a host's GPUs that runs one job at a time. Without GPUs it is a place for CPU work."""

    host: str
    index: int
    gpus: tuple[int, ...] = ()
    gpu: str = ""
    """Kind of GPU, such as ``h200``; empty when there is none."""

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
    stagger: float = 0.0
    """Seconds between two starts, where it has GPUs."""
    options: Any = attrs.field(factory=dict)
    """The transport's own options: a table in ``cosmos.toml``, and an instance of its options class once validated."""

    def each_slot(self) -> tuple[Slot, ...]:
        """The host's slots, its GPUs dealt out evenly; CPU slots where it has none."""
        share = self.gpus // self.slots if self.slots else 0
        return tuple(
            Slot(
                host=self.name,
                index=index,
                gpus=tuple(range(index * share, (index + 1) * share)),
                gpu=self.gpu if share else "",
            )
            for index in range(self.slots)
        )


LOCAL = Host(name="local", transport="local")
"""The machine we run on, there without being asked for."""
