"""A campaign in a workspace: queued all or none, counted from artifacts, proved by their bytes."""

from __future__ import annotations

import json

import attrs
import pytest

from cosmos_core import Cosmos, hookimpl
from cosmos_core.accept import accept_child
from cosmos_core.campaign import starter
from cosmos_core.errors import InputError, RefusedError
from cosmos_core.extend import Check
from cosmos_core.record import read_record
from cosmos_core.run import State
from cosmos_core.store import Query
from cosmos_core.testing import double, media
from cosmos_core.work import Worker

TEXT = """\
campaign: night
defaults:
  backend: double
  clip: clips/street
  durations: [0.25, 0.5]
  prompt: "{{ vars.what }} in a street"
entries:
  - {id: A, vars: {what: a fox}}
  - {id: B, vars: {what: a dog}}
totals: {definitions: 2, runs: 4}
"""


@pytest.fixture
def cosmos(cosmos):
    """The workspace, with the double on offer."""
    cosmos.plugins.register("double", double)
    return cosmos


@pytest.fixture
def campaign(cosmos, folder):
    """``campaign(text)``: the file with that text, opened; its clip lies beside it."""

    def opened(text=TEXT):
        made = folder({"night.yaml": text})
        if not (made / "clips").exists():
            media.make_clip(made / "clips" / "street", frames=12, width=64, height=48)
        return cosmos.campaign(made / "night.yaml")

    return opened


def work(cosmos):
    Worker(cosmos.site).work(until_idle=True)


def test_a_campaign_goes_from_its_file_to_a_dataset(cosmos, campaign, tmp_path):
    """
    Planned, queued, worked, counted, proved, exported in the order of the file; a second submission adds nothing.
    """
    night = campaign()
    outlook = night.outlook()
    first, second = night.submit(), night.submit()
    queued = night.status()
    with pytest.raises(InputError, match="4 of 4 videos are not sealed"):
        cosmos.export_campaign(night, tmp_path / "early")
    work(cosmos)
    status, proof = night.status(), night.verify()
    made = cosmos.export_campaign(night, tmp_path / "dataset")

    assert (2, (0.25, 0.5), 4, 4, 0) == (
        outlook.definitions,
        outlook.durations,
        outlook.left,
        outlook.passes,
        outlook.sealed,
    )
    assert [("local", 4)] == [(host.host, host.runs) for host in outlook.hosts]
    assert outlook.seconds > 0 < outlook.bytes
    assert not outlook.is_measured
    assert (["A_0.25s", "A_0.5s", "B_0.25s", "B_0.5s"], ()) == ([run.name for run in first.new], second.new)
    assert ({"queued": 4}, 0) == (queued.counts, queued.sealed)
    assert queued.seconds_left > 0
    assert (status.is_complete, {"sealed": 4}, None) == (True, status.counts, status.seconds_left)
    assert [("0.25 s", 2, 2), ("0.5 s", 2, 2)] == [attrs.astuple(row) for row in status.by_duration()]
    assert [("A", 2, 2), ("B", 2, 2)] == [attrs.astuple(row) for row in status.by_entry()]
    assert {6, 12} == {each.run.artifact.frames for each in status.standings}
    assert (True, 4, ()) == (proof.is_whole, proof.intact, proof.findings)
    assert 4 == len(list((made / "videos").glob("*.mp4")))
    assert 0 == night.outlook().left + night.outlook().passes


def test_of_a_changed_file_only_what_changed_is_queued(cosmos, campaign):
    """
    What is sealed stays; what is asked no more is named, does not count, and is cancelled when somebody says so.
    """
    campaign().submit()
    work(cosmos)
    other = campaign(TEXT.replace("a dog", "a cat"))
    before = other.status()
    changed = other.submit()
    third = campaign(TEXT.replace("a dog", "a hen"))
    dropped = third.submit(drop=True)

    assert ({"sealed": 2, "not submitted": 2}, 2) == (before.counts, len(before.dropped))
    assert ["B_0.25s", "B_0.5s"] == [run.name for run in changed.new]
    assert ["a cat in a street"] * 2 == [run.spec.prompt.text for run in changed.new]
    assert {run.id for run in changed.new} == {run.id for run in dropped.cancelled}
    assert 2 == len(dropped.new)
    assert 2 == third.status().sealed


