"""Artifacts into a dataset, and a dataset that proves itself."""

from __future__ import annotations

import json
import shutil
import subprocess

import attrs
import pytest

from cosmos_core import canonical, dataset
from cosmos_core.audit import examine_folder
from cosmos_core.builtin import folder_export
from cosmos_core.checks import cosmos_checks
from cosmos_core.errors import InputError, PluginError, RefusedError, VerifyError, warn
from cosmos_core.extend import Exporter
from cosmos_core.media import file_digest
from cosmos_core.record import ARTIFACT, Dataset
from cosmos_core.run import State
from cosmos_core.testing.checks import ExporterContract, make_sealed

CHECKS = tuple(cosmos_checks())
(FOLDER,) = folder_export.cosmos_exporters()


class TestFolderExporter(ExporterContract):
    @pytest.fixture(params=[False, True], ids=["videos", "videos-and-pictures"])
    def options(self, request):
        return folder_export.FolderOptions(posters=request.param)

    @pytest.fixture
    def exporter(self):
        return FOLDER


@pytest.fixture
def items(tmp_path):
    return tuple(make_sealed(tmp_path / "outputs" / str(seed), seed=seed) for seed in (1, 2, 3))


@pytest.fixture
def exported(items, tmp_path):
    return dataset.export(items, FOLDER, tmp_path / "new" / "streets")


def _rows(folder):
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text("utf-8").splitlines()]


def test_a_dataset_verifies_itself(exported):
    """Verifying the export gives the verdicts that the artifacts were sealed with, from plan to policy."""
    report = examine_folder(exported, CHECKS)

    assert (3, 3) == (report.files, report.verified)
    assert {"dataset.json"} == {each.claimed_by for each in report.outputs}
    assert [] == list(report.notes)
    recorded = canonical.parse(
        Dataset, json.loads((exported / "dataset.json").read_text()), where="it"
    ).records
    assert {record.digest: record.verdict.asked for record in recorded} == {
        each.digest: each.verdict.asked for each in report.outputs
    }


def test_a_verdict_for_review_stays_one(items, tmp_path):
    """A warning that only the host could give is not lost on the way."""
    first = items[0].artifact.path.parent / ARTIFACT
    record = json.loads(first.read_text())
    first.write_text(json.dumps(record | {"guardrail": "off"}))
    report = examine_folder(dataset.export(items, FOLDER, tmp_path / "streets"), CHECKS)

    assert (2, 1) == (report.verified, report.needs_review)


@pytest.mark.parametrize(
    ("damage", "asked"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "file.hash"),
        (lambda path: path.write_bytes(b""), "file.magic"),
        (lambda path: path.unlink(), "file.exists"),
    ],
    ids=["cut", "emptied", "removed"],
)
def test_damage_to_a_dataset_is_found(exported, damage, asked):
    """A file that changed, or is gone, is rejected; the others stay verified."""
    damage(sorted((exported / "videos").iterdir())[1])
    report = examine_folder(exported, CHECKS)

    assert (3, 2, 1) == (report.files, report.verified, report.rejected)
    assert [asked] == [finding.check for each in report.outputs for finding in each.verdict.findings]


def test_sums_are_those_of_coreutils(exported):
    """``sha256sum -c`` reads them, and finds a changed byte."""
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    whole = subprocess.run(check, cwd=exported, capture_output=True, text=True, check=False)
    next((exported / "videos").iterdir()).write_bytes(b"x")
    broken = subprocess.run(check, cwd=exported, capture_output=True, text=True, check=False)

    assert (0, "") == (whole.returncode, whole.stdout + whole.stderr)
    assert 1 == broken.returncode


def test_metadata_is_what_a_video_folder_needs(exported, items):
    """One line a video: its file, relative, and what a trainer wants to know of it."""
    rows = _rows(exported)

    assert [item.run.id for item in items] == [row["run"] for row in rows]
    for row, item in zip(rows, items, strict=True):
        assert file_digest(exported / row["file_name"]) == row["sha256"] == item.artifact.digest
        assert (item.run.spec.digest, item.run.spec.seed) == (row["recipe"], row["seed"])
        assert ("a street", "verified", "preview") == (row["prompt"], row["verdict"], row["backend"])
        assert (12, 24.0, 64, 48) == (row["frames"], row["fps"], row["width"], row["height"])


