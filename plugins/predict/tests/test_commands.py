"""``cosmos predict plan``: the arithmetic, for people and for scripts."""

from __future__ import annotations

import json

from click.testing import CliRunner
from cosmos_core_predict.commands import predict


def test_a_plan_says_frames_passes_and_what_is_left_to_do():
    """
    A sentence a length, and the offer to share passes.
    """
    said = CliRunner().invoke(predict, ["plan", "5", "10", "30", "--fps", "24"]).output.splitlines()

    assert "5 s: 93 frames at 16 a second in 1 pass, trimmed to 80, delivered at 24" == said[0]
    assert (
        "30 s: 480 frames at 16 a second in 6 passes with enable_autoregressive, delivered at 24" == said[2]
    )
    assert "saves 3 passes" in said[3]


def test_a_plan_in_json_has_the_same_facts():
    """
    Scripts read numbers.
    """
    said = json.loads(CliRunner().invoke(predict, ["plan", "30", "--json"]).output)

    assert (480, 6) == (said["lengths"][0]["model_frames"], said["lengths"][0]["passes"])
    assert [] == said["shared"]


def test_a_chunk_that_cannot_be_is_refused():
    """
    The model sees 93 frames a pass.
    """
    assert 2 == CliRunner().invoke(predict, ["plan", "5", "--chunk", "500"]).exit_code
