"""``cosmos campaign`` as a person and as a program hear it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cosmos_core.testing import media

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)

TEXT = """\
campaign: night
defaults: {backend: double, clip: clips/street, durations: [0.25, 0.5], prompt: "{{ vars.what }} in a street"}
entries:
  - {id: A, vars: {what: a fox}}
  - {id: B, vars: {what: a dog}}
"""


@pytest.fixture
def night(cosmos, double):
    """A campaign's file in the test's workspace."""
    folder = cosmos.workspace.root / "night"
    media.make_clip(folder / "clips" / "street", frames=12, width=64, height=48)
    (folder / "night.yaml").write_text(TEXT)
    return Path("night/night.yaml")


def test_a_campaign_is_typed_from_plan_to_export(say, night):
    """
    Each command says how far things are and what to type next, and exit codes are true.
    """
    planned = say("campaign", "plan", night)
    early = say("campaign", "verify", night)
    queued = say("campaign", "submit", night)
    again = say("campaign", "submit", night)
    waits = say("campaign", "status", night)
    refused = say("campaign", "export", night, "dataset")
    worked = say("work", "--until-idle")
    done = say("campaign", "status", night)
    proved = say("campaign", "verify", night)
    drawn = say("campaign", "sheet", night)
    made = say("campaign", "export", night, "dataset")

    assert "night: 2 definitions × 2 durations (0.25, 0.5 s) = 4 videos" in planned.out
    assert "4 to submit" in planned.out
    assert "cosmos campaign submit night/night.yaml" in planned.err
    assert (9, True) == (early.code, "4 of 4 videos are not there as they were sealed" in early.err)
    assert "4 queued now" in queued.out
    assert "nothing to add" in again.out
    assert "0% 0 of 4 sealed" in " ".join(waits.out.split())
    assert "nobody works on it: cosmos work" in waits.out
    assert (2, True) == (refused.code, "4 of 4 videos are not sealed" in refused.err)
    assert 0 == worked.code
    assert "100% 4 of 4 sealed; complete" in " ".join(done.out.split())
    assert (0, True) == (proved.code, "4 with the bytes that were sealed" in proved.out)
    assert (0, True) == (drawn.code, Path("night/night.jpg").stat().st_size > 1000)
    assert 0 == made.code
    assert 4 == len(list(Path("dataset/videos").glob("*.mp4")))


def test_a_program_gets_the_same_facts(say, night):
    """
    Every command answers in JSON, what is wrong too.
    """
    plan = say("campaign", "plan", night, "--json").facts
    made = say("campaign", "submit", night, "--json").facts
    status = say("campaign", "status", night, "--json").facts
    proof = say("campaign", "verify", night, "--json")
    night.write_text(TEXT.replace("a dog", "a fox"))
    wrong = say("campaign", "submit", night, "--json")

    assert (4, 4) == (plan["outlook"]["runs"], plan["outlook"]["left"])
    assert ["A_0.25s", "A_0.5s", "B_0.25s", "B_0.5s"] == [video["name"] for video in plan["videos"]]
    assert 4 == len(made["new"])
    assert (4, 0, False, {"queued": 4}) == tuple(
        status[key] for key in ("total", "sealed", "complete", "counts")
    )
    assert {"name": "0.25 s", "sealed": 0, "total": 2} == status["durations"][0]
    assert "queued" == status["videos"][0]["standing"]
    assert (9, False, "verify") == (proof.code, proof.facts["verified"], proof.facts["error"]["kind"])
    assert (4, "refused") == (wrong.code, wrong.facts["error"]["kind"])
    assert {"night.yaml:5"} == {finding["where"] for finding in wrong.facts["error"]["findings"]}


def test_watching_ends_when_the_campaign_is_complete(say, begin, night):
    """
    A line whenever something changed, and the last one says so.
    """
    say("campaign", "submit", night)
    watching = begin("campaign", "status", night, "--watch", "--json")
    say("work", "--until-idle")
    out, _ = watching.communicate(timeout=120)
    last = json.loads(out.splitlines()[-1])

    assert (0, True, 4) == (watching.returncode, last["complete"], last["sealed"])


def test_nothing_is_queued_when_anything_is_wrong(say, cosmos, night):
    """
    All findings at once, each with file and line, and the exit code of a refusal.
    """
    night.write_text(
        TEXT.replace("id: A,", "id: A, scene: prch,")
        + "  - {id: b, vars: {what: a hen}}\ntotals: {runs: 5}\n"
    )
    said = say("campaign", "submit", night)

    assert 4 == said.code
    assert "night.yaml:4" in said.err
    assert "there is no scene 'prch' in scenes/" in said.err
    assert "the id b is taken by the entry at night.yaml:5" in said.err
    assert 0 == sum(cosmos.store.counts().values())


def test_a_first_campaign_is_written_once(say, night):
    """
    Its own plan has nothing to say against it, and writing it again is refused.
    """
    made = say("campaign", "new", "first", "--clip", "night/clips/street")
    again = say("campaign", "new", "first")
    planned = say("campaign", "plan", "first/first.yaml", "--list")
    schema = say("campaign", "schema")

    assert (0, 2) == (made.code, again.code)
    assert "first is there already" in again.err
    assert "first: 6 definitions = 6 videos" in planned.out
    assert "yellow raincoat" in planned.out
    assert json.loads(Path("first/campaign.schema.json").read_text()) == schema.facts


def test_the_example_of_the_documentation_is_a_campaign(say, cosmos):
    """
    Who types the page gets what the page says, its totals among it.
    """
    pytest.importorskip("cosmos_core_predict")
    blocks = BLOCK.findall((ROOT / "docs" / "how-to" / "run-a-campaign.md").read_text("utf-8"))
    for name, text in blocks:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    said = say("campaign", "plan", "campaigns/porch/porch.yaml", "--list")

    assert (0, 8) == (said.code, len(blocks))
    assert "porch: 8 definitions, 5, 10, 30 s = 22 videos" in said.out
    assert "D-drive-rain_30s" in said.out
    assert "E-rain-phone_5s" in said.out
    assert "Seen by a door bell." in say("campaign", "plan", "campaigns/porch/porch.yaml", "--json").out
