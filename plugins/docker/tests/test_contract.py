"""What the core relies on whenever it talks to a host holds for containers on this machine."""

from __future__ import annotations

import pytest

from cosmos_core.testing.session import SessionContract


class TestDockerOverLocal(SessionContract):
    @pytest.fixture
    def make_session(self, lay):
        return lay

    @pytest.fixture
    def python(self):
        return "python3"
