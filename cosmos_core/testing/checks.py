"""What the core relies on in checks, steps and exporters: what follows a video that came home."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from cosmos_core import canonical, dataset
from cosmos_core.checks import cosmos_checks
from cosmos_core.errors import InputError, Level, RefusedError, VerifyError
from cosmos_core.examine import LEVELS, configured, examine, sizes_of
from cosmos_core.extend import (
    Artifact,
    Check,
    Expectation,
    Exported,
    Exporter,
    Followed,
    Offer,
    Output,
    Prompt,
    Run,
    Spec,
    Step,
)
from cosmos_core.options import describe
from cosmos_core.record import ARTIFACT, DATASET, Record, Ruling
from cosmos_core.run import State
from cosmos_core.spec import review
from cosmos_core.testing import media

if TYPE_CHECKING:
    from pathlib import Path

BROKEN = ("pointer", "html", "text", "empty", "cut", "tail_cut", "missing")
"""What may arrive instead of a video; each but ``missing`` has a maker in :mod:`cosmos_core.testing.media`."""

_INTEGRITY = tuple(check for check in cosmos_checks() if check.level == "integrity")


def make_spec(**changes: Any) -> Spec:
    """A request for the video that :func:`cosmos_core.testing.media.make_video` makes by default."""
    plain = Spec(
        backend="preview", prompt=Prompt("a street"), frames=12, fps=Fraction(24), width=64, height=48
    )
    return attrs.evolve(plain, **changes)


def make_output(path: Path, spec: Spec, **facts: Any) -> Output:
    """An output that is expected to be what *spec* asks for."""
    expected = Expectation(
        name=path.name, frames=spec.frames, fps=spec.fps, width=spec.width, height=spec.height
    )
    return Output(path, expected=expected, recipe=spec.digest, **facts)


def make_broken(kind: str, path: Path) -> Path:
    """One of :data:`BROKEN` at *path*."""
    if kind == "missing":
        return path
    made: Path = getattr(media, f"make_{kind}")(path)
    return made


def make_sealed(folder: Path, *, seed: int = 0, run: str = "", **changes: Any) -> Exported:
    """A video that was verified and sealed in *folder*, with its record beside it, as an exporter gets it."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = make_spec(seed=seed, **changes)
    path = media.make_video(
        folder / "street.mp4",
        seed=seed,
        frames=spec.frames,
        width=spec.width,
        height=spec.height,
        fps=spec.fps,
    )
    output = make_output(path, spec)
    verdict = examine(output, spec, cosmos_checks())
    if verdict.ruling is not Ruling.VERIFIED:
        raise VerifyError(f"the video that was made is {verdict.ruling}: {verdict.reason}")
    now = datetime.now(UTC)
    artifact = Artifact(
        run=run or f"r{seed:07}",
        attempt=1,
        digest=output.digest,
        path=path,
        bytes=path.stat().st_size,
        frames=spec.frames,
        fps=spec.fps,
        width=spec.width,
        height=spec.height,
        sealed=now,
        phashes=tuple(int(each) for each in output.survey.phashes),
    )
    made = Run(
        id=artifact.run,
        seq=seed + 1,
        name="street",
        spec=spec,
        state=State.SEALED,
        attempt=1,
        created=now,
        changed=now,
        artifact=artifact,
    )
    record = Record(
        run=made.id,
        name=made.name,
        attempt=1,
        file=path.name,
        digest=artifact.digest,
        bytes=artifact.bytes,
        frames=artifact.frames,
        fps=artifact.fps,
        width=artifact.width,
        height=artifact.height,
        recipe=spec.digest,
        spec=spec,
        expected=output.expected,
        verdict=verdict,
        clip=spec.clip,
    )
    canonical.write_file(folder / ARTIFACT, record)
    return Exported(run=made, artifact=artifact, findings=verdict.findings)


def _explains(offer: Offer) -> list[str]:
    """Options that have no default, or no sentence of help."""
    rows = describe(offer.options) if offer.options else ()
    return [row.name for row in rows if not row.help or row.default == "required"]


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


