"""Sealed artifacts as a LeRobot dataset, format version 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from cosmos_core import hookimpl
from cosmos_core.extend import Exporter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cosmos_core.extend import Exported, Report


@attrs.frozen(kw_only=True)
class LeRobotOptions:
    """What goes into the dataset."""

    only_output: bool = attrs.field(
        default=False, metadata={"help": "leave out the passes of the clips: color, depth, seg and edge"}
    )
    stats: bool = attrs.field(
        default=True,
        metadata={
            "help": "statistics of what is seen, which training asks for; every video is decoded for them"
        },
    )
    robot_type: str = attrs.field(default="", metadata={"help": "the robot's name, where there is one"})


@hookimpl
def cosmos_exporters() -> Iterable[Exporter]:
    """Offer the format."""
    yield Exporter(
        name="lerobot",
        summary="LeRobotDataset v3: an episode a video, the prompt as its task, bytes untouched.",
        options=LeRobotOptions,
        export=_export,
    )


def _export(items: Iterator[Exported], folder: Path, options: LeRobotOptions | None, report: Report) -> None:
    from cosmos_core_lerobot.export import export  # pyarrow is slow to import

    export(items, folder, options or LeRobotOptions(), report)
