"""The whole way, as the how-to page walks it: street, video, verdict, enlargement, judge, person, dataset, verdict again.

Everything is real but the judge's model, whose endpoint follows a script and misbehaves.
"""

from __future__ import annotations

import hashlib
import json

import pytest

pytest.importorskip("cosmos_core_city")
pytest.importorskip("cosmos_core_adherence")
pytest.importorskip("cosmos_core_upscale")
pytest.importorskip("cosmos_core_lerobot")
testing = pytest.importorskip("cosmos_core_reason.testing")
parquet = pytest.importorskip("pyarrow.parquet")

PROMPT = "this street at night in heavy rain, filmed with a steady camera"
SIZE = ("width=320", "height=192", "frames=9", "fps=24", "seed=3")
MISBEHAVING = [
    "4",
    "All in all I would say: score 4/5.",
    "6",
    "",
    {"say": None, "refusal": "I do not judge streets."},
    {"say": "5", "delay": 6.0},
    {"status": 500, "say": "CUDA error"},
    "5",
]
"""Turns of the judge: valid, prose around the digit, 6, empty, refusal, slow, 500; the last one is repeated."""


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_street_becomes_a_dataset(program, cosmos, tmp_path):
    """
    What is exported at the end is byte for byte what was made, verified, judged and approved; each step says what it found.
    """
    root = cosmos.workspace.root

    def cosmos_(*words, code=0):
        done = program("--json", *words, cwd=root, timeout=400)
        assert code == done.code, f"cosmos {' '.join(map(str, words))}: {done.out}{done.err}"
        return done.lines[-1] if words[0] == "work" else done.facts

    cosmos_("generate", "city", "--name", "street", *(word for pair in SIZE for word in ("-p", pair)))
    (made,) = cosmos_(
        *("run", PROMPT, "--clip", "clips/street", "--tag", "weather=rain", "--tag", "time=night"),
        *("-w", "edge=0.6", "-w", "depth=0.4"),
    )["runs"]
    run = cosmos.store.run(made["id"])
    record = json.loads((run.artifact.path.parent / "artifact.json").read_text())
    assert {"video.decode", "control.edge-f1", "control.motion"} <= record["verdict"]["asked"].keys()
    assert "rejected" != record["verdict"]["ruling"]
    assert 0 == cosmos_("verify", "outputs", "--review-is-fine")["report"]["rejected"]

    (larger,) = cosmos_("upscale", run.id, "--backend", "resample", "--factor", "2")["runs"]
    child = cosmos.store.run(larger["id"])
    assert (run.id, 2 * run.artifact.width) == (child.parent, child.artifact.width)

    with testing.Scripted(tmp_path / "endpoint") as endpoint:
        ask = ("reason", run.id, "-o", f"url={endpoint.url}", "-o", "timeout=2", "-o", "trials=8")
        wrong = cosmos_(*ask, "-o", "model=nobody/No-Model", code=8)
        assert "it has: nvidia/Cosmos-Reason2-2B" in str(wrong["runs"][0]["findings"])
        assert [] == endpoint.asked()
        endpoint.script(plausibility=MISBEHAVING, attributes={"choose": ["rain", "night"]})
        (judged,) = cosmos_(*ask)["runs"]
        (enlarged,) = cosmos_("reason", child.id, "-q", "plausibility", "-o", f"url={endpoint.url}")["runs"]
        assert [] == endpoint.lines("wrong")
    said = {each["check"]: each["message"] for each in judged["findings"]}
    assert "plausibility 4.60 of 5 (4 4 5 5 5); 3 of 8 gave no answer" in said["reason.plausibility"]
    assert "weather is rain: 3 of 3" in said["reason.attribute.weather"]
    assert "time is night: 3 of 3" in said["reason.attribute.time"]
    assert "scene is city: 3 of 3" in said["reason.attribute.scene"]
    assert {"ok"} == {each["level"] for each in judged["findings"]}
    assert 0.9 == pytest.approx(judged["score"])
    assert 1.0 == enlarged["score"]

    waiting = [each["id"] for each in cosmos_("review", "list")["runs"]]
    assert [run.id, child.id] == waiting
    cosmos_("review", run.id, "--approve", "--rating", "5", "--note", "good rain")
    cosmos_("export", "lerobot", "--format", "lerobot", "--approved")
    cosmos_("export", "folder", "--approved", "-o", "cameras=depth")

    (row,) = (json.loads(line) for line in (root / "folder/metadata.jsonl").read_text().splitlines())
    assert (run.id, "approved", "good rain", 5) == tuple(
        row[k] for k in ("run", "review", "review_note", "rating")
    )
    assert 0.9 == pytest.approx(row["score"])
    videos = sorted((root / "lerobot").rglob("*output*/**/*.mp4"))
    assert [run.artifact.digest] == [_digest(path) for path in videos]
    (task,) = parquet.read_table(root / "lerobot/meta/tasks.parquet").to_pandas().index
    assert PROMPT == task
    for name in ("lerobot", "folder"):
        report = cosmos_("verify", name, "--review-is-fine")["report"]
        assert report["files"] == report["verified"] + report["needs_review"] >= 2
    assert [] == [each for each in record["verdict"]["findings"] if each["level"] == "fail"]
