"""The contracts of a session and of a shell, kept through a real SSH server."""

from __future__ import annotations

from contextlib import ExitStack, closing

import pytest
from cosmos_core_sftp.session import SftpSession

from cosmos_core.testing.session import SessionContract, ShellContract


class TestContract(ShellContract, SessionContract):
    """Each session is a connection of its own."""

    @pytest.fixture
    def make_session(self, host, tmp_path):
        with ExitStack() as stack:
            yield lambda: stack.enter_context(closing(SftpSession.open(host, tmp_path / "state")))
