"""Questions and rulings, publication of what came home, and the verification of any folder."""

from __future__ import annotations

import json
import shutil
import time
from fractions import Fraction

import attrs
import pytest

from cosmos_core import canonical, plugins, record
from cosmos_core import clip as clips
from cosmos_core.audit import examine_folder
from cosmos_core.checks import cosmos_checks
from cosmos_core.errors import InputError, Level, PluginError, RefusedError, VerifyError, fail, ok, warn
from cosmos_core.examine import Answer, checks_of, configured, examine, rule
from cosmos_core.extend import Check, Prompt
from cosmos_core.media import file_digest
from cosmos_core.record import Ruling
from cosmos_core.run import State
from cosmos_core.settings import Settings
from cosmos_core.store import LeaseLost, NewRun, Store
from cosmos_core.testing import media
from cosmos_core.testing.checks import BROKEN, make_broken, make_output, make_sealed, make_spec
from cosmos_core.verify import verify_returned

CHECKS = tuple(cosmos_checks())
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{:064x}\nsize 3141592\n"
SPEC = make_spec()


def _check(name="test.check", *, level="content", required=True, says=(), order=50):
    return Check(
        name=name,
        summary="It says what it is told.",
        level=level,
        required=required,
        order=order,
        look=lambda output, spec: says,
    )


def _raising(name="test.broken", **kind):
    def look(output, spec):
        yield ok("so far")
        raise ZeroDivisionError("1/0")

    return attrs.evolve(_check(name, **kind), look=look)


WHOLE = Answer(check=_check("test.whole", level="integrity"))


@pytest.mark.parametrize(
    ("answers", "ruling"),
    [
        ([], "unverified"),
        ([Answer(check=_check())], "unverified"),
        ([Answer(check=_check(level="integrity", required=False))], "unverified"),
        ([WHOLE], "verified"),
        ([WHOLE, Answer(check=_check(), findings=(ok("fine"),))], "verified"),
        ([WHOLE, Answer(check=_check(), findings=(warn("hm"),))], "needs-review"),
        ([WHOLE, Answer(check=_check(), findings=(fail("no"),))], "rejected"),
        ([WHOLE, Answer(check=_check(required=False), findings=(warn("hm"),))], "needs-review"),
        ([WHOLE, Answer(check=_check(required=False), findings=(fail("no"),))], "needs-review"),
        ([WHOLE, Answer(check=_check(), findings=(fail("?"),), raised=True)], "unverified"),
        ([WHOLE, Answer(check=_check(required=False), findings=(warn("?"),), raised=True)], "needs-review"),
        (
            [
                WHOLE,
                Answer(check=_check(), findings=(fail("no"),)),
                Answer(check=_check("test.b"), findings=(fail("?"),), raised=True),
            ],
            "unverified",
        ),
    ],
)
def test_the_ruling(answers, ruling):
    """Unanswered beats rejected beats needs-review beats verified; nobody asked is not verified."""
    assert ruling == rule(answers)


@pytest.fixture
def street(tmp_path):
    return make_output(media.make_video(tmp_path / "street.mp4"), SPEC)


@pytest.mark.parametrize(("required", "ruling"), [(True, Ruling.UNVERIFIED), (False, Ruling.NEEDS_REVIEW)])
def test_a_check_that_raises_is_an_unanswered_question(street, required, ruling):
    """It stops no other check, and what it raised is told with the package it came from."""
    verdict = examine(street, SPEC, [*CHECKS, _raising(required=required)])

    assert ruling is verdict.ruling
    assert ("test.broken",) == verdict.unanswered
    assert len(CHECKS) + 1 == len(verdict.asked)
    assert "check test.broken of tests did not answer: ZeroDivisionError: 1/0" in verdict.reason
    assert "COSMOS_BLOCK_PLUGINS" in verdict.findings[-1].hint


def test_an_answer_that_is_no_finding_is_none(street):
    """A plugin that yields sentences instead of findings is told what it did."""
    verdict = examine(street, SPEC, [*CHECKS, _check(says=["fine"])])

    assert Ruling.UNVERIFIED is verdict.ruling
    assert "it gave a str, not a Finding" in verdict.reason


def test_findings_are_signed(street):
    """Each finding names the check that asked and the file it is about, unless it says otherwise itself."""
    verdict = examine(street, SPEC, [*CHECKS, _check(says=[warn("hm"), warn("ha", where="frame 3")])])

    assert [("test.check", "street.mp4"), ("test.check", "frame 3")] == [
        (finding.check, finding.where) for finding in verdict.findings
    ]