def values(run):
    return {each.name: (each.value, each.others) for each in run.shows}


def test_what_a_video_should_show_goes_with_it_everywhere(cosmos, campaign, tmp_path):
    """
    Checks and steps read it, a child has it of its parent, and the dataset and its records say it.
    """
    heard = []

    class Listener:
        @hookimpl
        def cosmos_checks(self):
            yield Check(
                name="listen",
                summary="Hears what a video should show.",
                look=lambda output, spec: heard.append(output.shows) or (),
            )

    cosmos.plugins.register("listener", Listener())
    night = campaign()
    night.submit()
    work(cosmos)
    sealed = [each.run for each in night.status().standings]
    child = accept_child(cosmos, sealed[0], attrs.evolve(sealed[0].spec, seed=7), token="child")
    made = cosmos.export_campaign(night, tmp_path / "dataset")
    rows = [json.loads(line) for line in (made / "metadata.jsonl").read_text().splitlines()]
    records = [read_record(run.artifact.path.parent) for run in sealed]

    assert {"what": ("a fox", ("a dog",))} == values(sealed[0]) == values(child) == values(records[0])
    assert {"what": ("a dog", ("a fox",))} == values(sealed[-1])
    assert {run.shows for run in sealed} == set(heard)
    assert [["what=a fox"]] * 2 + [["what=a dog"]] * 2 == [row["shows"] for row in rows]
    report, _ = night.examine(made / "videos")
    assert 4 == report.files


def test_what_a_file_says_later_counts_for_videos_that_are_there(cosmos, campaign):
    """
    It changes no pixel, so nothing is queued, and nothing else of a run changes.
    """
    campaign().submit()
    before = cosmos.store.page(Query()).runs
    named = TEXT.replace("  - {id: A,", "  - {id: A, shows: {animal: fox},")
    added = campaign(named).submit()
    after = cosmos.store.page(Query()).runs

    assert () == added.new
    assert [{"what": ("a dog", ())}] * 2 + [{"animal": ("fox", ())}] * 2 == [values(run) for run in after]
    assert [attrs.evolve(run, shows=()) for run in before] == [attrs.evolve(run, shows=()) for run in after]


def test_only_what_ended_badly_is_made_again(cosmos, campaign):
    """
    A rejected and a failed run wait for a word; what a guardrail blocked waits for one about itself.
    """
    text = TEXT.replace("a fox", "pointer").replace("a dog", "block-prompt")
    night = campaign(text + "include: []\n")
    night.submit()
    work(cosmos)
    status = night.status()
    plain, again = night.submit(), night.submit(redo=True)

    assert {"rejected": 2, "blocked": 2} == status.counts
    assert all("pointer" in each.reason for each in status.bad() if each.word == "rejected")
    assert ((), ()) == (plain.new, plain.redone)
    assert {"A_0.25s", "A_0.5s"} == {run.name for run in again.redone}
    assert {State.QUEUED} == {run.state for run in again.redone}
    assert {"queued": 2, "blocked": 2} == night.status().counts


