"""The verdict table: which made video fails which check, and that no check could be taken out unnoticed."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

import attrs
import numpy as np
import pytest

from cosmos_core import clip as clips
from cosmos_core import controls
from cosmos_core.checks import cosmos_checks
from cosmos_core.errors import Level, fail
from cosmos_core.examine import examine
from cosmos_core.extend import Output, Prompt
from cosmos_core.record import Ruling
from cosmos_core.testing import media
from cosmos_core.testing.checks import make_output, make_sealed, make_spec

if TYPE_CHECKING:
    from pathlib import Path

    from cosmos_core.spec import Spec

CHECKS = tuple(cosmos_checks())
SPEC = make_spec()
NIGHT = make_spec(prompt=Prompt("a street at night"))
ROWS = {}


def row(ruling, *failing):
    """Put a maker of an output into the table, with the ruling and the checks that must not be happy."""

    def put(make):
        ROWS[make.__name__] = (make, Ruling(ruling), set(failing))
        return make

    return put


def _made(kind, folder, spec=SPEC, **facts):
    path = getattr(media, f"make_{kind}")(folder / "out.mp4")
    return make_output(path, spec, **facts), spec


def _beside(item, spec=SPEC, **facts):
    """Facts about a sealed video that an output must not duplicate."""
    return {"others": [item.artifact], "recipes": {item.run.id: item.run.spec.digest}} | facts


@row("verified")
def whole(folder):
    return _made("video", folder)


@row("verified")
def bare(folder):
    return Output(media.make_video(folder / "out.mp4")), None


@row("verified")
def seen_by_a_safety_model(folder):
    return _made("video", folder, guardrail="on")


@row("needs-review", "guardrail.effective")
def without_its_safety_model(folder):
    return _made("video", folder, guardrail="off")


@row("rejected", "file.exists")
def missing(folder):
    return make_output(folder / "out.mp4", SPEC), SPEC


@row("rejected", "file.exists")
def link(folder):
    (folder / "out.mp4").symlink_to(media.make_video(folder / "elsewhere.mp4"))
    return make_output(folder / "out.mp4", SPEC), SPEC


@row("rejected", "file.exists")
def folder_of_that_name(folder):
    (folder / "out.mp4").mkdir()
    return make_output(folder / "out.mp4", SPEC), SPEC


@row("rejected", "file.not-pointer")
def pointer(folder):
    return _made("pointer", folder)


@row("rejected", "file.magic")
def html(folder):
    return _made("html", folder)


@row("rejected", "file.magic")
def text(folder):
    return _made("text", folder)


@row("rejected", "file.magic")
def empty(folder):
    return _made("empty", folder)


@row("rejected", "file.magic")
def tail_cut(folder):
    return _made("tail_cut", folder)


@row("rejected", "file.hash")
def changed_on_the_way(folder):
    return _made("video", folder, remote_digest="0" * 64)


@row("rejected", "video.decode")
def cut(folder):
    return _made("cut", folder)


@row("rejected", "video.decode")
def rotten(folder):
    return _made("rotten", folder)


@row("rejected", "video.request")
def wrong_size(folder):
    return _made("video", folder, make_spec(width=128, height=96))


@row("rejected", "video.request")
def wrong_rate(folder):
    return _made("video", folder, make_spec(fps=Fraction(30)))


@row("rejected", "video.request")
def wrong_length(folder):
    return _made("video", folder, make_spec(frames=24))


@row("rejected", "dup.exact")
def duplicate(folder):
    item = make_sealed(folder / "other")
    return make_output(item.artifact.path, NIGHT, **_beside(item)), NIGHT


@row("needs-review", "dup.exact")
def duplicate_of_unknown_origin(folder):
    item = make_sealed(folder / "other")
    return make_output(item.artifact.path, NIGHT, others=[item.artifact]), NIGHT


@row("verified")
def same_request_same_bytes(folder):
    item = make_sealed(folder / "other")
    return make_output(item.artifact.path, SPEC, **_beside(item)), SPEC


@row("needs-review", "dup.perceptual")
def near_duplicate(folder):
    item = make_sealed(folder / "other")
    path = media.make_video(folder / "out.mp4", style="exact")
    return make_output(path, NIGHT, **_beside(item)), NIGHT


@row("needs-review", "dup.prefix")
def longer_one_that_starts_alike(folder):
    item, spec = make_sealed(folder / "other"), make_spec(frames=30)
    return make_output(media.make_video(folder / "out.mp4", frames=30), spec, **_beside(item)), spec


@row("needs-review", "dup.prefix")
def beginning_of_a_longer_one(folder):
    item = make_sealed(folder / "other", frames=30)
    return make_output(media.make_video(folder / "out.mp4"), SPEC, **_beside(item)), SPEC


@row("verified")
def another_scene_beside_it(folder):
    item = make_sealed(folder / "other", seed=5)
    return make_output(media.make_video(folder / "out.mp4"), SPEC, **_beside(item)), SPEC


@row("rejected", "content.black", "content.frozen", "content.flat")
def black(folder):
    return _made("black", folder)


@row("rejected", "content.black", "content.frozen", "content.flat")
def black_although_night_is_asked_for(folder):
    return _made("black", folder, NIGHT)


@row("rejected", "content.black")
def black_at_its_end(folder):
    spec = make_spec(frames=30)
    frames = [moment.rgb for moment in media.scene(frames=29)]
    path = controls.write_video(folder / "out.mp4", [*frames, np.zeros_like(frames[0])], spec.fps)
    return make_output(path, spec), spec


def _dark(path):
    """A street without light but for a lamp at its left side."""
    frames = [moment.rgb for moment in media.scene(frames=SPEC.frames)]
    lamp = np.full((1, 64, 1), 0.02)
    lamp[:, :4] = 1
    return controls.write_video(path, ((frame * lamp).astype(np.uint8) for frame in frames), SPEC.fps)


@row("needs-review", "content.black")
def dark_by_day(folder):
    return make_output(_dark(folder / "out.mp4"), SPEC), SPEC


@row("verified")
def dark_by_night(folder):
    return make_output(_dark(folder / "out.mp4"), NIGHT), NIGHT


@row("rejected", "content.frozen")
def frozen(folder):
    return _made("frozen", folder)


@row("rejected", "content.frozen")
def frozen_in_its_second_half(folder):
    return make_output(media.make_frozen(folder / "out.mp4", after=6), SPEC), SPEC


@row("rejected", "content.frozen", "content.flat")
def flat(folder):
    return _made("flat", folder)


@row("rejected", "content.flat")
def flat_and_growing_brighter(folder):
    frames = [np.full((48, 64, 3), 100 + 4 * index, np.uint8) for index in range(SPEC.frames)]
    return make_output(controls.write_video(folder / "out.mp4", frames, SPEC.fps), SPEC), SPEC


@row("needs-review", "content.flicker")
def flicker(folder):
    return _made("flicker", folder)


def _clip(folder, color):
    """A sealed clip whose colour video is *color*."""
    folder.mkdir()
    color(folder / "color.mp4")
    return clips.seal(folder)


def _stop(path, after):
    """A street that stands still from frame *after* on, in the light of another lamp than the input's."""
    moving = [moment.rgb for moment in media.scene(frames=after + 1, seed=3)]
    frames = moving + [moving[-1]] * (SPEC.frames - len(moving))
    return controls.write_video(path, frames, SPEC.fps, "exact")


