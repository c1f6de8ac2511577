"""A poster and a contact sheet beside each artifact."""

from __future__ import annotations

import json

import cv2
import pytest

from cosmos_core import clip as clips
from cosmos_core import options
from cosmos_core.builtin import contact
from cosmos_core.errors import RefusedError
from cosmos_core.testing import media
from cosmos_core.testing.checks import StepContract, make_sealed

(CONTACT,) = contact.cosmos_steps()
TITLE = 32


class TestContact(StepContract):
    @pytest.fixture
    def step(self):
        return CONTACT


def _follow(item, **chosen):
    return CONTACT.follow(
        item.artifact, item.run, item.artifact.path.parent, contact.ContactOptions(**chosen)
    )


def test_both_pictures_lie_beside_the_artifact(tmp_path):
    """The poster has the video's size, the sheet the width that was asked for."""
    item = make_sealed(tmp_path / "sealed")
    _follow(item, columns=3, width=400)
    poster, sheet = (cv2.imread(str(tmp_path / "sealed" / name)) for name in ("poster.jpg", "contact.jpg"))

    assert (48, 64) == poster.shape[:2]
    assert 380 < sheet.shape[1] <= 400


def test_the_input_is_shown_below_the_output(tmp_path):
    """With its clip where the record says, the sheet has a row for each of its passes."""
    item = make_sealed(tmp_path / "sealed")
    folder = tmp_path / "sealed"
    _follow(item, columns=3, width=400)
    alone = cv2.imread(str(folder / "contact.jpg")).shape[0]
    clip = clips.seal(media.make_clip(tmp_path / "clip"))
    record = json.loads((folder / "artifact.json").read_text())
    (folder / "artifact.json").write_text(
        json.dumps(record | {"clip": clip.digest, "clip_folder": clip.folder.as_posix()})
    )
    _follow(item, columns=3, width=400)
    rows = 1 + len(clip.files)

    assert rows * (alone - TITLE) == cv2.imread(str(folder / "contact.jpg")).shape[0] - TITLE


def test_another_clip_at_that_place_is_not_shown(tmp_path):
    """A clip that is not the one it was made from would tell a lie."""
    item = make_sealed(tmp_path / "sealed")
    folder = tmp_path / "sealed"
    clip = clips.seal(media.make_clip(tmp_path / "clip"))
    record = json.loads((folder / "artifact.json").read_text())
    (folder / "artifact.json").write_text(
        json.dumps(record | {"clip": "0" * 64, "clip_folder": clip.folder.as_posix()})
    )
    _follow(item, columns=3, width=400)
    with_stranger = (folder / "contact.jpg").read_bytes()
    (folder / "artifact.json").unlink()
    _follow(item, columns=3, width=400)

    assert with_stranger == (folder / "contact.jpg").read_bytes()


@pytest.mark.parametrize("wrong", [{"columns": 0}, {"columns": 21}, {"width": 10}])
def test_impossible_sheets_are_refused(wrong):
    """Limits are told before anything is drawn."""
    with pytest.raises(RefusedError):
        options.build(contact.ContactOptions, wrong, where="contact")
