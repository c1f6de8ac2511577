"""A workspace whose backend is the double, and workers as real processes that can be killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cosmos_core.run import new_id
from cosmos_core.spec import Prompt, Spec
from cosmos_core.store import NewRun
from cosmos_core.testing import double

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cosmos_core import Cosmos
    from cosmos_core.run import Run

WORKER = Path(__file__).with_name("worker.py")


@pytest.fixture
def cosmos(cosmos: Cosmos) -> Cosmos:
    """The workspace, with the double on offer."""
    cosmos.plugins.register("double", double)
    return cosmos


@pytest.fixture
def submit(cosmos: Cosmos) -> Callable[..., tuple[Run, ...]]:
    """``submit("a street", "a crash")``: runs of the double, small and quick, accepted together."""

    def _submit(*prompts: str, frames: int = 6) -> tuple[Run, ...]:
        specs = [
            Spec(backend="double", prompt=Prompt(text), frames=frames, fps=24, width=64, height=48, seed=seed)
            for seed, text in enumerate(prompts)
        ]
        return cosmos.store.accept(
            [NewRun(id=new_id("r"), name="test", spec=spec, load_key="double", seconds=1.0) for spec in specs]
        )

    return _submit


@pytest.fixture
def worker(cosmos: Cosmos) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``worker("put:after")``: a worker process that kills itself there; without a word, one that does not."""
    started: list[subprocess.Popen[str]] = []

    def _start(kill_at: str = "") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(WORKER), str(cosmos.workspace.root), kill_at],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield _start
    for process in started:
        process.kill()
        process.communicate()