@row("verified")
def frozen_as_its_input_is(folder):
    clip = _clip(folder / "clip", partial(media.make_frozen, after=6))
    return make_output(_stop(folder / "out.mp4", 6), SPEC, clip=clip), SPEC


@row("rejected", "content.frozen")
def frozen_longer_than_its_input(folder):
    clip = _clip(folder / "clip", partial(media.make_frozen, after=9))
    return make_output(_stop(folder / "out.mp4", 6), SPEC, clip=clip), SPEC


@row("needs-review", "content.equals-input")
def input_again(folder):
    clip = _clip(folder / "clip", media.make_video)
    return make_output(media.make_video(folder / "out.mp4"), SPEC, clip=clip), SPEC


@row("verified")
def another_look_than_its_input(folder):
    clip = _clip(folder / "clip", partial(media.make_video, seed=5))
    return make_output(media.make_video(folder / "out.mp4"), SPEC, clip=clip), SPEC


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> dict[str, tuple[Output, Spec | None]]:
    """Every row's output, made once; each decodes itself once, whatever is asked."""

    def folder(name) -> Path:
        return tmp_path_factory.mktemp(name)

    return {name: make(folder(name)) for name, (make, _, _) in ROWS.items()}


def _unhappy(verdict):
    return {finding.check for finding in verdict.findings if finding.level is not Level.OK}


@pytest.mark.parametrize("name", ROWS)
def test_the_table(table, name):
    """Each made output gets its ruling, for exactly the reasons that were built into it."""
    _, ruling, failing = ROWS[name]
    verdict = examine(*table[name], CHECKS)

    assert failing == _unhappy(verdict)
    assert ruling is verdict.ruling
    assert () == verdict.unanswered


@pytest.mark.parametrize("name", [name for name, (_, _, failing) in ROWS.items() if failing])
def test_what_is_found_says_what_to_do(table, name):
    """A finding names the file and a way out, and says who asked."""
    bad = [finding for finding in examine(*table[name], CHECKS).findings if finding.level is not Level.OK]

    assert [] == [finding for finding in bad if not (finding.hint and finding.check)]
    assert [] == [finding for finding in bad if table[name][0].name not in finding.message]


def _outcome(checks, table):
    verdicts = {name: examine(*made, checks) for name, made in table.items()}
    return {name: (verdict.ruling, frozenset(_unhappy(verdict))) for name, verdict in verdicts.items()}


@pytest.mark.parametrize("name", [check.name for check in CHECKS])
@pytest.mark.parametrize("mutant", ["silent", "refusing", "weighing-otherwise"])
def test_no_rule_can_be_flipped_unnoticed(table, name, mutant):
    """A check that falls silent, refuses everything or weighs otherwise changes a row of the table."""
    flip = {
        "silent": lambda check: attrs.evolve(check, look=lambda output, spec: ()),
        "refusing": lambda check: attrs.evolve(check, look=lambda output, spec: [fail("no")]),
        "weighing-otherwise": _reweighed,
    }[mutant]
    mutated = [flip(check) if check.name == name else check for check in CHECKS]

    assert _outcome(CHECKS, table) != _outcome(mutated, table)


def _reweighed(check):
    """Give a check whose findings weigh otherwise: failures become warnings, warnings failures."""

    def look(output, spec):
        for finding in check.look(output, spec):
            level = {Level.FAIL: Level.WARN, Level.WARN: Level.FAIL}.get(finding.level, finding.level)
            yield attrs.evolve(finding, level=level)

    return attrs.evolve(check, look=look, required=True)


def test_every_check_has_a_row():
    """A new built-in check brings an output that fails it."""
    assert {check.name for check in CHECKS} == set().union(*(failing for _, _, failing in ROWS.values()))
