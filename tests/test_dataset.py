"""Artifacts into a dataset, and a dataset that proves itself."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import attrs
import pytest

from cosmos_core import canonical, dataset, lineage
from cosmos_core import clip as clips
from cosmos_core.audit import examine_folder
from cosmos_core.builtin import folder_export, webdataset
from cosmos_core.checks import cosmos_checks
from cosmos_core.errors import InputError, PluginError, RefusedError, VerifyError, warn
from cosmos_core.extend import Exporter
from cosmos_core.media import file_digest
from cosmos_core.record import ARTIFACT, Dataset, Record, Ruling, Verdict
from cosmos_core.run import Approval, Review, State
from cosmos_core.spec import Variable
from cosmos_core.testing.checks import ExporterContract, make_sealed, make_spec
from cosmos_core.testing.media import make_clip, make_video

CHECKS = tuple(cosmos_checks())
(FOLDER,) = folder_export.cosmos_exporters()
(SHARDS,) = webdataset.cosmos_exporters()


class TestFolderExporter(ExporterContract):
    @pytest.fixture(params=[False, True], ids=["videos", "videos-and-pictures"])
    def options(self, request):
        return folder_export.FolderOptions(posters=request.param)

    @pytest.fixture
    def exporter(self):
        return FOLDER


class TestShardExporter(ExporterContract):
    @pytest.fixture(params=[1000.0, 1e-6], ids=["one-shard", "a-shard-a-video"])
    def options(self, request):
        return webdataset.WebDatasetOptions(shard_mb=request.param)

    @pytest.fixture
    def exporter(self):
        return SHARDS


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


@pytest.fixture
def with_clip(tmp_path):
    """Two sealed videos of one sealed clip."""
    clip = clips.seal(make_clip(tmp_path / "clip"))
    return tuple(
        attrs.evolve(make_sealed(tmp_path / "outputs" / str(seed), seed=seed, clip=clip.digest), clip=clip)
        for seed in (1, 2)
    )


def test_passes_lie_beside_the_videos_once_for_a_clip(with_clip, tmp_path):
    """Two runs of one clip share its passes, columns lead to them, and they are the clip's bytes."""
    options = folder_export.FolderOptions(cameras=("depth", "seg"))
    folder = dataset.export(with_clip, FOLDER, tmp_path / "streets", options)
    rows = _rows(folder)
    clip = with_clip[0].clip

    assert 2 == len(list((folder / "passes").rglob("*.mp4")))
    assert [rows[0]["depth_file_name"]] == list({row["depth_file_name"] for row in rows})
    assert clip.file("depth").sha256 == file_digest(folder / rows[0]["depth_file_name"])
    assert clip.file("seg").sha256 == file_digest(folder / rows[0]["seg_file_name"])


@pytest.mark.parametrize("exporter", [FOLDER, SHARDS], ids=["folder", "webdataset"])
def test_inputs_of_a_dataset_are_compared_by_digest_alone(with_clip, tmp_path, exporter):
    """A depth pass is no result: it is verified when it is what was sealed, and rejected when it is not."""
    options = exporter.options(cameras=("color", "depth", "edge"))
    report = examine_folder(dataset.export(with_clip, exporter, tmp_path / "streets", options), CHECKS)
    passes = 3 if exporter is FOLDER else 6

    assert (2 + passes, 2 + passes) == (report.files, report.verified), report


def test_a_changed_pass_is_found(with_clip, tmp_path):
    """The day it was exported it was another."""
    options = folder_export.FolderOptions(cameras=("depth",))
    folder = dataset.export(with_clip, FOLDER, tmp_path / "streets", options)
    (depth,) = (folder / "passes").rglob("*.mp4")
    depth.write_bytes(make_video(tmp_path / "other.mp4", seed=9).read_bytes())
    report = examine_folder(folder, CHECKS)

    assert (2, 1) == (report.verified, report.rejected)


def test_a_pass_that_is_not_there_stops_the_export(items, with_clip, tmp_path):
    """The run is named, and what its clip has."""
    options = folder_export.FolderOptions(cameras=("lidar",))
    with pytest.raises(VerifyError, match="has no lidar to export: its clip has color"):
        dataset.export(with_clip, FOLDER, tmp_path / "streets", options)
    with pytest.raises(VerifyError, match="its clip is not where it was"):
        dataset.export(items, FOLDER, tmp_path / "streets", options)

    assert not (tmp_path / "streets").exists()


