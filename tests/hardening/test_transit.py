"""What happens to bytes on their way home: none of it is ever sealed, and each fault is called by its name."""

from __future__ import annotations

import hashlib
import json

import attrs
import pytest

from cosmos_core.builtin.local.session import LocalSession
from cosmos_core.run import State

HTML = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 1234567\n" % (b"ab" * 32)
GOOD = "a square"


def flip(path, _):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def cut(path, _):
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def empty(path, _):
    path.write_bytes(b"")


def html(path, _):
    path.write_bytes(HTML)


def pointer(path, _):
    path.write_bytes(POINTER)


def duplicate(path, good):
    path.write_bytes(good)


FAULTS = {
    flip: "changed on its way",
    cut: "cut off",
    empty: "is an empty file",
    html: "is an HTML page",
    pointer: "is a Git LFS pointer",
    duplicate: "changed on its way",
}
BY_NAME = {fault.__name__: fault for fault in FAULTS}


@pytest.fixture
def corrupt(monkeypatch):
    """``corrupt()``: from now on the local session damages each video as its prompt says."""
    real = LocalSession.get
    kept = {}

    def damage(videos):
        prompts = {path: json.loads(path.with_suffix(".json").read_text())["prompt"] for path in videos}
        kept.update((prompt, path.read_bytes()) for path, prompt in prompts.items() if prompt == GOOD)
        for path, prompt in prompts.items():
            if prompt in BY_NAME:
                BY_NAME[prompt](path, kept[GOOD])

    def install(*, digests=True):
        def get(self, handle, names, into, *args, **more):
            placed = real(self, handle, names, into, *args, **more)
            damage([each.path for each in placed if each.path.suffix == ".mp4"])
            return placed if digests else tuple(attrs.evolve(each, remote_digest="") for each in placed)

        monkeypatch.setattr(LocalSession, "get", get)

    return install


def test_a_fault_in_transit_is_never_sealed(cosmos, submit, work, corrupt, published):
    """
    Each run is rejected with its fault's own reason; what was sealed before stays as it is.
    """
    corrupt()
    good, *bad = submit(GOOD, *BY_NAME)
    work()
    good, *bad = (cosmos.store.run(run.id) for run in (good, *bad))

    assert State.SEALED == good.state
    assert {State.REJECTED} == {run.state for run in bad}
    for run, said in zip(bad, FAULTS.values(), strict=True):
        assert said in run.reason, run.spec.prompt.text
        assert run.artifact is None
    assert [good.artifact.path] == [path for path in published() if path.parent.name != "rejected"]


def test_faults_are_seen_by_the_bytes_alone(cosmos, submit, work, corrupt):
    """
    A transport that cannot take digests where the file was made is no way around the checks.
    """
    corrupt(digests=False)
    good, *bad = submit(GOOD, *(set(BY_NAME) - {"flip"}))
    work()

    assert State.SEALED == cosmos.store.run(good.id).state
    assert {State.REJECTED} == {cosmos.store.run(run.id).state for run in bad}


def test_a_link_that_comes_home_is_not_followed(cosmos, submit, work, monkeypatch, queue):
    """
    An output that is a link to a good video elsewhere is no output: nothing is sealed, nothing is copied.
    """
    (good,) = submit(GOOD)
    work()
    elsewhere = cosmos.store.run(good.id).artifact.path
    real = LocalSession.get

    def get(self, handle, names, into, *args, **more):
        placed = real(self, handle, names, into, *args, **more)
        for each in placed:
            if each.path.suffix == ".mp4":
                each.path.unlink()
                each.path.symlink_to(elsewhere)
        return placed

    monkeypatch.setattr(LocalSession, "get", get)
    queue(attempts=1)
    (bad,) = submit("a street")
    work()
    bad = cosmos.store.run(bad.id)

    assert State.FAILED == bad.state
    assert "outside the job's folder" in bad.reason
    assert bad.artifact is None


@pytest.fixture
def noisy(monkeypatch):
    """``noisy(2)``: the line flips a byte of each video so many times; gives the names it was asked for."""
    real = LocalSession.get

    def install(times):
        left, asked = [times], []

        def get(self, handle, names, into, *args, **more):
            asked.append(list(names))
            placed = real(self, handle, names, into, *args, **more)
            videos = [each.path for each in placed if each.path.suffix == ".mp4"]
            if left[0] and videos:
                left[0] -= 1
                for path in videos:
                    flip(path, None)
            return tuple(
                attrs.evolve(each, digest=hashlib.sha256(each.path.read_bytes()).hexdigest())
                for each in placed
            )

        monkeypatch.setattr(LocalSession, "get", get)
        return asked

    return install


@pytest.mark.parametrize("times", [1, 3])
def test_what_changed_on_its_way_is_fetched_again(cosmos, submit, work, noisy, times):
    """
    A byte that flips once, or three times, costs nothing but another fetch of that file, not an attempt.
    """
    asked = noisy(times)
    (run,) = submit("a street")
    work()
    run = cosmos.store.run(run.id)

    assert (State.SEALED, 1) == (run.state, run.attempt)
    assert 1 + times == len(asked)
    assert {1} == {len(names) for names in asked[1:]}
    assert all(name.endswith(".mp4") for names in asked[1:] for name in names)


def test_what_changes_every_time_is_rejected_at_last(cosmos, submit, work, noisy):
    """
    After three more fetches the file is judged as it is.
    """
    asked = noisy(1000)
    (run,) = submit("a street")
    work()
    run = cosmos.store.run(run.id)

    assert (State.REJECTED, 4) == (run.state, len(asked))
    assert "changed on its way" in run.reason
