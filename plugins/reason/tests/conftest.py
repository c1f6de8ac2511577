"""A scripted endpoint that really listens, and a sealed video to ask about."""

from __future__ import annotations

import pytest
from cosmos_core_reason.options import ReasonOptions
from cosmos_core_reason.testing import Scripted

from cosmos_core.cli.root import root
from cosmos_core.testing.checks import make_sealed


@pytest.fixture
def endpoint(tmp_path):
    """An endpoint that answers as it should until a test scripts otherwise; nothing was asked against the forms."""
    with Scripted(tmp_path / "endpoint") as made:
        yield made
        assert [] == made.lines("wrong")


@pytest.fixture
def options(endpoint):
    """``options(trials=2)``: the judge at that endpoint, who waits little."""

    def made(**fields):
        return ReasonOptions(**{"url": endpoint.url, "timeout": 5.0, "patience": 20.0} | fields)

    return made


@pytest.fixture
def item(tmp_path):
    """A sealed video, alone in its folder but for its record."""
    return make_sealed(tmp_path / "sealed")


@pytest.fixture
def say(capsys):
    """``say("reason", "--all")``: type a command; its exit code, its facts and what it said."""

    def typed(*words):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            root.main([str(word) for word in words])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return typed