def test_what_is_no_video_is_asked_nothing_more(tmp_path):
    """The first failing answer about integrity is the last one, so that later checks see only whole videos."""
    output = make_output(media.make_html(tmp_path / "street.mp4"), SPEC)
    verdict = examine(output, SPEC, [*CHECKS, _raising(), _raising("test.integrity", level="integrity")])

    assert Ruling.REJECTED is verdict.ruling
    assert {"file.exists": 1, "file.not-pointer": 1, "file.magic": 1} == verdict.asked


def test_levels_are_asked_in_their_order(street):
    """Whatever order the checks come in, integrity is asked first and policy last; a stranger comes after all."""
    heard = []

    def listening(name, level, order):
        return attrs.evolve(
            _check(name, level=level, order=order), look=lambda output, spec: heard.append(name) or ()
        )

    asked = [
        listening("f", "of-its-own", 1),
        listening("e", "policy", 1),
        listening("d", "content", 9),
        listening("c", "content", 1),
        listening("b", "request", 99),
        listening("a", "integrity", 99),
    ]
    examine(street, SPEC, asked)

    assert [*"abcdef"] == heard


def test_thresholds_are_bound(tmp_path):
    """What cosmos.toml sets for a check decides its answer."""
    output = make_output(media.make_flicker(tmp_path / "street.mp4"), SPEC)
    loose = configured(CHECKS, {"content.flicker": {"jump": 500}})

    assert Ruling.NEEDS_REVIEW is examine(output, SPEC, CHECKS).ruling
    assert Ruling.VERIFIED is examine(output, SPEC, loose).ruling


def test_an_unknown_threshold_is_refused():
    """A misspelt setting is no setting."""
    with pytest.raises(RefusedError) as refused:
        configured(CHECKS, {"content.flicker": {"jmup": 1}})

    assert "jmup" in refused.value.findings[0].message


def test_two_plugins_that_claim_one_check_leave_none_out():
    """A clash is an error: a check that is missing in silence would be worse."""
    loaded = plugins.load({})
    loaded.register("rival", _Offering(_check("content.black")))
    with pytest.raises(PluginError, match=r"content\.black"):
        checks_of(loaded, Settings())


class _Offering:
    def __init__(self, *checks):
        self.checks = checks

    @plugins.hookspecs.hookimpl
    def cosmos_checks(self):
        return self.checks


@pytest.fixture
def store(tmp_path):
    with_store = Store.open(f"sqlite:///{tmp_path / 'store.sqlite'}", root=tmp_path)
    yield with_store
    with_store.close()


@pytest.fixture
def returned(store, tmp_path):
    """Bring a run to ``returned``: give its lease and itself."""
    numbers = iter(range(1, 99))

    def bring(spec=SPEC, name="A street; at noon"):
        number = next(numbers)
        store.accept([NewRun(id=f"r{number:07}", name=name, spec=spec, load_key="x", seconds=1.0)])
        lease = store.claim(owner="w", load_key="x", host="local", slot=number, limit=1)
        for state in (State.RUNNING, State.RETURNED):
            run = store.move(lease, f"r{number:07}", state)
        return lease, run

    return bring


@pytest.fixture
def publish(store, tmp_path):
    """Call verify as a worker does."""
    loaded = plugins.load({})

    def call(lease, run, output, *, extra=()):
        if extra:
            loaded.register("extra", _Offering(*extra))
        return verify_returned(
            store, lease, run, output, plugins=loaded, settings=Settings(), outputs=tmp_path / "outputs"
        )

    return call


