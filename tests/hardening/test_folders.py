"""`cosmos verify` and sealing on folders that somebody else filled: an answer in words, whatever lies there."""

from __future__ import annotations

import json
import os
import socket

import pytest

from cosmos_core.errors import CosmosError
from cosmos_core.testing import media

SIDECARS = {
    "dataset.json": "[" * 100_000,
    "artifact.json": '{"a": ' * 50_000,
    "metadata.jsonl": "[" * 100_000 + "\n",
    "SHA256SUMS": f"{'0' * 64}  a\0b.mp4\n{'0' * 64}  {'x' * 5000}.mp4\n{'0' * 64}  ../../etc/passwd.mp4\n{'0' * 64}\n\n",
    "good.json": "{" * 100_000,
}


@pytest.fixture
def folder(tmp_path):
    """A folder with one good video."""
    made = tmp_path / "hostile"
    made.mkdir()
    media.make_video(made / "good.mp4")
    return made


@pytest.mark.parametrize("name", SIDECARS)
def test_a_hostile_sidecar_is_noted_and_the_video_is_judged(folder, say, name):
    """
    Too deep, cut off, with names that no file can have: a note about the sidecar, and the verdict about the video.
    """
    (folder / name).write_text(SIDECARS[name], "utf-8")
    told = say("verify", folder, "--json")

    assert told.code in {0, 9}, told
    judged = {each["name"]: each for each in told.facts["report"]["outputs"]}
    assert "good.mp4" in judged
    assert "passwd" not in json.dumps(sorted(judged))


@pytest.mark.skipif(os.name == "nt", reason="POSIX's kinds of files")
def test_what_is_no_file_is_not_opened(folder, say, monkeypatch):
    """
    Pipes, sockets, devices, loops of links and folders that are called like videos neither hang nor crash it.
    """
    os.mkfifo(folder / "pipe.mp4")
    (folder / "zero.mp4").symlink_to("/dev/zero")
    (folder / "loop.mp4").symlink_to("loop.mp4")
    (folder / "round").symlink_to(".")
    (folder / "folder.mp4").mkdir()
    (folder / os.fsdecode(b"odd-\xff.mp4")).write_bytes(b"")
    (folder / "SHA256SUMS").symlink_to("/dev/zero")
    os.mkfifo(folder / "good.json")
    monkeypatch.chdir(folder)  # a socket's path may be no longer than a hundred bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.mp4")
        told = say("verify", folder, "--json")

    assert 9 == told.code, told
    rulings = {each["name"]: each["verdict"]["ruling"] for each in told.facts["report"]["outputs"]}
    assert "rejected" == rulings["pipe.mp4"] == rulings["zero.mp4"] == rulings["socket.mp4"]
    assert "rejected" != rulings["good.mp4"]


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "{" * 100_000, "\ud800", "nan", '{"schema": 1, "files": 7}']
)
def test_a_hostile_manifest_is_refused_in_a_sentence(cosmos, content):
    """
    A clip.json that is none is refused, not a crash.
    """
    clip = media.make_clip(cosmos.workspace.clips / "shot", frames=2)
    (clip / "clip.json").write_text(content, "utf-8", "surrogatepass")

    with pytest.raises(CosmosError):
        cosmos.clip(clip)


@pytest.mark.skipif(os.name == "nt", reason="POSIX's kinds of files")
def test_a_manifest_that_is_a_pipe_does_not_stop_the_inbox(cosmos):
    """
    Reading it would wait for ever for somebody to write.
    """
    clip = media.make_clip(cosmos.workspace.clips / "shot", frames=2)
    os.mkfifo(clip / "clip.json")

    with pytest.raises(CosmosError, match="regular file"):
        cosmos.clip(clip)
