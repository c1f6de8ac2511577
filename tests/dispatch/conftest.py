"""A workspace whose backend is the double, and workers as real processes that can be killed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cosmos_core.run import new_id
from cosmos_core.spec import Prompt, Spec
from cosmos_core.store import NewRun
from cosmos_core.testing import double

if TYPE_CHECKING:
    from collections.abc import Callable

    from cosmos_core import Cosmos
    from cosmos_core.run import Run


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
def worker_program() -> Path:
    """Kills itself at any verb of the store and of the local session."""
    return Path(__file__).with_name("worker.py")
