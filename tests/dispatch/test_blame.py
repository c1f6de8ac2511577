"""Whose it is that an attempt did not succeed: the run's, the host's, the GPU's memory's, or another run's."""

from __future__ import annotations

import json
import sys
import time

import attrs
import pytest
from click.testing import CliRunner

from cosmos_core.cli.root import root
from cosmos_core.hosts import Host
from cosmos_core.run import Blame, Needs, State, new_id
from cosmos_core.spec import Prompt, Spec
from cosmos_core.store import NewRun
from cosmos_core.testing import double
from cosmos_core.work import Worker


@pytest.fixture
def hosts(cosmos, monkeypatch):
    """``hosts(Host(...), ...)``: other hosts, in this process, whose slots rest a tenth of a second at first."""

    def changed(*given):
        monkeypatch.setattr(type(cosmos.settings), "each_host", lambda _: given)
        queue = attrs.evolve(cosmos.settings.queue, rest=0.1, poll=0.1)
        object.__setattr__(cosmos, "settings", attrs.evolve(cosmos.settings, queue=queue))

    return changed


@pytest.fixture
def dead(monkeypatch):
    """``dead("small/0")``: jobs on these slots end before they begin anything, as without a GPU."""
    compiled = double._compile
    program = "import sys; sys.exit('RuntimeError: CUDA error: no CUDA-capable device is detected')"

    def kill(*names):
        def compile_there(batch, slot):
            job = compiled(batch, slot)
            return attrs.evolve(job, argv=(sys.executable, "-c", program)) if slot.name in names else job

        monkeypatch.setattr(double, "_compile", compile_there)

    return kill


def accept(cosmos, *prompts, needs=None):
    specs = [
        Spec(backend="double", prompt=Prompt(text), frames=4, fps=24, width=64, height=48, seed=seed)
        for seed, text in enumerate(prompts)
    ]
    return cosmos.store.accept(
        [
            NewRun(
                id=new_id("r"),
                name="test",
                spec=spec,
                load_key="double",
                seconds=1.0,
                needs=needs or Needs(),
            )
            for spec in specs
        ]
    )


def work(cosmos):
    Worker(cosmos.site).work(until_idle=True)


def ends(cosmos, runs):
    return [cosmos.store.run(run.id).state for run in runs]


def test_what_was_never_begun_loses_no_attempt(cosmos, submit):
    """
    Five samples kill their batch's process one after the other; those behind them are sealed all the same, though they
    have one attempt.
    """
    queue = attrs.evolve(cosmos.settings.queue, attempts=1)
    object.__setattr__(cosmos, "settings", attrs.evolve(cosmos.settings, queue=queue))
    runs = submit(*(f"crash {number}" for number in range(5)), "a street", "a square")
    work(cosmos)

    assert [State.FAILED] * 5 + [State.SEALED] * 2 == ends(cosmos, runs)
    tries = cosmos.store.attempts(runs[-1].id)
    assert len(tries) > 1
    assert {Blame.BATCH} == {each.blame for each in tries[:-1]}


def test_a_dead_slot_rests_and_costs_no_run(cosmos, hosts, dead, caplog):
    """
    One of two slots ends every job at once: all runs are sealed by the other, and the dead one says why it rests.
    """
    hosts(Host(name="local", slots=2))
    dead("local/1")
    runs = accept(cosmos, *(f"a street {number}" for number in range(14)))
    work(cosmos)

    assert [State.SEALED] * 14 == ends(cosmos, runs)
    (trouble,) = cosmos.store.troubles()
    assert (1, True) == (trouble.slot, trouble.count >= 2)
    tries = [each for run in runs for each in cosmos.store.attempts(run.id)]
    assert {Blame.HOST} == {each.blame for each in tries if each.slot == 1}
    assert any(
        "slot local/1 rests for" in said and "no CUDA-capable device" in said for said in caplog.messages
    )


def test_status_and_plan_say_which_slot_rests(cosmos, hosts, dead):
    """
    People and programs see how long, how often and why.
    """
    hosts(Host(name="local"))
    dead("local/0")
    accept(cosmos, "a street")
    work(cosmos)
    object.__setattr__(
        cosmos, "settings", attrs.evolve(cosmos.settings, queue=attrs.evolve(cosmos.settings.queue, rest=600))
    )
    (cosmos.workspace.root / "cosmos.toml").write_text("[queue]\nrest = 600\n")
    accept(cosmos, "a square")
    said = {
        verb: CliRunner().invoke(root, ["-C", str(cosmos.workspace.root), verb]).output
        for verb in ("status", "plan")
    }
    told = json.loads(CliRunner().invoke(root, ["-C", str(cosmos.workspace.root), "status", "--json"]).output)

    for text in said.values():
        assert "slot local/0 rests for" in text
        assert "3 batches in a row failed there" in text
    (rest,) = told["resting"]
    assert ("local/0", 3) == (rest["slot"], rest["failed"])
    assert 1100 < rest["seconds"] <= 1200


