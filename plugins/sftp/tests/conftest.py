"""A server for each module, and sessions with it."""

from __future__ import annotations

from contextlib import ExitStack, closing

import attrs
import pytest
from cosmos_core_sftp.options import SftpOptions
from cosmos_core_sftp.session import SftpSession

from cosmos_core.options import build
from cosmos_core.testing.sshd import sshd as sshd  # noqa: PLC0414  (a fixture)


@pytest.fixture
def root(tmp_path):
    """The root on the host."""
    return tmp_path / "far away"


@pytest.fixture
def host(sshd, root):
    """The server as a session's ``open`` gets it."""
    made = sshd.host(root=str(root))
    return attrs.evolve(made, options=build(SftpOptions, made.options, where="options"))


@pytest.fixture
def make_session(host, tmp_path):
    """Open the host once more, as another process would."""
    with ExitStack() as stack:

        def make():
            return stack.enter_context(closing(SftpSession.open(host, tmp_path / "state")))

        yield make


@pytest.fixture
def session(make_session):
    """A session with the host."""
    return make_session()
