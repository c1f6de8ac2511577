"""What the core relies on in a backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from cosmos_core import canonical
from cosmos_core.extend import Backend, Batch, Exit, Expectation, Level, Outcome, Prompt, Request, Slot, Spec
from cosmos_core.launcher import SPOOL
from cosmos_core.spec import controls

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cosmos_core.clip import Clip

HOSTILE = "; touch pwned $(touch pwned) `touch pwned` ' \" \\ \n --help ../../pwned"
"""A prompt that must arrive as data."""


class BackendContract:
    """Subclass it and supply ``backend``; ``spec`` where the default does not suit the model."""

    @pytest.fixture
    def backend(self) -> Backend:
        """The registration object under test."""
        raise NotImplementedError

    @pytest.fixture
    def clip(self, make_clip: Callable[..., Clip]) -> Clip:
        """A small sealed clip with every control."""
        return make_clip(frames=8, width=64, height=48)

    @pytest.fixture
    def spec(self, backend: Backend, clip: Clip) -> Spec:
        """A small request that the backend accepts."""
        usable = sorted({file.modality for file in clip.files} & backend.controls)
        return Spec(
            backend=backend.name,
            prompt=Prompt("a street in the rain"),
            clip=clip.digest,
            controls=controls(dict.fromkeys(usable, 0.5)),
            frames=clip.frames,
            fps=clip.fps,
            width=clip.width,
            height=clip.height,
            seed=7,
            options=canonical.plain(backend.options()) if backend.options else {},
        )

    @pytest.fixture
    def slot(self, backend: Backend, spec: Spec) -> Slot:
        """A slot with as many GPUs as the spec needs."""
        return Slot(host="local", index=0, gpus=tuple(range(backend.needs(spec).gpus)), gpu="h200")

    @pytest.fixture
    def batch(self, backend: Backend, spec: Spec, clip: Clip) -> Batch:
        """Two requests that share a load."""
        requests = tuple(
            Request(run=f"r000000{seed}", spec=attrs.evolve(spec, seed=seed), clip=clip) for seed in (1, 2)
        )
        return Batch(
            id="b0000001",
            backend=backend.name,
            load_key=backend.load_key(spec),
            host="local",
            slot=0,
            attempt=1,
            fence=1,
            requests=requests,
        )

    def test_a_request_it_should_accept_is_accepted(self, backend: Backend, spec: Spec, clip: Clip) -> None:
        """
        Its own review has nothing against a plain request.
        """
        findings = list(backend.review(spec, clip)) if backend.review else []

        assert [] == [finding for finding in findings if finding.level is Level.FAIL]

    def test_the_load_key_does_not_depend_on_what_a_load_can_serve(
        self, backend: Backend, spec: Spec
    ) -> None:
        """
        Another seed or prompt needs no other load.
        """
        other = attrs.evolve(spec, seed=spec.seed + 1, prompt=Prompt("snow"))

        assert backend.load_key(spec) == backend.load_key(other)

    def test_it_expects_before_it_runs(self, backend: Backend, spec: Spec) -> None:
        """
        Frames, rate and size of the video follow from the spec alone.
        """
        expected = backend.expect(spec)

        assert isinstance(expected, Expectation)
        assert min(expected.frames, expected.width, expected.height) > 0
        assert expected.fps > 0

    def test_it_costs_time(self, backend: Backend, spec: Spec, slot: Slot) -> None:
        """
        A prediction is positive, on a known kind of GPU and on an unknown one.
        """
        assert backend.seconds(spec, slot.gpu) > 0
        assert backend.seconds(spec, "") > 0

    def test_a_length_in_seconds_is_kept(self, backend: Backend, spec: Spec) -> None:
        """
        Asked for its own length, a request stays loadable as before; passes are counted from one.
        """
        lasts = float(backend.expect(spec).frames / backend.expect(spec).fps)
        same = backend.lasting(spec, lasts) if backend.lasting is not None else spec
        passes = backend.passes(same) if backend.passes is not None else 1

        assert backend.load_key(spec) == backend.load_key(same)
        assert abs(float(backend.expect(same).frames / backend.expect(same).fps) - lasts) < 0.5
        assert passes >= 1

    def test_a_batch_compiles_to_the_same_job_every_time(
        self, backend: Backend, batch: Batch, slot: Slot
    ) -> None:
        """
        Whoever adopts a batch after a crash compiles the job its first holder did.
        """
        assert backend.compile(batch, slot) == backend.compile(batch, slot)

    def test_a_job_names_everything_relative_to_its_folder(
        self, backend: Backend, batch: Batch, slot: Slot
    ) -> None:
        """
        No name in a job leads out of its folder.
        """
        job = backend.compile(batch, slot)
        names = [file.name for file in job.files] + [each.name for each in job.inputs] + list(job.outputs)

        assert [] == [
            name for name in names if name.startswith("/") or ".." in name.split("/") or "\\" in name
        ]

    def test_what_a_resident_job_takes_has_names_of_its_own(
        self, backend: Backend, batch: Batch, slot: Slot
    ) -> None:
        """
        Nothing that a job began with is written over, what starts the work comes last, and results come home early.
        """
        first, second = (attrs.evolve(batch, requests=(batch.requests[at],)) for at in (0, -1))
        if backend.more is None or (job := backend.more(second, slot)) is None:
            pytest.skip("this backend's job ends with its batch")
        began = backend.compile(first, slot)

        assert not {file.name for file in began.files if file not in job.files} & {
            file.name for file in job.files
        }
        assert job.files[-1].name.startswith(f"{SPOOL}/")
        assert job == backend.more(second, slot)
        assert backend.whole is not None

    def test_inputs_are_named_by_the_digest_of_their_bytes(
        self, backend: Backend, batch: Batch, slot: Slot
    ) -> None:
        """
        A host that has an input already can tell.
        """
        from cosmos_core.media import file_digest

        for each in backend.compile(batch, slot).inputs:
            assert file_digest(each.path) == each.digest
            assert each.path.stat().st_size == each.bytes

    def test_a_hostile_prompt_is_data(self, backend: Backend, batch: Batch, slot: Slot) -> None:
        """
        A prompt reaches the model through a file or as one argument, never as a part of one.
        """
        first, *rest = batch.requests
        hostile = attrs.evolve(first, spec=attrs.evolve(first.spec, prompt=Prompt(HOSTILE)))
        job = backend.compile(attrs.evolve(batch, requests=(hostile, *rest)), slot)

        assert all(HOSTILE == part for part in job.argv if "pwned" in part)

    def test_a_line_of_somebody_elses_log_is_no_progress(self, backend: Backend) -> None:
        """
        Lines it does not know say nothing and break nothing.
        """
        for line in ("", "\x00\xff", "100%", "Traceback (most recent call last):", "x" * 10_000):
            tick = backend.progress(line)
            assert tick is None or tick.total >= 0

    @pytest.mark.parametrize("code", [0, 1, 137])
    def test_an_empty_folder_is_never_done(
        self, backend: Backend, batch: Batch, tmp_path: Path, code: int
    ) -> None:
        """
        An exit code is a claim: without a file there is no video, whatever the code.
        """
        found = backend.outcome(tmp_path, batch.requests[0], Exit(code=code))

        assert found.outcome is not Outcome.DONE
        assert found.reason
