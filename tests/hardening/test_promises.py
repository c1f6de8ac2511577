"""What was promised to whoever hands work over: an id that was printed is kept, and a token is one request."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from cosmos_core.run import State
from cosmos_core.store import Query
from cosmos_core.submission import Ask, write
from cosmos_core.work import accept_inbox

POSIX = pytest.mark.skipif(os.name == "nt", reason="kill -9 is POSIX's")

SUBMITTER = """
import sys
from cosmos_core import Cosmos
with Cosmos() as cosmos:
    for number in range(10_000):
        run = cosmos.submit(f"a street {number}", backend="double", clip="street")
        print(run.id, flush=True)
"""


@POSIX
@pytest.mark.parametrize("kept", [1, 40])
def test_an_id_that_was_said_is_on_disk(cosmos, street, begin, kept):
    """
    kill -9 in the midst of submitting: every id that came out of the process is a queued run, whole.
    """
    process = begin(code=SUBMITTER)
    said = [process.stdout.readline().strip() for _ in range(kept)]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.read().split()[:-1]
    process.wait()

    assert kept <= len(said)
    assert {State.QUEUED} == {cosmos.store.run(run_id).state for run_id in said}


@POSIX
def test_an_id_in_the_answer_of_submit_is_on_disk(cosmos, street, begin):
    """
    The same for the command: killed as soon as its answer begins, three times.
    """
    words = ("submit", "a street", "--backend", "double", "--clip", "street", "--json", "--name", "killed")
    processes = [begin(*words) for _ in range(3)]
    for process in processes:
        assert process.stdout.read(1)
        process.kill()
        process.wait()

    assert 3 == sum(run.name == "killed" for run in cosmos.store.page(Query()).runs)


def test_two_programs_with_one_token_make_one_run(cosmos, street, program):
    """
    At the same moment, twice the same order: both get the same id, and one run is queued.
    """
    words = ("submit", "a street", "--backend", "double", "--clip", "street", "--token", "order-17", "--json")
    with ThreadPoolExecutor(3) as threads:
        told = list(threads.map(lambda _: program(*words), range(3)))

    assert {0} == {each.code for each in told}
    assert 1 == len({each.facts["runs"][0]["id"] for each in told})
    assert 1 == cosmos.store.counts()[State.QUEUED]


def test_a_submission_is_one_request_whoever_reads_it(cosmos, street, say):
    """
    Two workers and the command read one folder: one run.
    """
    folder = write([Ask(prompt="a street", backend="double", clip="street")], into=cosmos.workspace.inbox)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: accept_inbox(cosmos.site), range(2)))
    told = say("submit", folder, "--json")

    assert 0 == told.code
    assert 1 == cosmos.store.counts()[State.QUEUED]


def test_every_command_that_takes_a_run_says_unknown(cosmos, say):
    """
    None of them, also none that is added later, takes an id that nobody knows for one that is done.
    """
    import click

    from cosmos_core.cli.root import root

    context = click.Context(root)
    more = {"rate": ["5"], "tag": ["+a"], "rm": ["--yes"]}
    asked = []
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        metavars = [
            param.make_metavar(context) for param in command.params if isinstance(param, click.Argument)
        ]
        if any("RUN" in metavar for metavar in metavars):
            asked.append(name)
            told = say(name, "r0000000", *more.get(name, ()), "--json")
            assert 3 == told.code, name
            assert "unknown" == told.facts["error"]["kind"]

    assert {"cancel", "logs", "rate", "retry", "rm", "show", "tag"} <= set(asked)