@pytest.mark.filterwarnings("ignore")
def test_hugging_face_reads_the_folder_as_it_is(items, tmp_path, monkeypatch):
    """Its own loader finds each video with its columns, and what people said of some only."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    theirs = pytest.importorskip(
        "datasets", reason="Hugging Face's loader is not installed: pip install datasets"
    )
    shows = (Variable(name="weather", value="rain"),)
    reviews = (Review(who="ada", at=datetime.now(UTC), attempt=1, approval=Approval.APPROVED, note="good"),)
    first = attrs.evolve(
        items[0],
        run=attrs.evolve(items[0].run, shows=shows, tags=("night",), rating=4, approval=Approval.APPROVED),
        reviews=reviews,
    )
    folder = dataset.export([first, *items[1:]], FOLDER, tmp_path / "streets")
    read = theirs.load_dataset(
        "videofolder", data_dir=str(folder), split="train", cache_dir=str(tmp_path / "cache")
    )
    rows = list(read.cast_column("video", theirs.Video(decode=False)))

    assert {item.artifact.digest for item in items} == {row["sha256"] for row in rows}
    assert {row["sha256"] for row in rows} == {file_digest(Path(row["video"]["path"])) for row in rows}
    assert {item.run.spec.prompt.text for item in items} == {row["prompt"] for row in rows}
    said = {row["run"]: (row["shows"], row["tags"], row["rating"], row["review_note"]) for row in rows}
    assert (["weather=rain"], ["night"], 4, "good") == said.pop(first.run.id)
    assert [([], [], None, "")] * 2 == list(said.values())


@pytest.mark.filterwarnings("ignore")
def test_webdataset_reads_the_shards_as_they_are(with_clip, tmp_path):
    """Its own reader gives each sample with its video, its pass and its columns."""
    theirs = pytest.importorskip("webdataset", reason="WebDataset is not installed: pip install webdataset")
    options = webdataset.WebDatasetOptions(cameras=("depth",), shard_mb=1e-6)
    folder = dataset.export(with_clip, SHARDS, tmp_path / "streets", options)
    shards = sorted(str(path) for path in folder.glob("*.tar"))
    samples = list(theirs.WebDataset(shards, shardshuffle=False, empty_check=False).decode())

    assert len(with_clip) == len(shards) == len(samples)
    for item, sample in zip(with_clip, samples, strict=True):
        assert {"mp4", "depth.mp4", "json"} <= sample.keys()
        assert item.artifact.digest == hashlib.sha256(sample["mp4"]).hexdigest() == sample["json"]["sha256"]
        assert item.clip.file("depth").sha256 == hashlib.sha256(sample["depth.mp4"]).hexdigest()


def test_a_shard_holds_samples_of_one_basename(with_clip, tmp_path):
    """As WebDataset reads them: what stands before the first dot is the sample."""
    options = webdataset.WebDatasetOptions(cameras=("depth",))
    folder = dataset.export(with_clip, SHARDS, tmp_path / "streets", options)
    with tarfile.open(folder / "shard-000000.tar") as shard:
        names = shard.getnames()
        about = json.load(shard.extractfile("000001.json"))

    assert [
        f"{key}.{suffix}" for key in ("000000", "000001") for suffix in ("mp4", "depth.mp4", "json")
    ] == names
    assert with_clip[1].artifact.digest == about["sha256"]


def test_shards_verify_as_they_were_sealed(items, tmp_path):
    """The same verdicts come out of the tar files, and a flipped byte in one is found."""
    folder = dataset.export(items, SHARDS, tmp_path / "streets")
    assert (3, 3) == ((report := examine_folder(folder, CHECKS)).files, report.verified)

    shard = folder / "shard-000000.tar"
    content = bytearray(shard.read_bytes())
    content[3000] ^= 255
    shard.write_bytes(content)
    report = examine_folder(folder, CHECKS)
    assert (2, 1) == (report.verified, report.files - report.verified)


def test_a_cut_shard_is_said_to_be_cut(items, tmp_path):
    """It is no folder with fewer videos."""
    folder = dataset.export(items, SHARDS, tmp_path / "streets")
    shard = folder / "shard-000000.tar"
    shard.write_bytes(shard.read_bytes()[:5000])

    with pytest.raises(InputError, match=r"shard-000000\.tar is not a whole tar file"):
        examine_folder(folder, CHECKS)


def test_lineage_leads_from_a_child_to_its_parents_video():
    """An enlargement is based on the video it was made of, where that is in the dataset; else its run is named."""
    parent, child, orphan = (
        Record(
            run=run,
            name=run,
            attempt=1,
            digest=letter * 64,
            fps=Fraction(24),
            recipe="0" * 64,
            spec=make_spec(),
            verdict=Verdict(ruling=Ruling.VERIFIED),
            parent=of,
        )
        for run, letter, of in (("r1", "a", ""), ("r2", "b", "r1"), ("r3", "c", "r0"))
    )
    made = Dataset(exporter="folder", cosmos_core="0", records=(parent, child, orphan))
    by_id = {node["@id"]: node for node in lineage.crate(made)["@graph"]}

    assert {"@id": f"urn:sha256:{'a' * 64}"} == by_id[f"urn:sha256:{'b' * 64}"]["isBasedOn"]
    assert "isBasedOn" not in by_id[f"urn:sha256:{'c' * 64}"]
    assert ["r0"] == [
        each["value"] for each in by_id["#run-r3"]["additionalProperty"] if each["name"] == "parent run"
    ]
    assert [] == [each for each in by_id["#run-r1"]["additionalProperty"] if each["name"] == "parent run"]


def test_lineage_leads_from_each_video_to_what_made_it(with_clip, tmp_path):
    """Every id that the crate refers to is described in it, and each run has its backend, prompt, seed and clip."""
    options = folder_export.FolderOptions(cameras=("depth",))
    folder = dataset.export(with_clip, FOLDER, tmp_path / "streets", options)
    graph = json.loads((folder / "ro-crate-metadata.json").read_text("utf-8"))["@graph"]
    by_id = {each["@id"]: each for each in graph}
    runs = [each for each in graph if each["@type"] == "CreateAction"]

    assert len(graph) == len(by_id)
    assert _references(graph) <= by_id.keys() | {"https://w3id.org/ro/crate/1.1"}
    for run, item in zip(runs, with_clip, strict=True):
        said = {each["name"]: each["value"] for each in run["additionalProperty"]}
        assert item.artifact.digest == by_id[run["result"]["@id"]]["sha256"]
        assert ("#backend-preview", "a street") == (run["instrument"]["@id"], run["description"])
        assert (item.run.spec.seed, "verified") == (said["seed"], said["verdict"])
        assert "Collection" == by_id[run["object"][0]["@id"]]["@type"]


def _references(value):
    """Every ``{"@id": …}`` that is nothing but a reference."""
    if isinstance(value, list):
        return {each for inner in value for each in _references(inner)}
    if isinstance(value, dict):
        if value.keys() == {"@id"}:
            return {value["@id"]}
        return {each for inner in value.values() for each in _references(inner)}
    return set()
