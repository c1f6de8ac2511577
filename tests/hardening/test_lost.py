"""A worker dies with an output at home, and more is lost before the next one comes: the run ends, or waits for a reason."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cosmos_core.run import State
from cosmos_core.work import Worker

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kill -9 is POSIX's")

KILLED = Path(__file__).parents[1] / "dispatch" / "worker.py"


@pytest.fixture
def returned(cosmos, street):
    """A run whose worker was killed right after its output came home."""
    run = cosmos.submit("a street", backend="double", clip="street")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    died = subprocess.run(
        [sys.executable, str(KILLED), str(cosmos.workspace.root), "moved:returned"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert -signal.SIGKILL == died.returncode, died
    assert State.RETURNED == cosmos.store.run(run.id).state
    return run


def test_an_output_that_vanished_with_its_job_is_rejected(cosmos, returned, work):
    """
    Nothing is left to verify, here or on the host: the run is rejected for that, and may be tried again.
    """
    shutil.rmtree(cosmos.workspace.host("local"))
    shutil.rmtree(cosmos.workspace.state / "returned", ignore_errors=True)
    work()
    run = cosmos.store.run(returned.id)

    assert State.REJECTED == run.state
    assert "is not there" in run.reason
    assert () == cosmos.store.leases()
    cosmos.retry(run.id)
    work()
    assert State.SEALED == cosmos.store.run(run.id).state


def test_an_output_whose_clip_is_gone_waits_for_it(cosmos, street, returned, wait_for, caplog):
    """
    It cannot be compared with its input, so it is neither sealed nor rejected, until the clip is back.
    """
    away = street.folder.with_name("away")
    street.folder.rename(away)
    worker = Worker(cosmos.site)
    thread = threading.Thread(target=worker.work, kwargs={"until_idle": True})
    thread.start()
    wait_for(lambda: "stays unverified" in caplog.text)
    assert State.RETURNED == cosmos.store.run(returned.id).state
    away.rename(street.folder)
    thread.join(timeout=60)

    assert not thread.is_alive()
    run = cosmos.store.run(returned.id)
    assert (State.SEALED, 1) == (run.state, run.attempt)


def test_a_worker_without_a_slot_says_so(cosmos, say):
    """
    It does not claim that nothing is left to do.
    """
    cosmos.workspace.settings.write_text("[hosts.local]\nslots = 0\n")
    told = say("work", "--until-idle", "--json")

    assert 2 == told.code
    assert "there is no slot to serve" in told.out


def test_two_programs_may_make_the_same_clip_at_once(cosmos, plugin):
    """
    Neither breaks the other's; one folder is there in the end, and nothing beside it.
    """
    from concurrent.futures import ThreadPoolExecutor

    from cosmos_core import plugins as layer

    plugin("makes", MAKER)
    object.__setattr__(cosmos, "plugins", layer.load())
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(lambda _: cosmos.generate("makes", name="same"), range(2))

    assert one.digest == other.digest
    assert ["same"] == [path.name for path in cosmos.workspace.clips.iterdir()]


def test_a_generator_that_raises_is_named_and_leaves_nothing(cosmos, plugin, say):
    """
    Exit code 5, its package, no half clip; not a bug of ours.
    """
    plugin("makes", MAKER.replace("make_clip(folder, frames=4)", "raise KeyError('sour')"))
    told = say("generate", "makes", "--json")

    assert 5 == told.code, told
    assert "generator makes of cosmos-core-makes 1.0 failed" in told.facts["error"]["message"]
    assert [] == list(cosmos.workspace.clips.iterdir())


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/b", "..", ".hidden", "nul\0"])
def test_a_clip_cannot_be_made_outside_of_clips(cosmos, plugin, name):
    """
    A name is a name.
    """
    from cosmos_core import plugins as layer
    from cosmos_core.errors import InputError

    plugin("makes", MAKER)
    object.__setattr__(cosmos, "plugins", layer.load())
    with pytest.raises(InputError, match="cannot be the name"):
        cosmos.generate("makes", name=name)


MAKER = """
from cosmos_core import hookimpl
from cosmos_core.extend import Generator

def make(options, folder, report):
    from cosmos_core.testing.media import make_clip
    make_clip(folder, frames=4)
    return {}

@hookimpl
def cosmos_generators():
    yield Generator(name="makes", summary="Makes a clip.", generate=make)
"""