def test_what_trying_again_cost_is_told(cosmos, campaign, say, distribution):
    """
    Measured, and that nothing is tried again any more where the budget is over.
    """
    rules = attrs.evolve(cosmos.settings.retry, streak=0, gpu_minutes=1e-6)
    cosmos.settings = attrs.evolve(cosmos.settings, retry=rules)
    night = campaign(
        TEXT.replace("a fox", "black").replace("[0.25, 0.5]", "[0.25]").replace("runs: 4", "runs: 2")
    )
    night.submit()
    work(cosmos)
    status = night.status()
    with cosmos.workspace.settings.open("a") as out:
        out.write("\n[retry]\ngpu_minutes = 1e-6\n")
    distribution("cosmos-core-double", {"double": "cosmos_core.testing.double"})
    said = say("campaign", "status", night.path)
    facts = say("--json", "campaign", "status", night.path).facts

    assert {"rejected": 1, "sealed": 1} == status.counts
    assert (1, 0.0) == (status.retried.attempts, status.retried.predicted)
    assert status.retried.measured > 0
    assert "1 further attempt at what was rejected: " in said.out
    assert "what is rejected now waits for your word" in " ".join(said.out.split())
    assert (1, True) == (facts["retried"]["attempts"], "measured" in facts["over_budget"])


def test_two_who_submit_at_once_queue_it_once(cosmos, campaign):
    """
    Both saw nothing there; the second one's token is the first one's.
    """
    night = campaign()
    nothing = night.status()
    missing = [each.wanted for each in nothing.standings]
    one, other = night._accept(missing, nothing), night._accept(missing, nothing)

    assert [run.id for run in one] == [run.id for run in other]
    assert 4 == night.status().counts["queued"]


def test_what_was_removed_may_be_asked_for_again(cosmos, campaign):
    """
    A token remembers what it brought, and not that it must never come again.
    """
    night = campaign()
    for _ in range(3):
        made = night.submit().new
        assert 4 == len(made)
        cosmos.remove([run.id for run in made])


def test_artifacts_are_counted_and_files_are_not(cosmos, campaign):
    """
    A copy, a run of the same name and a state change nothing; a changed or lost file is named.
    """
    night = campaign()
    night.submit()
    work(cosmos)
    one, two, *_ = [each.run.artifact for each in night.status().standings]
    (one.path.parent / "B_9s.mp4").write_bytes(one.path.read_bytes())
    cosmos.submit(
        "something else",
        clip=str(night.path.parent / "clips/street"),
        backend="double",
        name="A_0.25s",
        campaign="night",
    )
    one.path.write_bytes(b"x" * one.bytes)
    two.path.unlink()
    proof = night.verify()

    assert (4, 4, 2, False) == (night.status().total, night.status().sealed, proof.intact, proof.is_whole)
    assert {"A_0.25s", "A_0.5s"} == {finding.where for finding in proof.findings}
    assert any("is not what was sealed" in finding.message for finding in proof.findings)
    assert any("is not at" in finding.message for finding in proof.findings)


def test_what_a_person_rejected_is_sealed_and_not_exported(cosmos, campaign, tmp_path):
    """
    People's words move no run; a dataset of the campaign waits for another one, or leaves it out when asked.
    """
    night = campaign()
    night.submit()
    work(cosmos)
    cosmos.review(night.status().standings[1].run.id, "rejected")
    with pytest.raises(InputError, match="1 were rejected by a person"):
        cosmos.export_campaign(night, tmp_path / "all")
    made = cosmos.export_campaign(night, tmp_path / "some", partial=True)

    assert (True, 1) == (night.status().is_complete, night.status().refused)
    assert 3 == len(list((made / "videos").glob("*.mp4")))