class CheckContract:
    """Subclass it and supply ``check``; ``whole`` and ``spec`` where a moving street does not suit it."""

    @pytest.fixture
    def check(self) -> Check:
        """The registration object under test."""
        raise NotImplementedError

    @pytest.fixture
    def spec(self) -> Spec:
        """What was asked for."""
        return make_spec()

    @pytest.fixture
    def whole(self, tmp_path: Path, spec: Spec) -> Output:
        """A video that the check should like."""
        folder = tmp_path / "whole"
        folder.mkdir()
        path = media.make_video(
            folder / "street.mp4", frames=spec.frames, width=spec.width, height=spec.height, fps=spec.fps
        )
        return make_output(path, spec)

    def test_it_has_a_level_and_a_version(self, check: Check) -> None:
        """
        Its level is one of those that are asked, so that it has its turn.
        """
        assert check.level in LEVELS
        assert check.version >= 1
        assert check.summary

    def test_its_thresholds_explain_themselves(self, check: Check) -> None:
        """
        Every threshold has a default and a sentence of help.
        """
        assert [] == _explains(check)

    def test_its_look_takes_its_thresholds(self, check: Check) -> None:
        """
        A check with options has a ``look`` with the keyword ``options``, which works without it.
        """
        if check.options is None:
            return
        parameter = inspect.signature(check.look).parameters["options"]

        assert parameter.default is not inspect.Parameter.empty
        assert check.options() == parameter.default

    def test_it_answers_with_findings(self, check: Check, whole: Output, spec: Spec) -> None:
        """
        A whole video that is what was asked for gets an answer, and no ``fail``.
        """
        verdict = examine(whole, spec, [*_INTEGRITY, check])

        assert () == verdict.unanswered
        assert verdict.level is not Level.FAIL, verdict.reason

    def test_it_answers_about_a_bare_file(self, check: Check, whole: Output) -> None:
        """
        Without a spec, a plan, a clip or others, it says what it can.
        """
        assert () == examine(Output(whole.path), None, [*_INTEGRITY, check]).unanswered

    def test_it_gives_the_same_answer_twice(self, check: Check, whole: Output, spec: Spec) -> None:
        """
        An answer depends on the output and the spec alone.
        """
        assert list(check.look(whole, spec)) == list(check.look(whole, spec))

    def test_it_changes_nothing(self, check: Check, whole: Output, spec: Spec) -> None:
        """
        It reads: the file stays as it was, and nothing is left beside it.
        """
        before = _files(whole.path.parent)
        list(check.look(whole, spec))

        assert before == _files(whole.path.parent)

    def test_it_says_which_pictures_it_looks_at(self, check: Check, whole: Output, spec: Spec) -> None:
        """
        It takes pictures of no other size than ``pictures`` says, so that nothing is decoded twice.
        """
        list(check.look(whole, spec))

        assert whole.sizes <= sizes_of([check])

    @pytest.mark.parametrize("kind", BROKEN)
    def test_what_is_no_video_is_never_verified(
        self, check: Check, spec: Spec, tmp_path: Path, kind: str
    ) -> None:
        """
        Beside the built-in questions about integrity, it neither raises nor saves what they refuse.
        """
        output = make_output(make_broken(kind, tmp_path / "street.mp4"), spec)
        verdict = examine(output, spec, [*_INTEGRITY, check])

        assert () == verdict.unanswered
        assert Ruling.REJECTED is verdict.ruling

    def test_its_thresholds_can_be_set(self, check: Check, whole: Output, spec: Spec) -> None:
        """
        Setting every threshold to its default changes no answer.
        """
        table = canonical.plain(check.options()) if check.options else {}
        (bound,) = configured([check], {check.name: table})

        assert list(check.look(whole, spec)) == list(bound.look(whole, spec))


class StepContract:
    """Subclass it and supply ``step`` and, if its defaults do not suit a test, ``options``."""

    @pytest.fixture
    def step(self) -> Step:
        """The registration object under test."""
        raise NotImplementedError

    @pytest.fixture
    def options(self, step: Step) -> Any:
        """An instance of its options, or None."""
        return step.options() if step.options else None

    @pytest.fixture
    def item(self, tmp_path: Path) -> Exported:
        """A sealed video, alone in its folder but for its record."""
        return make_sealed(tmp_path / "sealed")

    @pytest.fixture
    def followed(self, step: Step, options: Any, item: Exported) -> Followed:
        """What the step made of it."""
        return step.follow(item.artifact, item.run, item.artifact.path.parent, options)

    def test_its_options_explain_themselves(self, step: Step) -> None:
        """
        Every option has a default and a sentence of help.
        """
        assert [] == _explains(step)

    def test_it_only_adds(self, step: Step, options: Any, item: Exported) -> None:
        """
        The artifact and its record are not touched; what is new lies beside them.
        """
        folder = item.artifact.path.parent
        before = _files(folder)
        step.follow(item.artifact, item.run, folder, options)

        assert before == {name: content for name, content in _files(folder).items() if name in before}

    def test_doing_it_again_changes_nothing(
        self, step: Step, options: Any, item: Exported, followed: Followed
    ) -> None:
        """
        After a crash a step is done again: the answer and the files are the same.
        """
        folder = item.artifact.path.parent
        once = _files(folder)
        again = step.follow(item.artifact, item.run, folder, options)

        assert followed == again
        assert once == _files(folder)

    def test_nothing_half_written_stays(self, followed: Followed, item: Exported) -> None:
        """
        No temporary file is left beside the artifact.
        """
        assert isinstance(followed, Followed)
        assert [] == [name for name in _files(item.artifact.path.parent) if ".part" in name]

    def test_what_it_asks_for_can_be_asked(self, followed: Followed, item: Exported) -> None:
        """
        A spec that it gives back is sound and is not the request that led to it.
        """
        if followed.spec is None:
            return

        assert item.run.spec.digest != followed.spec.digest
        assert [] == [finding for finding in review(followed.spec) if finding.level is Level.FAIL]


