"""The inbox: other programs write into it, so anything may lie there. One bad folder is refused and stops nobody."""

from __future__ import annotations

import json
import os

import pytest

from cosmos_core.run import State
from cosmos_core.store import Query
from cosmos_core.submission import Ask, write
from cosmos_core.testing import media
from cosmos_core.work import ACCEPTED, REFUSED, accept_inbox

HEAD = '{"schema": 1, "token": "t", "asks": '

POISON = {
    "not-json": "{",
    "not-an-object": "[]",
    "deep": HEAD + "[" * 200_000,
    "deep-options": HEAD + '[{"prompt": "a", "options": {"x": ' + "[" * 500 + "]" * 500 + "}}]}",
    "no-asks": HEAD + "[]}",
    "null-asks": HEAD + "null}",
    "lone-surrogate": HEAD + '[{"prompt": "a \\ud800 b"}]}',
    "surrogate-name": HEAD + '[{"prompt": "a", "name": "\\udc80"}]}',
    "nul": HEAD + '[{"prompt": "a \\u0000 b"}]}',
    "nul-in-clip": HEAD + '[{"prompt": "a", "clip": "clips\\u0000/street"}]}',
    "long-clip": HEAD + '[{"prompt": "a", "clip": "' + "c" * 5000 + '"}]}',
    "nan": HEAD + '[{"prompt": "a", "weights": {"edge": NaN}}]}',
    "infinite-option": HEAD + '[{"prompt": "a", "options": {"fog": Infinity}}]}',
    "huge-priority": HEAD + '[{"prompt": "a", "priority": 100000000000000000000}]}',
    "huge-frames": HEAD + '[{"prompt": "a", "frames": 1' + "0" * 400 + "}]}",
    "huge-number": HEAD + '[{"prompt": "a", "seed": 1' + "0" * 5000 + "}]}",
    "negative-frames": HEAD + '[{"prompt": "a", "frames": -5}]}',
    "unknown-key": HEAD + '[{"prompt": "a", "colour": "red"}]}',
    "tags-as-text": HEAD + '[{"prompt": "a", "tags": "night"}]}',
    "token-of-numbers": '{"schema": 1, "token": [1, 2], "asks": [{"prompt": "a"}]}',
    "other-schema": '{"schema": 99, "asks": [{"prompt": "a"}]}',
    "bytes": b'\xff\xfe{"schema": 1}',
    "unknown-prompt": HEAD + '[{"prompt": "@nobody@x@y"}]}',
    "endless-tag": HEAD + '[{"prompt": "a", "tags": ["' + "t" * 5000 + '"]}]}',
}


@pytest.fixture
def clip(cosmos):
    """A clip that is not sealed yet, beside the inbox."""
    return media.make_clip(cosmos.workspace.clips / "street", frames=4)


