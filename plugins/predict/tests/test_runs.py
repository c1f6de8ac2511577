"""From a request to its end, through real processes: a double that misbehaves as the program does."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import attrs
import pytest

from cosmos_core.errors import HostError
from cosmos_core.feed import Feeder
from cosmos_core.media import file_digest, survey
from cosmos_core.run import State
from cosmos_core.submission import Ask
from cosmos_core.work import Worker

SMALL = {"resolution": "64,128"}


def ask(prompt, **options):
    return Ask(prompt=prompt, backend="predict2.5", seed=options.pop("seed", 1), options={**SMALL, **options})


@pytest.mark.parametrize(
    ("prompt", "state", "said"),
    [
        ("block-prompt", State.BLOCKED, "refused the prompt: block-prompt"),
        ("block-video", State.BLOCKED, "refused the video"),
        ("block-silent", State.BLOCKED, "the exit code is 0, after the video was looked at"),
        ("crash", State.FAILED, "RuntimeError: CUDA error"),
        ("oom", State.FAILED, "more GPUs do not help"),
        ("truncated", State.REJECTED, ""),
        ("pointer", State.REJECTED, "pointer"),
        ("echo-other", State.FAILED, "used seed 2 where 1 was sent"),
    ],
)
def test_each_misbehaviour_has_its_own_ending(cosmos, work, prompt, state, said):
    """
    Blocked is not failed, failed is not missing, and nothing of it is sealed.
    """
    runs = cosmos.submit_many([ask(prompt)])
    (run,) = work(*runs)

    assert (state, None) == (run.state, run.artifact), run.reason
    assert said in run.reason


def test_a_native_pass_is_sealed_as_what_it_is(cosmos, work):
    """
    5 s are asked for; 93 frames at 16 a second come, and the record keeps the four numbers apart.
    """
    (run,) = work(*cosmos.submit_many([ask("a street", seconds=5, delivery_fps=24)]))
    record = (run.artifact.path.parent / "artifact.json").read_text()

    assert State.SEALED == run.state
    assert (93, 16) == (run.artifact.frames, run.artifact.fps)
    assert '"seconds": 5.0' in record
    assert '"delivery_fps": 24' in record


def test_ten_seconds_with_autoregression_are_160_frames(cosmos, work):
    """
    Two chunks with an overlap of one frame make exactly what was asked for.
    """
    (run,) = work(*cosmos.submit_many([ask("a street", seconds=10, enable_autoregressive=True)]))

    assert State.SEALED == run.state, run.reason
    assert 160 == run.artifact.frames


def test_a_batch_keeps_what_was_made_before_a_crash_and_makes_the_rest_again(cosmos, work):
    """
    The program dies on its second sample: the first is sealed, the second fails, the third is queued again and sealed.
    """
    asks = [ask("a street", seed=1), ask("crash", seed=2), ask("a square", seed=3)]
    object.__setattr__(
        cosmos, "settings", attrs.evolve(cosmos.settings, queue=attrs.evolve(cosmos.settings.queue, batch=3))
    )
    runs = work(*cosmos.submit_many(asks))

    assert [State.SEALED, State.FAILED, State.SEALED] == [run.state for run in runs], [
        run.reason for run in runs
    ]


def test_one_file_for_every_length_is_not_sealed_twice(cosmos, work):
    """
    The old campaign's 207 contents under 496 names: the second request gets the first one's bytes, and is rejected.
    """
    asks = [ask("same-bytes", seconds=seconds) for seconds in (5, 4)]
    runs = work(*cosmos.submit_many(asks))

    assert sorted([State.REJECTED, State.SEALED]) == sorted(run.state for run in runs)
    assert any("same bytes" in run.reason for run in runs)


def test_a_program_that_ignores_the_length_is_found_by_counting(cosmos, work):
    """
    It saves 93 frames where 160 were planned, says success, and is rejected.
    """
    (run,) = work(*cosmos.submit_many([ask("same-bytes", seconds=10, enable_autoregressive=True)]))

    assert State.REJECTED == run.state
    assert "93 frames, not the 160" in run.reason


def test_a_hanging_program_is_stopped_when_asked(cosmos, checkout):
    """
    Cancelling ends the program itself, which took our own one's place.
    """
    (run,) = cosmos.submit_many([ask("hang")])
    thread = threading.Thread(target=Worker(cosmos.site).work, kwargs={"until_idle": True})
    thread.start()
    end = time.monotonic() + 60
    while cosmos.store.run(run.id).state is not State.RUNNING:
        assert time.monotonic() < end
        time.sleep(0.05)
    cosmos.store.cancel(run.id)
    thread.join(timeout=60)

    assert State.CANCELLED == cosmos.store.run(run.id).state


@pytest.mark.parametrize(
    ("prompt", "options", "verdict"),
    [
        ("a street", {}, "ok"),
        ("fails-open", {}, "warn"),
        ("a street", {"disable_guardrails": True}, "warn"),
    ],
)
def test_the_guardrail_is_believed_when_the_log_proves_it(cosmos, work, prompt, options, verdict):
    """
    Switched on, but with no safety model found, is as good as off.
    """
    (run,) = work(*cosmos.submit_many([ask(prompt, **options)]))
    findings = cosmos.store.attempts(run.id)[-1].findings
    (found,) = [one for one in findings if one.check == "guardrail.effective"]

    assert (State.SEALED, verdict) == (run.state, found.level)


def test_a_host_without_a_checkout_says_so(cosmos, work, checkout):
    """
    The run fails with where it was looked for, and with what to set.
    """
    (checkout / "examples" / "inference.py").unlink()
    (run,) = work(*cosmos.submit_many([ask("a street")]))

    assert State.FAILED == run.state
    assert "set COSMOS_PREDICT25_REPO" in run.reason


@pytest.mark.parametrize("kind", ["image2world", "video2world"])
def test_a_clip_is_where_a_world_begins(cosmos, work, make_clip, kind):
    """
    The input lies in the job's folder under its digest, where the program finds it beside its parameter file.
    """
    clip = make_clip("street", frames=8, width=128, height=64)
    asked = attrs.evolve(ask("a street", inference_type=kind), clip=str(clip.folder))
    (run,) = work(*cosmos.submit_many([asked]))

    assert State.SEALED == run.state, run.reason
    assert 93 == run.artifact.frames


@pytest.mark.parametrize(
    "words",
    [
        ["-i", "a.json", "-o", "out", "--model", "14B"],
        ["-i", "a.json", "-o", "out", "--enable-autoregressive"],
        ["-i", "a.json", "-o", "out", "--disable-guardrails", "True"],
        ["-i", "a.json", "-o", "out", "--fps", "24"],
    ],
)
def test_the_double_refuses_what_the_program_refuses(checkout, words):
    """
    Flags that do not exist, or have another arity, end it with exit code 2.
    """
    done = subprocess.run(
        [sys.executable, str(checkout / "examples" / "inference.py"), *words],
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert 2 == done.returncode


def test_the_double_keeps_only_the_last_input(checkout, tmp_path):
    """
    Two ``-i`` are exit code 0 and one sample, as with the program: so we never write two.
    """
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(
            f'{{"name": "{name}", "inference_type": "text2world", "prompt": "block-prompt"}}'
        )
    done = subprocess.run(
        [sys.executable, str(checkout / "examples" / "inference.py"), *"-i a.json -i b.json -o out".split()],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert 0 == done.returncode
    assert not (tmp_path / "out" / "a.json").exists()
    assert (tmp_path / "out" / "b.json").exists()


def test_trim_and_retime_follow_a_seal_and_leave_it_alone(cosmos, work):
    """
    Five seconds at 24: 93 frames are sealed, 80 of them trimmed, 120 delivered, each with a record beside it.
    """
    object.__setattr__(cosmos, "settings", attrs.evolve(cosmos.settings, steps=("trim", "retime")))
    cosmos.__dict__.pop("site", None)
    (run,) = work(*cosmos.submit_many([ask("a street", seconds=5, delivery_fps=24)]))
    made = run.artifact.path
    copies = {name: survey(made.parent / f"{made.stem}.{name}.mp4").decoded for name in ("trim", "24fps")}

    assert State.SEALED == run.state, run.reason
    assert {"trim": 80, "24fps": 120} == copies
    assert run.artifact.digest == file_digest(made)
    assert all((made.parent / f"{made.stem}.{name}.mp4.json").is_file() for name in copies)


@pytest.fixture
def working(cosmos, checkout):
    """A worker that does not end when there is nothing to do; what it leaves behind is taken up and ended."""
    worker = Worker(cosmos.site)
    thread = threading.Thread(target=worker.work)
    thread.start()
    yield worker
    worker.stop()
    thread.join(timeout=60)
    Worker(cosmos.site).work(until_idle=True)


def reach(cosmos, runs, *states):
    """The runs, once each is in one of *states*."""
    end = time.monotonic() + 90
    while True:
        found = [cosmos.store.run(run.id) for run in runs]
        if all(run.state in states for run in found):
            return found
        assert time.monotonic() < end, [(run.state, run.reason) for run in found]
        time.sleep(0.05)


ENDS = {
    "block-prompt": State.BLOCKED,
    "pointer": State.REJECTED,
    "a square": State.SEALED,
    "another square": State.SEALED,
}


def test_a_resident_model_is_loaded_once_and_takes_what_comes_later(cosmos, working):
    """
    What is asked for while the model is there joins its batch, and each request has its own end.
    """
    first = cosmos.submit_many([ask("a street", seconds=1, resident=60)])
    reach(cosmos, first, State.SEALED)
    later = cosmos.submit_many([ask(each, seconds=1, resident=60, seed=2) for each in ENDS])
    found = reach(cosmos, later, *ENDS.values())

    assert ENDS == {run.spec.prompt.text: run.state for run in found}, [run.reason for run in found]
    assert {cosmos.store.run(first[0].id).batch} == {run.batch for run in found}
    assert 1 == cosmos.workspace.log(found[0].batch).read_text().count("Loading the model")


def test_a_resident_model_gives_way_to_another(cosmos, working):
    """
    Its slot is wanted for other flags, so it leaves long before its time, and what it made is sealed.
    """
    (first,) = cosmos.submit_many([ask("a street", seconds=1, resident=900)])
    reach(cosmos, [first], State.SEALED)
    (other,) = cosmos.submit_many([ask("a square", seconds=1, disable_guardrails=True)])
    (found,) = reach(cosmos, [other], State.SEALED)

    assert found.batch != cosmos.store.run(first.id).batch


def test_what_a_resident_model_dies_of_costs_the_others_nothing(cosmos, working):
    """
    Those that wait in its spool are made by the next one.
    """
    first = cosmos.submit_many([ask("a street", seconds=1, resident=60)])
    reach(cosmos, first, State.SEALED)
    (bad, good) = cosmos.submit_many(
        [ask("crash", seconds=1.5, resident=60), ask("a square", seconds=1, resident=60)]
    )
    reach(cosmos, [bad], State.FAILED)
    reach(cosmos, [good], State.SEALED)


def test_what_joined_and_was_not_sent_is_sent_by_the_next_worker(cosmos, working, monkeypatch):
    """
    A worker that goes between the two leaves placed runs; they are neither lost nor made twice.
    """
    first = cosmos.submit_many([ask("a street", seconds=1, resident=60)])
    reach(cosmos, first, State.SEALED)

    def lost(*_):
        working.stop()
        raise HostError("the line is lost")

    with monkeypatch.context() as patched:
        patched.setattr(Feeder, "_bring", lost)
        (later,) = cosmos.submit_many([ask("a square", seconds=1, resident=60)])
        reach(cosmos, [later], State.PLACED)
        assert working._stop.wait(30)
    Worker(cosmos.site).work(until_idle=True)
    (found,) = reach(cosmos, [later], State.SEALED)

    assert (1, cosmos.store.run(first[0].id).batch) == (found.attempt, found.batch)


def test_a_clip_that_is_gone_when_its_run_joins_costs_that_run_alone(cosmos, working, make_clip):
    """
    The loaded model goes on with what can be made.
    """
    first = cosmos.submit_many([ask("a street", seconds=1, resident=60)])
    reach(cosmos, first, State.SEALED)
    clip = make_clip(frames=8, width=64, height=48)
    image = {"seconds": 1, "resident": 60, "inference_type": "image2world"}
    cosmos.store.pause("a clip is moved")
    lost = cosmos.submit_many([attrs.evolve(ask("a square", **image), clip=str(clip.folder))])
    clip.folder.rename(clip.folder.with_name("moved"))
    cosmos.store.resume()
    (failed,) = reach(cosmos, lost, State.FAILED)
    good = cosmos.submit_many([ask("a park", seconds=1, resident=60)])
    (sealed,) = reach(cosmos, good, State.SEALED)

    assert "is not at" in failed.reason
    assert cosmos.store.run(first[0].id).batch == failed.batch == sealed.batch