def test_where_every_slot_is_dead_a_run_fails_after_its_tries(cosmos, hosts, dead):
    """
    It does not wait for ever; what was tried is on record.
    """
    hosts(Host(name="local"))
    dead("local/0")
    (run,) = accept(cosmos, "a street")
    work(cosmos)
    after = cosmos.store.run(run.id)

    assert (State.FAILED, 3) == (after.state, after.attempt)
    assert [Blame.HOST] * 3 == [each.blame for each in cosmos.store.attempts(run.id)]


def test_a_slot_in_trouble_is_tried_with_one_run_at_a_time(cosmos, hosts, dead):
    """
    A dead slot that is alone takes its first batch whole, then single runs, and of each the one that failed least.
    """
    hosts(Host(name="local"))
    dead("local/0")
    runs = accept(cosmos, *(f"a street {number}" for number in range(6)))
    worker = Worker(cosmos.site)
    (seat,) = worker._seats
    sizes = []
    for _ in range(5):
        while (lease := worker._next(seat)) is None:
            time.sleep(0.02)
        sizes.append(len(lease.batch.requests))
        seat.carry(lease, worker._stop)

    assert sizes[0] > 1
    assert [1] * 4 == sizes[1:]
    assert 2 >= max(len(cosmos.store.attempts(run.id)) for run in runs)


def test_a_run_that_began_and_lost_its_gpu_is_tried_elsewhere(cosmos, submit):
    """
    CUDA's own words say that the host is to blame; the run gets its tries, and no more.
    """
    (run,) = submit("broken-gpu")
    object.__setattr__(
        cosmos, "settings", attrs.evolve(cosmos.settings, queue=attrs.evolve(cosmos.settings.queue, rest=0.1))
    )
    work(cosmos)
    after = cosmos.store.run(run.id)

    assert (State.FAILED, 3) == (after.state, after.attempt)
    assert "no CUDA-capable device" in after.reason


GPUS = (
    Host(name="small", slots=1, gpus=1, gpu="h100"),
    Host(name="like", slots=1, gpus=1, gpu="NVIDIA H100-PCIe"),
    Host(name="large", slots=1, gpus=1, gpu="h200"),
)


def test_out_of_memory_moves_a_run_to_a_larger_gpu(cosmos, hosts):
    """
    It goes to none of the same size, those beside it stay where they are, and the plan and its attempts say why.
    """
    hosts(*GPUS[:2])
    small, hungry = accept(cosmos, "a street", "a hungry city", needs=Needs(gpus=1))
    hosts(*GPUS)
    seats = {seat.slot.host: seat for seat in Worker(cosmos.site)._seats}
    lease = cosmos.store.claim(
        owner=seats["small"].site.owner,
        load_key="double",
        host=seats["small"].place,
        slot=0,
        limit=2,
        gpu="h100",
    )
    seats["small"].carry(lease, Worker(cosmos.site)._stop)
    waiting = cosmos.store.run(hungry.id)
    (batch,) = cosmos.plan().batches
    work(cosmos)

    assert State.QUEUED is waiting.state
    assert "it ran out of memory on h100 and goes to h200" in waiting.reason
    assert ("large", (hungry.id,)) == (batch.slot.host, batch.runs)
    assert "fits only 1 of 3 slots (it ran out of memory on h100)" in batch.reason
    assert [State.SEALED] * 2 == ends(cosmos, (small, hungry))
    first, last = cosmos.store.attempts(hungry.id)
    assert (Blame.MEMORY, "small", "large") == (
        first.blame,
        *(each.host.partition("@")[0] for each in (first, last)),
    )


def test_out_of_memory_on_the_largest_fails_with_that_sentence(cosmos, hosts):
    """
    Nothing is tried again in vain.
    """
    hosts(*GPUS[:2])
    (run,) = accept(cosmos, "a hungry city", needs=Needs(gpus=1))
    work(cosmos)
    after = cosmos.store.run(run.id)

    assert (State.FAILED, 1) == (after.state, after.attempt)
    assert "ran out of memory on" in after.reason
    assert "no slot here has a GPU with more" in after.reason


def test_a_person_who_tries_again_may_try_everywhere(cosmos, hosts):
    """
    Somebody else's job may have filled the GPU: `cosmos retry` forgets what ran out of memory.
    """
    hosts(*GPUS[:1])
    (run,) = accept(cosmos, "a hungry city", needs=Needs(gpus=1))
    work(cosmos)
    cosmos.retry(run.id)

    assert () == cosmos.store.needs(run.id).unfit
