"""The contract holds for containers on a host at the other end of a real SSH line."""

from __future__ import annotations

import pytest

from cosmos_core.testing.session import SessionContract


class TestDockerOverSftp(SessionContract):
    patience = 60.0

    @pytest.fixture
    def make_session(self, far):
        return far

    @pytest.fixture
    def python(self):
        return "python3"