def test_dataset_json_traces_every_run_back(exported, items):
    """Recipe, seed, prompt, backend and versions of the checks; no path of the machine that made it."""
    text = (exported / "dataset.json").read_text("utf-8")
    told = canonical.parse(Dataset, json.loads(text), where="it")

    assert "folder" == told.exporter
    for record, item in zip(told.records, items, strict=True):
        assert item.run.spec == record.spec
        assert item.run.spec.digest == record.recipe
        assert {check.name: check.version for check in CHECKS} == record.verdict.asked
    assert str(exported.parents[1]) not in text


def test_what_a_person_said_since_is_in_it(items, tmp_path):
    """Ratings and tags are those of the day of the export, not of the day of the seal."""
    rated = attrs.evolve(items[0], run=attrs.evolve(items[0].run, rating=5, tags=("hero",)))
    target = dataset.export([rated], FOLDER, tmp_path / "streets")
    (record,) = json.loads((target / "dataset.json").read_text())["records"]
    (row,) = _rows(target)

    assert (5, ["hero"]) == (record["rating"], record["tags"]) == (row["rating"], row["tags"])


def test_without_a_record_the_store_is_asked(items, tmp_path):
    """An artifact whose record is gone is exported with what the run itself says."""
    (items[0].artifact.path.parent / ARTIFACT).unlink()
    doubtful = attrs.evolve(items[0], findings=(warn("hm", check="content.flicker"),))
    target = dataset.export([doubtful], FOLDER, tmp_path / "streets")
    (record,) = json.loads((target / "dataset.json").read_text())["records"]

    assert (items[0].run.id, "needs-review") == (record["run"], record["verdict"]["ruling"])
    assert "needs-review" == _rows(target)[0]["verdict"]


def test_pictures_go_along_when_asked(items, tmp_path):
    """Posters are copied under the video's name, where there are some."""
    items[0].artifact.path.with_name("poster.jpg").write_bytes(b"jpeg")
    target = dataset.export(items, FOLDER, tmp_path / "streets", folder_export.FolderOptions(posters=True))

    assert ["street-r0000001.poster.jpg"] == [path.name for path in (target / "pictures").iterdir()]


def test_every_refusal_is_told_at_once(items, tmp_path):
    """Each run that cannot go in is named, before anything is written."""
    items[1].artifact.path.unlink()
    wrong = [
        attrs.evolve(items[0], run=attrs.evolve(items[0].run, state=State.REJECTED)),
        items[1],
        attrs.evolve(items[2], artifact=items[0].artifact),
    ]
    with pytest.raises(RefusedError) as refused:
        dataset.export(wrong, FOLDER, tmp_path / "streets")

    assert [item.run.id for item in items] == [finding.where for finding in refused.value.findings]
    assert not (tmp_path / "streets").exists()


def test_nothing_makes_no_dataset(tmp_path):
    """An empty selection is told, not exported."""
    with pytest.raises(InputError, match="nothing to export"):
        dataset.export([], FOLDER, tmp_path / "streets")


def test_an_exporter_that_writes_nothing_is_to_blame(items, tmp_path):
    """A plugin that loses everything does not leave a folder that looks like a dataset."""

    def export(given, folder, options, report):
        assert len(items) == sum(1 for _ in given)

    idle = Exporter(name="idle", summary="Writes nothing.", export=export)
    with pytest.raises(PluginError, match="wrote nothing"):
        dataset.export(items, idle, tmp_path / "streets")

    assert not (tmp_path / "streets").exists()


def test_no_exporter_gets_changed_bytes(items, tmp_path):
    """The core hashes again before it hands over, whatever the exporter does."""
    path = items[1].artifact.path
    path.write_bytes(path.read_bytes() + b"\0")
    given = []

    def export(each, folder, options, report):
        for item in each:
            given.append(item.run.id)
            (folder / item.run.id).write_text("")

    careless = Exporter(name="careless", summary="Looks at nothing.", export=export)
    with pytest.raises(VerifyError, match="is not what was sealed"):
        dataset.export(items, careless, tmp_path / "streets")

    assert [items[0].run.id] == given
    assert not (tmp_path / "streets").exists()


def test_progress_is_told_by_artifact(items, tmp_path):
    """One sign for each that went in, with the number of all."""
    heard = []
    dataset.export(
        items, FOLDER, tmp_path / "streets", report=lambda done, total, note="": heard.append((done, total))
    )

    assert [(1, 3), (2, 3), (3, 3)] == heard
