"""Where clips may lie. A path is the user's word; a link is followed only as far as its bytes are digested."""

from __future__ import annotations

import os
import shutil

import pytest

from cosmos_core.errors import InputError, RefusedError
from cosmos_core.run import State
from cosmos_core.submission import Ask, write
from cosmos_core.testing.media import make_clip
from cosmos_core.work import accept_inbox

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need rights there")


@pytest.fixture
def linked(cosmos, tmp_path):
    """A clip folder whose colour video is a link to a file elsewhere, and that file."""
    made = make_clip(tmp_path / "elsewhere", frames=4)
    folder = cosmos.workspace.clips / "linked"
    shutil.copytree(made, folder)
    (folder / "color.mp4").unlink()
    (folder / "color.mp4").symlink_to(made / "color.mp4")
    return folder, made / "color.mp4"


@pytest.mark.parametrize("ref", ["/etc", "../../../../../../../../../etc", "/", ".", "/dev", "/proc/self"])
def test_a_folder_that_is_no_clip_is_refused_and_nothing_is_written_there(cosmos, ref):
    """
    Whatever an ask names, refusing it changes nothing outside; the submission says why.
    """
    folder = write([Ask(prompt="fog", clip=ref)], into=cosmos.workspace.inbox, name="shot")
    accept_inbox(cosmos.site)

    assert "no colour video" in (folder / "refused.json").read_text()
    assert [] == [*(folder / ref).glob(".sealing*"), *(folder / ref).glob("clip.json")]


def test_a_clip_outside_of_the_workspace_is_legitimate(cosmos, tmp_path, work):
    """
    The inbox is fed by programs of the same user: absolute and relative paths lead where they say.
    """
    outside = make_clip(tmp_path / "renders" / "shot", frames=2)
    relative = os.path.relpath(outside, cosmos.workspace.inbox / "shot")
    asks = [
        Ask(prompt="fog", clip=str(ref), backend="double", seed=seed)
        for seed, ref in enumerate((outside, relative))
    ]
    folder = write(asks, into=cosmos.workspace.inbox, name="shot")
    accept_inbox(cosmos.site)
    work()

    assert (folder / "accepted.json").is_file()
    assert 2 == cosmos.store.counts()[State.SEALED]


def test_a_linked_video_is_digested_and_may_not_change(cosmos, linked, work, queue):
    """
    Sealing reads the bytes behind the link; other bytes there later are another clip, before and after acceptance.
    """
    folder, target = linked
    queue(attempts=1)
    run = cosmos.submit("fog", clip=str(folder), backend="preview")
    other = make_clip(target.parents[1] / "other", frames=4, seed=9)
    shutil.copy(other / "color.mp4", target)

    with pytest.raises(RefusedError, match="finding"):
        cosmos.submit("snow", clip=str(folder), backend="preview")
    work()
    after = cosmos.store.run(run.id)
    assert State.FAILED == after.state
    assert after.artifact is None
    assert "color.mp4" in after.reason


@pytest.mark.parametrize("name", ["../elsewhere/color.mp4", "/etc/passwd", "..", "a/b.mp4"])
def test_a_manifest_cannot_name_files_outside_of_its_folder(cosmos, linked, name):
    """
    A clip.json that somebody wrote by hand is refused for what it names, before anything is opened.
    """
    from cosmos_core import clip as clips

    folder, _ = linked
    clips.seal(folder)
    manifest = folder / "clip.json"
    manifest.write_text(manifest.read_text().replace('"color.mp4"', f'"{name}"'))

    with pytest.raises(InputError, match="name of a file"):
        cosmos.clip(folder)


def test_sealing_replaces_links_and_writes_through_none(cosmos, tmp_path):
    """
    A link under a name that sealing gives stays untouched at its end.
    """
    folder = make_clip(cosmos.workspace.clips / "shot", frames=2)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (folder / "clip.json.part").symlink_to(victim)
    for name in ("edge.mp4", "vis.mp4"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(victim)
    with pytest.raises(RefusedError):
        cosmos.clip(folder)
    for name in ("edge.mp4", "vis.mp4"):
        (folder / name).unlink()
    (folder / "clip.json").symlink_to(tmp_path / "nothing.json")
    cosmos.clip(folder)

    assert "mine" == victim.read_text()
    assert not (tmp_path / "nothing.json").exists()
    assert not (folder / "clip.json").is_symlink()
