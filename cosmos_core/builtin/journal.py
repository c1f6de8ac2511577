"""A journal of the workspace: one line of JSON for each move and each seal, for tailing and for other programs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from cosmos_core import hookimpl

if TYPE_CHECKING:
    from pathlib import Path

    from cosmos_core.run import Artifact, Run, State


class Journal:
    """Appends to one file. A line is one ``write``, so several processes never mix theirs."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @hookimpl
    def cosmos_run_moved(self, run: Run, before: State, after: State) -> None:
        """Write ``{"moved": run id, "from": …, "to": …, "reason": …}``."""
        self._append(
            {
                "moved": run.id,
                "from": before,
                "to": after,
                "reason": run.reason,
                "at": run.changed.isoformat(),
            }
        )

    @hookimpl
    def cosmos_artifact_sealed(self, artifact: Artifact, run: Run) -> None:
        """Write ``{"sealed": run id, "sha256": …, "path": …}``."""
        self._append({"sealed": run.id, "sha256": artifact.digest, "path": artifact.path.as_posix()})

    def _append(self, line: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(fd, (json.dumps(line) + "\n").encode())
        finally:
            os.close(fd)
