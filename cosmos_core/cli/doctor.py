"""``cosmos doctor``: is all well here?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core.cli import say
from cosmos_core.cli.asked import command as make
from cosmos_core.cli.asked import leave
from cosmos_core.errors import Level

if TYPE_CHECKING:
    from cosmos_core.cli.asked import Asked


@make(
    "doctor",
    examples="""
        cosmos doctor
        cosmos -C street-shots doctor --json
    """,
)
def command(asked: Asked) -> None:
    """Examine this machine and workspace, and say what to do.

    Python and packages, codecs, the store, disk space, plugins, hosts and slots, workers, the clock. The exit code is
    1 when something must be mended.
    """
    from cosmos_core.doctor import examine

    found = tuple(examine(asked.folder))
    counts = {level: sum(finding.level is level for finding in found) for level in Level}
    asked.answer({"findings": found, "counts": {level.value: count for level, count in counts.items()}})
    asked.tell(say.answers(found))
    asked.tell(f"\n{_summary(counts)}")
    if counts[Level.FAIL]:
        leave(1)


def _summary(counts: dict[Level, int]) -> str:
    if not counts[Level.WARN] and not counts[Level.FAIL]:
        return "all is well"
    parts = [f"{counts[level]} {say.word(level)}" for level in (Level.FAIL, Level.WARN) if counts[level]]
    return say.words(parts)