class ExporterContract:
    """Subclass it and supply ``exporter`` and, if its defaults do not suit a test, ``options``."""

    @pytest.fixture
    def exporter(self) -> Exporter:
        """The registration object under test."""
        raise NotImplementedError

    @pytest.fixture
    def options(self, exporter: Exporter) -> Any:
        """An instance of its options, or None."""
        return exporter.options() if exporter.options else None

    @pytest.fixture
    def items(self, tmp_path: Path) -> tuple[Exported, ...]:
        """Two sealed videos of the same name, size and rate."""
        return tuple(make_sealed(tmp_path / "outputs" / str(seed), seed=seed) for seed in (1, 2))

    @pytest.fixture
    def target(self, tmp_path: Path) -> Path:
        """Where the dataset goes."""
        folder = tmp_path / "datasets"
        folder.mkdir()
        return folder / "streets"

    def test_its_options_explain_themselves(self, exporter: Exporter) -> None:
        """
        Every option has a default and a sentence of help.
        """
        assert [] == _explains(exporter)

    def test_every_run_is_named(
        self, exporter: Exporter, options: Any, items: tuple[Exported, ...], target: Path
    ) -> None:
        """
        ``dataset.json`` names each run, and the exporter wrote something beside it.
        """
        dataset.export(items, exporter, target, options)
        named = json.loads((target / DATASET).read_text("utf-8"))["records"]

        assert [item.run.id for item in items] == [record["run"] for record in named]
        assert len(_files(target)) > 1

    def test_it_writes_into_its_folder_alone(
        self, exporter: Exporter, options: Any, items: tuple[Exported, ...], target: Path
    ) -> None:
        """
        The artifacts stay as they are, and nothing else appears beside the dataset.
        """
        before = [_files(item.artifact.path.parent) for item in items]
        dataset.export(items, exporter, target, options)

        assert before == [_files(item.artifact.path.parent) for item in items]
        assert [target] == list(target.parent.iterdir())

    def test_the_same_items_give_the_same_dataset(
        self, exporter: Exporter, options: Any, items: tuple[Exported, ...], target: Path
    ) -> None:
        """
        No clock and no chance gets into a dataset.
        """
        again = target.with_name("again")
        dataset.export(items, exporter, target, options)
        dataset.export(items, exporter, again, options)

        assert _files(target) == _files(again)

    def test_changed_bytes_stop_it(
        self, exporter: Exporter, options: Any, items: tuple[Exported, ...], target: Path
    ) -> None:
        """
        An artifact that is not what was sealed leaves no dataset behind, not even a part of one.
        """
        path = items[1].artifact.path
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
        with pytest.raises(VerifyError):
            dataset.export(items, exporter, target, options)

        assert [] == list(target.parent.iterdir())

    def test_an_unsealed_run_stops_it(
        self, exporter: Exporter, options: Any, items: tuple[Exported, ...], target: Path
    ) -> None:
        """
        Nothing unsealed gets in.
        """
        first, second = items
        unsealed = attrs.evolve(second, run=attrs.evolve(second.run, state=State.RETURNED))
        with pytest.raises(RefusedError):
            dataset.export([first, unsealed], exporter, target, options)

        assert [] == list(target.parent.iterdir())

    def test_an_existing_folder_is_left_alone(
        self, exporter: Exporter, options: Any, items: tuple[Exported, ...], target: Path
    ) -> None:
        """
        A dataset is never changed.
        """
        target.mkdir()
        with pytest.raises(InputError):
            dataset.export(items, exporter, target, options)

        assert [] == list(target.iterdir())


__all__ = [
    "BROKEN",
    "CheckContract",
    "ExporterContract",
    "StepContract",
    "make_broken",
    "make_output",
    "make_sealed",
    "make_spec",
]
