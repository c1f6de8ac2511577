"""The preview keeps the contract that every backend keeps."""

from __future__ import annotations

import pytest

from cosmos_core.builtin import preview
from cosmos_core.testing import double
from cosmos_core.testing.backend import BackendContract


class TestPreview(BackendContract):
    @pytest.fixture
    def backend(self):
        return next(iter(preview.cosmos_backends()))

    def test_a_request_without_a_clip_is_refused(self, backend, spec):
        """
        There is nothing to preview without a clip.
        """
        (found,) = backend.review(spec, None)

        assert "names none" in found.message

    def test_progress_is_read_from_the_programs_own_words(self, backend):
        """
        A frame line is progress of its run.
        """
        tick = backend.progress("[2026-11-22 10:00:00] r4k2m9xq: frame 12/93")

        assert ("r4k2m9xq", 12, 93) == (tick.run, tick.done, tick.total)


class TestDouble(BackendContract):
    @pytest.fixture
    def backend(self):
        return next(iter(double.cosmos_backends()))
