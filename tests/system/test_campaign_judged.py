"""From a campaign's file to a judge's word about each of its variables; all is real but the model behind the endpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

testing = pytest.importorskip("cosmos_core_reason.testing")

FILES = {
    "scenes/porch.yaml": "place: the front porch of a small house",
    "scenes/driveway.yaml": "place: a paved driveway",
    "environments/clear_night.yaml": "light: A clear night",
    "environments/heavy_rain.yaml": "light: Heavy rain",
    "subjects/S01.yaml": "description: A courier with a parcel",
    "prompt.jinja2": "{{ subject.description }} at {{ scene.place }}. {{ environment.light }}.",
    "night.yaml": """\
campaign: night
defaults: {backend: double, template: prompt.jinja2, frames: 6, subject: S01, seed: 1234567}
entries:
  - id: A
    matrix:
      scene: [porch, driveway]
      environment: [clear_night, heavy_rain]
""",
}


@pytest.fixture
def night(cosmos, distribution):
    """A campaign's file in the workspace, whose videos a double makes."""
    distribution("cosmos-core-double", {"double": "cosmos_core.testing.double"})
    for name, text in FILES.items():
        path = cosmos.workspace.root / "night" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Path("night/night.yaml")


def test_a_campaigns_variables_are_asked_about(say, cosmos, night, tmp_path):
    """
    The plan shows what will be asked; each video is asked that on three frames, and the one that shows something else
    is named, with the variable that it misses.
    """
    planned = say("campaign", "plan", night)
    facts = say("--json", "campaign", "plan", night).facts
    say("campaign", "submit", night)
    assert 0 == say("work", "--until-idle").code
    with testing.Scripted(tmp_path / "endpoint") as endpoint:
        endpoint.script(attributes={"choose": ["porch", "heavy rain"]})
        judged = say("--json", "reason", "--all", "-q", "attributes", "-o", f"url={endpoint.url}").facts
        asked = endpoint.asked()
        assert [] == endpoint.lines("wrong")
    shown = say("show", next(run["id"] for run in judged["runs"] if run["name"] == "A-driveway-clear_night"))

    text = " ".join(planned.out.split())
    assert "a judge can ask what each video shows" in text
    assert "scene porch (2), driveway (2)" in text
    assert "environment clear night (2), heavy rain (2)" in text
    for video in facts["videos"]:
        assert {"scene", "environment"} == {each["name"] for each in video["shows"]}

    assert {("image_url",)} == {tuple(each["media"]) for each in asked}
    texts = [each["text"] for each in asked]
    assert 4 * 2 * 3 == len(texts)
    assert 12 == sum("scene:\n" in each and "porch" in each and "driveway" in each for each in texts)
    assert 12 == sum(
        "environment:\n" in each and "clear night" in each and "heavy rain" in each for each in texts
    )
    assert not any(word in "".join(texts) for word in ("S01", "1234567", "night.yaml", "A-porch"))

    said = {run["name"]: {each["check"]: each["level"] for each in run["findings"]} for run in judged["runs"]}
    right = {name: [check for check, level in found.items() if level == "ok"] for name, found in said.items()}
    assert {
        "A-porch-heavy_rain": ["reason.attribute.environment", "reason.attribute.scene"],
        "A-porch-clear_night": ["reason.attribute.scene"],
        "A-driveway-heavy_rain": ["reason.attribute.environment"],
        "A-driveway-clear_night": [],
    } == {name: sorted(found) for name, found in right.items()}
    assert "scene is driveway: 0 of 3 frames say so" in shown.out
    assert "reason:wrong-environment" in shown.out
    assert "environment: clear night" in shown.out
