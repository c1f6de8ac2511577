"""A campaign's folder from texts."""

from __future__ import annotations

import textwrap

import pytest

from cosmos_core.campaign import expand, read


@pytest.fixture
def folder(tmp_path):
    """``folder({"night.yaml": "…"})``: write files and give the folder."""

    def write(files):
        made = tmp_path / "campaign"
        for name, text in files.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), "utf-8")
        return made

    return write


@pytest.fixture
def expanded(folder):
    """``expanded("campaign: night\\n…", **{"scenes/porch.yaml": "…"})``: what a file asks for."""

    def expanded_(text, files=None):
        return expand(read(folder({"night.yaml": text, **(files or {})}) / "night.yaml"))

    return expanded_


@pytest.fixture
def said(expanded):
    """As ``expanded``, and gives ``(level, where, message, hint)`` of each finding."""

    def said_(text, files=None):
        return [
            (str(each.level), each.where, each.message, each.hint) for each in expanded(text, files).findings
        ]

    return said_
