"""The built-in checks keep the contract that plugin authors' checks keep."""

from __future__ import annotations

import pytest

from cosmos_core.checks import cosmos_checks
from cosmos_core.testing.checks import CheckContract


class TestBuiltInChecks(CheckContract):
    @pytest.fixture(params=list(cosmos_checks()), ids=lambda check: check.name)
    def check(self, request):
        return request.param


def test_the_checks_of_the_table_are_all_there():
    """Every row of the specification is a check, at its level and with its weight."""
    assert {
        "file.exists": ("integrity", True),
        "file.not-pointer": ("integrity", True),
        "file.magic": ("integrity", True),
        "file.hash": ("integrity", True),
        "video.decode": ("integrity", True),
        "video.request": ("request", True),
        "dup.exact": ("campaign", True),
        "dup.prefix": ("campaign", False),
        "dup.perceptual": ("campaign", False),
        "content.black": ("content", True),
        "content.frozen": ("content", True),
        "content.flicker": ("content", False),
        "content.flat": ("content", True),
        "content.equals-input": ("content", False),
        "guardrail.effective": ("policy", True),
    } == {check.name: (check.level, check.required) for check in cosmos_checks()}
