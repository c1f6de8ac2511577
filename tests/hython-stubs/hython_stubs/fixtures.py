"""What pytest gets: the fixtures ``hou``, ``houdini`` and ``at_the_desk``.

Parametrise ``houdini_profile`` to run a test in several Houdinis::

    @pytest.mark.parametrize("houdini_profile", ["20.5", "21.0", "22.0"])
    def test_builds(hou): ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hython_stubs.session import Session


@pytest.fixture
def houdini_profile() -> str:
    """Which Houdini: ``20.5``, ``21.0`` or ``22.0``."""
    return "21.0"


@pytest.fixture
def houdini(houdini_profile: str) -> Iterator[Session]:
    """An empty session of the fake, installed as ``hou`` for one test; nobody is at the desk."""
    from hython_stubs.session import install, uninstall

    session = install(houdini_profile)
    yield session
    uninstall()


@pytest.fixture
def hou(houdini: Session) -> Any:
    """The module."""
    return houdini.hou


@pytest.fixture
def at_the_desk(houdini: Session) -> Any:
    """Somebody sits before Houdini: its desk, with ``answers`` to give and ``dialogs`` to look at."""
    houdini.desk.here = True
    return houdini.desk