def drop(cosmos, name, content):
    folder = cosmos.workspace.inbox / name
    folder.mkdir()
    (folder / "submission.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def answers(folder):
    return sorted(path.name for path in folder.iterdir() if path.name in {ACCEPTED, REFUSED})


def test_each_poisoned_submission_is_refused_and_the_good_one_behind_them_is_accepted(cosmos, clip):
    """
    Whatever is wrong in the file, the answer is beside it, in words, and the next folder has its turn.
    """
    folders = {name: drop(cosmos, name, content) for name, content in POISON.items()}
    good = write([Ask(prompt="fog", clip=str(clip))], into=cosmos.workspace.inbox, name="zz-good")
    accept_inbox(cosmos.site)

    assert {name: [REFUSED] for name in folders} == {
        name: answers(folder) for name, folder in folders.items()
    }
    assert [ACCEPTED] == answers(good)
    assert 1 == cosmos.store.counts()[State.QUEUED]
    for folder in folders.values():
        said = json.loads((folder / REFUSED).read_text("utf-8"))
        assert said["error"]
        assert "Traceback" not in said["error"]


@pytest.mark.skipif(os.name == "nt", reason="names that are no Unicode, and pipes, are POSIX's")
def test_odd_things_in_the_inbox_stop_nobody(cosmos, clip):
    """
    A folder whose name is no Unicode, a pipe as a submission, a folder as one, a dangling link, a clip that is a pipe.
    """
    inbox = cosmos.workspace.inbox
    strange = inbox / os.fsdecode(b"bad-\xff")
    strange.mkdir()
    (strange / "submission.json").write_text("{")
    (inbox / "pipe").mkdir()
    os.mkfifo(inbox / "pipe" / "submission.json")
    (inbox / "folder" / "submission.json").mkdir(parents=True)
    (inbox / "dangling").symlink_to("nowhere")
    (inbox / "a-file").write_text("hello")
    piped = write([Ask(prompt="fog", clip="clip")], into=inbox, name="piped-clip")
    (piped / "clip").mkdir()
    os.mkfifo(piped / "clip" / "color.mp4")
    good = write([Ask(prompt="fog", clip=str(clip))], into=inbox, name="zz-good")
    accept_inbox(cosmos.site)

    assert [REFUSED] == answers(strange)
    assert [REFUSED] == answers(piped)
    assert [ACCEPTED] == answers(good)


def test_a_submission_without_a_token_is_accepted_once_even_if_the_answer_could_not_be_written(cosmos, clip):
    """
    A crash or a full disk between accepting and answering queues nothing twice.
    """
    folder = drop(cosmos, "shot", json.dumps({"schema": 1, "asks": [{"prompt": "fog", "clip": str(clip)}]}))
    for _ in range(2):
        accept_inbox(cosmos.site)
        assert [ACCEPTED] == answers(folder)
        (folder / ACCEPTED).unlink()

    assert 1 == cosmos.store.counts()[State.QUEUED]


def test_a_submission_that_is_written_anew_is_another_one(cosmos, clip):
    """
    Without a token, the same words in a new file are a new wish.
    """
    text = json.dumps({"schema": 1, "asks": [{"prompt": "fog", "clip": str(clip)}]})
    drop(cosmos, "one", text)
    drop(cosmos, "two", text)
    accept_inbox(cosmos.site)

    assert 2 == cosmos.store.counts()[State.QUEUED]


def test_an_answer_that_cannot_be_written_stops_nobody(cosmos, clip, monkeypatch):
    """
    An inbox on a full or read-only disk: the worker goes on, and the runs are queued once.
    """
    from cosmos_core import work

    def full(path, value):
        raise OSError(28, "No space left on device", str(path))

    drop(cosmos, "bad", "{")
    write([Ask(prompt="fog", clip=str(clip))], into=cosmos.workspace.inbox, name="good")
    with monkeypatch.context() as patched:
        patched.setattr(work, "write_file", full)
        accept_inbox(cosmos.site)
        accept_inbox(cosmos.site)
    accept_inbox(cosmos.site)

    assert 1 == cosmos.store.counts()[State.QUEUED]
    assert [ACCEPTED] == answers(cosmos.workspace.inbox / "good")
    assert [REFUSED] == answers(cosmos.workspace.inbox / "bad")


def test_what_lies_in_the_inbox_is_worked_before_the_worker_is_idle(cosmos, work):
    """
    A worker that ends when nothing is left looks into the inbox first.
    """
    write([Ask(prompt="a street", backend="double", frames=2)], into=cosmos.workspace.inbox, name="shot")
    work(watch_inbox=True)

    (run,) = cosmos.store.page(Query()).runs
    assert State.SEALED == run.state


def test_a_submission_written_by_windows_powershell_is_read(cosmos, clip):
    """
    A byte order mark at the beginning of the file is passed over.
    """
    text = json.dumps({"schema": 1, "asks": [{"prompt": "fog", "clip": str(clip)}]})
    folder = drop(cosmos, "bom", b"\xef\xbb\xbf" + text.encode())
    accept_inbox(cosmos.site)

    assert [ACCEPTED] == answers(folder)


@pytest.mark.parametrize("name", ["../outside", "a/b", "/tmp/x", "..", ".", "nul\0", ".hidden"])
def test_a_submission_cannot_be_written_outside_of_the_inbox(cosmos, name):
    """
    The name of a submission is the name of a folder, not a path, and one that the inbox shows.
    """
    from cosmos_core.errors import InputError

    before = sorted(cosmos.workspace.root.rglob("*"))
    with pytest.raises(InputError):
        write([Ask(prompt="fog")], into=cosmos.workspace.inbox, name=name)

    assert before == sorted(cosmos.workspace.root.rglob("*"))