def test_a_clip_says_how_long_its_videos_are(campaign):
    """
    A campaign of a clip needs no durations: frames and rate are the clip's, and totals are compared.
    """
    night = campaign(TEXT.replace("  durations: [0.25, 0.5]\n", "").replace("runs: 4", "runs: 2"))

    assert [("A", 12), ("B", 12)] == [(each.item.name, each.new.spec.frames) for each in night.wanted]
    assert (0, ()) == (night.submit().before.sealed, night.status().by_duration())


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        (("backend: double", "backend: dubble"), "night.yaml:3", "dubble"),
        (("clip: clips/street", "clip: clips/strt"), "night.yaml:4", "there is no clip 'clips/strt'"),
        (("  prompt:", "  seed: -1\n  prompt:"), "night.yaml:6", "seed -1 is outside"),
        (("  prompt:", "  options: {a: 1}\n  prompt:"), "night.yaml:6", "a"),
        (("  prompt:", "  weights: {dpth: 1}\n  prompt:"), "night.yaml:6", "there is no control 'dpth'"),
        (("a dog", "a fox"), "night.yaml:9", "B_0.25s asks for the very video that A_0.25s asks for"),
        (("runs: 4", "passes: 5"), "night.yaml:10", "totals says 5 passes, and the entries make 4"),
        (('"{{ vars.what }} in a street"', '"@street-fog"'), "night.yaml:6", "street-fog"),
    ],
)
def test_what_submit_reviews_is_found_at_the_line_that_asks_for_it(cosmos, campaign, change, where, message):
    """
    Backend, clip, seed, options, controls, prompts of the library, and two names for one video. Nothing is queued.
    """
    assert change[0] in TEXT
    with pytest.raises(RefusedError) as refused:
        campaign(TEXT.replace(*change))

    found = [
        (finding.where, finding.message) for finding in refused.value.findings if finding.level == "fail"
    ]
    assert any(at == where and message in told for at, told in found), found
    assert 0 == sum(cosmos.store.counts().values())


def test_lengths_that_share_a_seed_are_worth_a_word(campaign):
    """
    Equal prompt and seed gave three lengths that were one video; nothing is refused for it.
    """
    night = campaign(TEXT.replace("  prompt:", "  seed: 0\n  prompt:"))

    assert ["night.yaml:6"] == [finding.where for finding in night.warnings]
    assert "share prompt and seed" in night.warnings[0].message


def test_without_a_seed_each_video_has_its_own_and_keeps_it(campaign):
    """
    The seed follows from the request, so that the same file asks for the same videos tomorrow.
    """
    seeds = [each.new.spec.seed for each in campaign().wanted]

    assert 4 == len(set(seeds))
    assert seeds == [each.new.spec.seed for each in campaign().wanted]


def test_an_output_of_another_folder_is_held_against_the_file(campaign, cosmos, tmp_path):
    """
    A folder that came from elsewhere is compared name by name: length, what is missing, what nobody asked for.
    """
    night = campaign()
    night.submit()
    work(cosmos)
    videos = {each.wanted.item.name: each.run.artifact.path for each in night.status().standings}
    came = tmp_path / "came"
    came.mkdir()
    for name, taken in {
        "A_0.25s": "A_0.25s",
        "A_0.5s": "A_0.25s",
        "B_0.5s": "B_0.5s",
        "C": "B_0.25s",
    }.items():
        (came / f"{name}.mp4").write_bytes(videos[taken].read_bytes())
    report, findings = night.examine(came)
    rulings = {each.name: each.verdict for each in report.outputs}

    assert {"B_0.25s": "there is no such file", "C.mp4": "the campaign asks for no video of that name"} == {
        finding.where: finding.message for finding in findings
    }
    assert "rejected" == rulings["A_0.5s.mp4"].ruling
    assert any("6 frames, not the 12" in each.message for each in rulings["A_0.5s.mp4"].findings)
    assert "verified" == rulings["B_0.5s.mp4"].ruling


def test_the_starter_is_a_campaign(tmp_path, cosmos, make_clip):
    """
    Its totals agree, nothing about it is wrong where its backend is there, and it never overwrites anything.
    """
    clip = make_clip("street", frames=12, width=64, height=48)
    path = starter.write(tmp_path / "first", clip=str(clip.folder))
    made = Cosmos(cosmos.workspace.root).campaign(path)

    assert 6 == len(made.wanted)
    assert "A courier in a yellow raincoat" in made.wanted[1].new.spec.prompt.text
    with pytest.raises(InputError, match="is there already"):
        starter.write(tmp_path / "first")
