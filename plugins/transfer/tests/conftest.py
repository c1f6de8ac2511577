"""A checkout of stand-ins, and requests that use it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from cosmos_core_transfer.testing import install

from cosmos_core import hookimpl
from cosmos_core.extend import Plan, PlannedBatch, Prompt, Slot, Spec
from cosmos_core.spec import controls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cosmos_core import Cosmos
    from cosmos_core.clip import Clip

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like NVIDIA's checkouts and holds the stand-ins."""
    return install(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A small sealed clip with every control, at a whole rate."""
    from cosmos_core import clip as clips
    from cosmos_core.testing import media

    folder = tmp_path_factory.mktemp("clips") / "street"
    media.make_clip(folder, frames=8, width=64, height=48)
    return clips.seal(folder)


@pytest.fixture(scope="session")
def slot() -> Slot:
    return Slot(host="gpu1", index=0, gpus=(0,), gpu="h200")


@pytest.fixture
def ask(street: Clip) -> Callable[..., Spec]:
    """``ask("transfer2.5", edge=1, guidance=5)``: a spec; what is no control is an option or a field of the spec."""

    def _ask(backend: str, clip: Clip | None = None, /, **given: Any) -> Spec:
        from cosmos_core_transfer import cosmos_backends

        from cosmos_core import canonical

        clip = clip or street
        kind = next(offer.options for offer in cosmos_backends() if offer.name == backend)
        fields = {field.name for field in attrs.fields(Spec)}
        kinds = ("edge", "vis", "depth", "seg", "keypoint", "hdmap", "lidar")
        weights = {name: given.pop(name) for name in kinds if name in given}
        own = {name: given.pop(name) for name in list(given) if name in fields}
        if isinstance(own.get("prompt"), str):
            own["prompt"] = Prompt(own["prompt"])
        return Spec(
            **{
                "backend": backend,
                "prompt": Prompt("a street in the rain"),
                "clip": clip.digest,
                "controls": controls(weights),
                "frames": clip.frames,
                "fps": clip.fps,
                "width": clip.width,
                "height": clip.height,
                "seed": 7,
                "options": canonical.plain(kind(**given)),
            }
            | own
        )

    return _ask


WORKSPACE = """\
[queue]
lease = 6.0
heartbeat = 1.0
poll = 0.05

[hosts.local]
gpus = {gpus}
gpu = "{gpu}"
slots = 1
stagger = 0.0

[plugins."transfer2.5"]
repo = "{repo}"
python = "{repo}/bin/python"

[plugins.transfer1]
repo = "{repo}"
python = "{repo}/bin/python"

[plugins.transfer1-upscale]
repo = "{repo}"
python = "{repo}/bin/python"

[plugins.pixtral]
repo = "{repo}"
python = "{repo}/bin/python"
"""


class TogetherInOrder:
    """A planner that puts whatever may share a load into one batch, as it came."""

    @hookimpl(tryfirst=True)
    def cosmos_plan(self, runs: Any, slots: Any) -> Plan:
        from cosmos_core.plan import fits

        free = [slot for slot in slots if runs and fits(runs[0], slot)]
        if not free:
            return Plan()
        first = min(runs, key=lambda run: run.seq)
        members = [run for run in runs if (run.backend, run.load_key) == (first.backend, first.load_key)]
        ids = tuple(run.id for run in sorted(members, key=lambda run: run.seq))
        return Plan(
            batches=(
                PlannedBatch(
                    slot=free[0], backend=first.backend, load_key=first.load_key, runs=ids, seconds=1.0
                ),
            )
        )


@pytest.fixture
def workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkout: Path
) -> Iterator[Callable[..., Cosmos]]:
    """``workspace()``: an open workspace whose local host has a GPU and the stand-ins, one batch for all runs."""
    from contextlib import ExitStack

    from cosmos_core import workspace as workspaces
    from cosmos_core.api import Cosmos

    monkeypatch.delenv("COSMOS_WORKSPACE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-settings-of-the-user"))
    with ExitStack() as stack:

        def _open(gpus: int = 1, gpu: str = "h200") -> Cosmos:
            text = WORKSPACE.format(gpus=gpus, gpu=gpu, repo=checkout.as_posix())
            made, _ = workspaces.create(tmp_path / "workspace", text)
            monkeypatch.chdir(made.root)
            opened = stack.enter_context(Cosmos(made.root))
            opened.plugins.register("together", TogetherInOrder())
            return opened

        yield _open


@pytest.fixture
def work() -> Callable[[Cosmos], None]:
    """Work until nothing is left to do."""
    from cosmos_core.work import Worker

    return lambda cosmos: Worker(cosmos.site).work(until_idle=True)
