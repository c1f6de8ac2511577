"""What stands in for a judge in tests: ``from cosmos_core_reason.testing import Scripted``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self


class Scripted:
    """A scripted endpoint (:mod:`cosmos_core_reason.testing.endpoint`) in a process of its own. Used as a context."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.port = 0
        self._process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self.state.mkdir(parents=True, exist_ok=True)
        words = [sys.executable, str(Path(__file__).with_name("endpoint.py")), "0", str(self.state)]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def script(self, **turns: Any) -> None:
        """What it answers from now on, by what is asked; a text or a table stands for a list of one."""
        listed = {name: each if isinstance(each, list) else [each] for name, each in turns.items()}
        (self.state / "script.json").write_text(json.dumps(listed), "utf-8")

    def set(self, **files: str) -> None:
        """Write what it reads at each request: ``models`` as JSON, ``key``, ``style``."""
        for name, content in files.items():
            (self.state / ("models.json" if name == "models" else name)).write_text(content, "utf-8")

    def asked(self) -> list[dict[str, Any]]:
        """What it was asked, one request after the other."""
        return [json.loads(line) for line in self.lines("asked")]

    def lines(self, name: str) -> list[str]:
        """The lines of a note: ``asked``, ``wrong``, ``listed``, ``authorized``."""
        path = self.state / name
        return path.read_text("utf-8").splitlines() if path.is_file() else []