def _listing(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_good_output_is_sealed(publish, returned, street, tmp_path, store):
    """It is copied to its place, named for the run, with a record that traces it back; then the store hears of it."""
    lease, run = returned()
    sealed = publish(lease, run, street)
    folder = tmp_path / "outputs" / run.id / "a1-f1"
    written = record.read_record(folder)

    assert State.SEALED is sealed.state
    assert ["A-street-at-noon.mp4", "artifact.json"] == _listing(folder)
    assert folder / "A-street-at-noon.mp4" == sealed.artifact.path
    assert street.digest == sealed.artifact.digest == written.digest
    assert (12, Fraction(24), 64, 48) == (
        sealed.artifact.frames,
        sealed.artifact.fps,
        sealed.artifact.width,
        sealed.artifact.height,
    )
    assert 8 == len(sealed.artifact.phashes)
    assert (run.id, SPEC, SPEC.digest) == (written.run, written.spec, written.recipe)
    assert Ruling.VERIFIED is written.verdict.ruling
    assert {check.name: check.version for check in CHECKS}.items() <= written.verdict.asked.items()
    assert ("local", f"{lease.batch.id}/1/1", 1) == (written.host, written.job, written.fence)
    assert {"av", "cosmos-core", "python"} <= written.versions.keys()
    assert street.path.is_file()


def test_a_warning_seals_and_is_kept(publish, returned, tmp_path, store):
    """What a person should look at is an artifact, with its findings."""
    lease, run = returned()
    output = make_output(media.make_flicker(tmp_path / "out.mp4"), SPEC)
    publish(lease, run, output)

    assert ["content.flicker"] == [finding.check for finding in store.attempts(run.id)[-1].findings]
    assert Ruling.NEEDS_REVIEW is record.read_record(tmp_path / "outputs" / run.id / "a1-f1").verdict.ruling


@pytest.mark.parametrize("kind", [*BROKEN, "black", "frozen", "flat", "rotten"])
def test_a_bad_output_is_rejected_and_kept(publish, returned, tmp_path, store, kind):
    """It lies apart, where a person can look; there is no artifact."""
    lease, run = returned()
    output = make_output(make_broken(kind, tmp_path / "out.mp4"), SPEC)
    rejected = publish(lease, run, output)
    folder = tmp_path / "outputs" / run.id / "a1-f1"
    video = [] if kind == "missing" else ["rejected/A-street-at-noon.mp4"]

    assert State.REJECTED is rejected.state
    assert rejected.artifact is None
    assert rejected.reason
    assert Level.FAIL in {finding.level for finding in store.attempts(run.id)[-1].findings}
    assert [*video, "rejected/rejection.json"] == _listing(folder)


def test_an_unanswered_question_settles_nothing(publish, returned, street, tmp_path, store):
    """When a required check breaks, the run stays returned and nothing is published."""
    lease, run = returned()
    with pytest.raises(VerifyError, match="ZeroDivisionError"):
        publish(lease, run, street, extra=[_raising()])

    assert State.RETURNED is store.run(run.id).state
    assert not (tmp_path / "outputs").exists()


def test_who_lost_the_lease_publishes_nothing(publish, returned, street, store):
    """The store refuses a late worker, whatever lies in its folder."""
    lease, run = returned()
    late = attrs.evolve(lease, batch=attrs.evolve(lease.batch, fence=0))
    with pytest.raises(LeaseLost):
        publish(late, run, street)

    assert State.RETURNED is store.run(run.id).state


def test_verifying_again_after_a_death_gives_the_same(publish, returned, street, tmp_path):
    """A worker that died between the copy and the store left a folder that the next one simply writes again."""
    lease, run = returned()
    folder = tmp_path / "outputs" / run.id / "a1-f1"
    folder.mkdir(parents=True)
    (folder / "A-street-at-noon.mp4").write_bytes(b"half")
    (folder / ".artifact.json.part-dead").write_bytes(b"{")
    sealed = publish(lease, run, street)

    assert street.digest == file_digest(sealed.artifact.path)


def test_bytes_that_changed_since_they_were_decoded_are_not_sealed(
    publish, returned, street, tmp_path, store
):
    """What is published is what was looked at."""
    lease, run = returned()
    assert street.digest
    assert street.survey.decoded
    media.make_video(street.path, seed=9)
    with pytest.raises(VerifyError, match="changed while it was verified"):
        publish(lease, run, street)

    assert State.RETURNED is store.run(run.id).state
    assert [] == _listing(tmp_path / "outputs")


def test_the_same_bytes_for_another_request_are_rejected(publish, returned, street, tmp_path, store):
    """Even if nobody told verify about the artifact: it asks the store for these very bytes."""
    lease, run = returned()
    publish(lease, run, street)
    other = make_spec(prompt=Prompt("a street in the snow"))
    lease, run = returned(other)
    twin = make_output(shutil.copy(street.path, tmp_path / "twin.mp4"), other, recipes=store.recipes())
    rejected = publish(lease, run, twin)

    assert State.REJECTED is rejected.state
    assert "asked for differently" in rejected.reason


@pytest.fixture
def campaign(tmp_path):
    """Make the folder of a campaign whose videos nobody fetched: 496 pointers to 207 contents."""
    folder = tmp_path / "campaign"
    folder.mkdir()
    for number in range(496):
        text = POINTER.format(number % 207)
        (folder / f"C{number:03}_5s.mp4").write_text(text)
    return folder


def test_a_campaign_of_pointers_is_seen_through(campaign):
    """496 pointers to 207 contents: none is verified, and the report takes less than five seconds."""
    started = time.monotonic()
    report = examine_folder(campaign, CHECKS)

    assert (496, 0, 496, 207) == (report.files, report.videos, report.pointers, report.contents)
    assert (0, 0, 496, 0) == (report.verified, report.needs_review, report.rejected, report.unverified)
    assert 207 == len(report.duplicates)
    assert 496 == sum(len(group.files) for group in report.duplicates)
    assert not report.is_verified
    assert time.monotonic() - started < 5


def test_a_report_is_json(tmp_path):
    """The command line and a page show the same facts."""
    media.make_pointer(tmp_path / "a.mp4")
    plain = json.loads(canonical.dumps(examine_folder(tmp_path, CHECKS)))

    assert 1 == plain["pointers"]
    assert "rejected" == plain["outputs"][0]["verdict"]["ruling"]


@pytest.mark.parametrize("kind", BROKEN)
def test_a_folder_with_what_is_no_video_is_not_verified(tmp_path, kind):
    """Beside a whole video, every broken one is found."""
    media.make_video(tmp_path / "whole.mp4")
    make_broken(kind, tmp_path / "broken.mp4")
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  broken.mp4\n")
    report = examine_folder(tmp_path, CHECKS)

    assert {"whole.mp4": Ruling.VERIFIED, "broken.mp4": Ruling.REJECTED} == {
        each.name: each.verdict.ruling for each in report.outputs
    }


def test_a_folder_of_whole_videos_is_verified(tmp_path):
    """Folders below are walked, other files and hidden folders are not looked at, and progress is told."""
    for number, name in enumerate(["a.mp4", "below/b.mov", ".cache/c.mp4", "poster.jpg", "notes.txt"]):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        media.make_video(path, seed=number) if path.suffix in {".mp4", ".mov"} else path.write_text("x")
    heard = []
    report = examine_folder(tmp_path, CHECKS, lambda done, total, note="": heard.append((done, total, note)))

    assert report.is_verified
    assert ["a.mp4", "below/b.mov"] == [each.name for each in report.outputs]
    assert [(1, 2, "a.mp4"), (2, 2, "below/b.mov")] == heard


def test_links_are_told_and_not_followed(tmp_path):
    """Neither a link to a file nor one to a folder leads out."""
    (tmp_path / "outside").mkdir()
    media.make_video(tmp_path / "outside/a.mp4")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a.mp4").symlink_to(tmp_path / "outside/a.mp4")
    (inside / "below").symlink_to(tmp_path / "outside")
    (only,) = examine_folder(inside, CHECKS).outputs

    assert ("a.mp4", "link", "", Ruling.REJECTED) == (only.name, only.kind, only.digest, only.verdict.ruling)


def test_sealed_clips_are_inputs(tmp_path):
    """In a workspace, only outputs are asked; a clip that is named itself is looked at."""
    clips.seal(media.make_clip(tmp_path / "clips" / "street"))
    media.make_video(tmp_path / "outputs.mp4")

    assert ["outputs.mp4"] == [each.name for each in examine_folder(tmp_path, CHECKS).outputs]
    assert 5 == examine_folder(tmp_path / "clips" / "street", CHECKS).files


def test_an_empty_folder_is_not_verified(tmp_path):
    """Nothing is no proof."""
    assert not examine_folder(tmp_path, CHECKS).is_verified


def test_nothing_is_an_input_error(tmp_path):
    """A path that is not there is the caller's mistake."""
    with pytest.raises(InputError, match="there is nothing at"):
        examine_folder(tmp_path / "no", CHECKS)


def test_one_file_is_a_folder_of_one(tmp_path):
    """What lies beside it is read, and its neighbours are not."""
    media.make_video(tmp_path / "a.mp4")
    media.make_empty(tmp_path / "b.mp4")
    (tmp_path / "SHA256SUMS").write_text(f"{file_digest(tmp_path / 'a.mp4')}  a.mp4\n")
    report = examine_folder(tmp_path / "a.mp4", CHECKS)

    assert report.is_verified
    assert "SHA256SUMS" == report.outputs[0].claimed_by


def test_equal_files_are_grouped_and_held(tmp_path):
    """Both of two equal videos need a person, and the report says which belong together."""
    media.make_video(tmp_path / "a.mp4")
    shutil.copy(tmp_path / "a.mp4", tmp_path / "b.mp4")
    media.make_video(tmp_path / "c.mp4", seed=4)
    report = examine_folder(tmp_path, CHECKS)

    assert (1, 2) == (report.verified, report.needs_review)
    assert [("a.mp4", "b.mp4")] == [group.files for group in report.duplicates]
    assert 2 == report.contents


def test_near_duplicates_in_a_folder_are_found(tmp_path):
    """A re-encode under another name is for a person to look at."""
    media.make_video(tmp_path / "a.mp4")
    media.make_video(tmp_path / "b.mp4", style="exact")
    second = examine_folder(tmp_path, CHECKS).outputs[1]

    assert ["dup.perceptual"] == [finding.check for finding in second.verdict.findings]


def test_echoes_of_a_cosmos_program_are_recipes(tmp_path):
    """Equal bytes from different arguments are rejected, from equal ones expected; the name is no argument."""
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        media.make_video(tmp_path / f"{name}.mp4")
        (tmp_path / f"{name}.json").write_text(json.dumps({"name": name, "prompt": "x", "seed": seed}))
    report = examine_folder(tmp_path, CHECKS)

    assert 3 == report.rejected
    (tmp_path / "c.mp4").unlink()
    assert examine_folder(tmp_path, CHECKS).is_verified


def test_a_sidecar_that_is_not_understood_is_told(tmp_path):
    """It stops nothing, and it is not silently ignored."""
    media.make_video(tmp_path / "a.mp4")
    (tmp_path / "artifact.json").write_text('{"schema": 1}')
    (tmp_path / "metadata.jsonl").write_text("no json\n")
    report = examine_folder(tmp_path, CHECKS)

    assert report.is_verified
    assert ["metadata.jsonl", "artifact.json"] == [note.where for note in report.notes]


def test_a_sidecar_says_nothing_about_other_folders(tmp_path):
    """A name with dots or a root does not lead out of the sidecar's folder."""
    (tmp_path / "below").mkdir()
    media.make_video(tmp_path / "a.mp4")
    sums = "".join(f"{'0' * 64}  {name}\n" for name in ("../a.mp4", "/a.mp4", str(tmp_path / "a.mp4")))
    (tmp_path / "below" / "SHA256SUMS").write_text(sums)

    assert examine_folder(tmp_path, CHECKS).is_verified


def test_a_sealed_folder_is_verified_again_with_its_spec(tmp_path):
    """The record beside an artifact brings its plan, and a changed byte is found by its digest."""
    item = make_sealed(tmp_path / "sealed")
    (first,) = examine_folder(tmp_path, CHECKS).outputs
    path = item.artifact.path
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    (second,) = examine_folder(tmp_path, CHECKS).outputs

    assert ("artifact.json", Ruling.VERIFIED) == (first.claimed_by, first.verdict.ruling)
    assert ["file.hash"] == [finding.check for finding in second.verdict.findings]


def test_what_compared_with_an_input_lasts_while_the_bytes_do(publish, returned, tmp_path):
    """Without its clip, a sealed video keeps the findings that only its clip could give again."""
    (tmp_path / "clip").mkdir()
    media.make_video(tmp_path / "clip" / "color.mp4")
    clip = clips.seal(tmp_path / "clip")
    lease, run = returned(make_spec(clip=clip.digest))
    publish(lease, run, make_output(media.make_video(tmp_path / "out.mp4"), run.spec, clip=clip))
    (with_clip,) = examine_folder(tmp_path / "outputs", CHECKS).outputs
    shutil.rmtree(clip.folder)
    (without,) = examine_folder(tmp_path / "outputs", CHECKS).outputs

    assert Ruling.NEEDS_REVIEW is with_clip.verdict.ruling is without.verdict.ruling
    assert () == with_clip.recorded
    assert {"content.equals-input", "content.frozen"} == set(without.recorded)
    for each in (with_clip, without):
        assert ["content.equals-input"] == [finding.check for finding in each.verdict.findings]


def test_verifying_a_folder_changes_nothing(tmp_path):
    """It reads."""
    make_sealed(tmp_path / "sealed")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    examine_folder(tmp_path, CHECKS)

    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_an_output_is_decoded_once(tmp_path):
    """Whatever is asked, and however often: after the first survey the file is not needed any more."""
    output = make_output(media.make_video(tmp_path / "out.mp4"), SPEC)
    assert output.survey.decoded
    pictures = [check for check in CHECKS if check.name.startswith(("video.", "content.", "dup.p"))]
    output.path.unlink()

    assert [] == [finding for check in pictures for finding in check.look(output, SPEC)]
