"""A workspace with the double installed, for this process and for programs; commands typed and programs begun."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from cosmos_core.run import new_id
from cosmos_core.spec import Prompt, Spec
from cosmos_core.store import NewRun
from cosmos_core.testing.media import make_clip


@pytest.fixture
def plugin(distribution):
    """``plugin("bad", source)``: install a distribution of one module, for children too."""

    def install(name, source="", *, module=""):
        made = f"hardening_{name}"
        distribution(f"cosmos-core-{name}", {name: module or made}, {f"{made}.py": source} if source else {})

    return install


@pytest.fixture
def cosmos(plugin, cosmos):
    """The workspace, with the double on offer here and in programs."""
    plugin("double", module="cosmos_core.testing.double")
    return cosmos


@pytest.fixture
def street(cosmos):
    """A small sealed clip that the workspace knows by the name ``street``."""
    return cosmos.clip(make_clip(cosmos.workspace.clips / "street", frames=4))


@pytest.fixture
def specs():
    """``specs("a street", frames=6)``: requests to the double, small and quick."""

    def make(*prompts, frames=6):
        return [
            Spec(backend="double", prompt=Prompt(text), frames=frames, fps=24, width=64, height=48, seed=seed)
            for seed, text in enumerate(prompts)
        ]

    return make


@pytest.fixture
def submit(cosmos, specs):
    """``submit("a street", "a crash")``: runs of the double, accepted together."""

    def submitted(*prompts, frames=6, **more):
        new = [
            NewRun(id=new_id("r"), spec=spec, load_key="double", seconds=1.0, **({"name": "test"} | more))
            for spec in specs(*prompts, frames=frames)
        ]
        return cosmos.store.accept(new)

    return submitted


@pytest.fixture
def work(cosmos):
    """``work()``: what `cosmos work --until-idle` does, in this process."""
    from cosmos_core.work import Worker

    def worked(**more):
        Worker(cosmos.site).work(until_idle=True, **more)

    return worked


@pytest.fixture
def queue(cosmos):
    """``queue(batch=1)``: other settings of the queue, for this process."""

    def changed(**values):
        settings = attrs.evolve(cosmos.settings, queue=attrs.evolve(cosmos.settings.queue, **values))
        object.__setattr__(cosmos, "settings", settings)

    return changed


@pytest.fixture
def published(cosmos):
    """``published()``: every video under ``outputs/``, also those that nobody knows of."""
    return lambda: sorted(Path(cosmos.workspace.outputs).rglob("*.mp4"))
