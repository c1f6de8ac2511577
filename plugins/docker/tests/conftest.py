"""Hosts whose containers are real, on an engine of our own."""

from __future__ import annotations

import pytest
from cosmos_core_docker.options import DockerOptions
from cosmos_core_docker.session import DockerSession

from cosmos_core.builtin.local.session import LocalSession
from cosmos_core.extend import Host


@pytest.fixture
def image(dockerd):
    """An image with Python 3 and nothing else."""
    return dockerd.python_image()


@pytest.fixture
def lay(dockerd, image, tmp_path):
    """``lay(memory="64m")``: a session on this machine's containers, as another process would open it."""

    def laid(**options):
        options = DockerOptions(**{"docker_host": dockerd.address, "image": image} | options)
        below = LocalSession.open(Host(name="here", root=str(tmp_path / "host")), tmp_path / "state")
        return DockerSession.lay(below, Host(name="here", options=options), tmp_path / "state")

    return laid
