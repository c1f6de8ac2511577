"""Looking at runs and changing what is noted on them: list, show, search, rate, tag, cancel, retry, rm, plan, status."""

from __future__ import annotations

import pytest

FOG = ("submit", "a street in fog", "--backend", "double", "--frames", "4")


@pytest.fixture
def fog(say, double, here):
    """The id of a run that waits."""
    return say(*FOG, "--tag", "night", "--seed", "3", "--json").facts["runs"][0]["id"]


def _listed(say, *words):
    return [run["id"] for run in say("list", *words, "--json").facts["runs"]]


def test_runs_are_listed_newest_first_and_picked(say, fog):
    """State, words, tags, campaign and rating pick; all that is asked for must hold."""
    snow = say("submit", "snow", "--backend", "double", "--campaign", "winter", "--json").facts["runs"][0][
        "id"
    ]

    assert [snow, fog] == _listed(say)
    assert [fog] == _listed(say, "--tag", "night", "--text", "fo")
    assert [snow] == _listed(say, "--campaign", "winter")
    assert [] == _listed(say, "--state", "sealed", "--state", "failed")
    assert [fog] == [run["id"] for run in say("search", "fog", "street", "--json").facts["runs"]]
    assert "no runs match" in say("search", "desert").out


def test_a_long_list_goes_on_where_it_ended(say, fog):
    """A page names the next one; ``--all`` gives everything."""
    second = say(*FOG, "--json").facts["runs"][0]["id"]
    page = say("list", "--limit", "1", "--json").facts

    assert ([second], 2) == ([run["id"] for run in page["runs"]], page["total"])
    assert [fog] == _listed(say, "--limit", "1", "--before", str(page["next"]))
    assert [second, fog] == _listed(say, "--limit", "1", "--all")
    assert f"cosmos list --before {page['next']}" in say("list", "--limit", "1").err


def test_show_tells_what_was_asked_and_where_it_came_from(say, fog):
    """The beginning of an id is enough."""
    said = say("show", fog[:6])

    assert said.out.startswith(f"queued  {fog}  street-fog")
    for what in ("a street in fog", "double", "seed     3", "night"):
        assert what in said.out


def test_a_rating_and_tags_are_noted_and_taken_back(say, fog):
    """Tags with a minus are taken off, even when they look like options."""
    assert "rated 4 of 5" in say("rate", fog, "4").out
    assert [fog] == _listed(say, "--rated", "4")
    assert "not rated" in say("rate", fog, "none").out
    say("tag", fog, "+good", "+vague", "+C4")
    tagged = say("tag", fog, "-vague", "-C4", "-never-there", "--json").facts["run"]

    assert ["good", "night"] == tagged["tags"]


def test_a_tag_without_a_sign_is_asked_about(say, fog):
    """Adding and taking off are different wishes; the hint shows both."""
    said = say("tag", fog, "good")

    assert 2 == said.code
    assert "hint: write +good or -good" in said.err


def test_cancel_and_retry_say_what_became_of_each(say, fog):
    """What is impossible for one run stops none of the others, and gives the exit code."""
    assert "cancelled" == say("cancel", fog, "--json").facts["runs"][0]["state"]
    again = say("cancel", fog, "r0000000", "--json")
    assert 3 == again.code
    assert ["refused", "unknown"] == [run["state"] for run in again.facts["runs"]]
    assert "queued" == say("retry", fog, "--json").facts["runs"][0]["state"]
    assert 2 == say("retry", fog).code


def test_a_person_hears_of_every_run_by_name(say, fog):
    """A table with a line a run, then one sentence."""
    say("cancel", fog)
    said = say("cancel", fog, "r0000000")

    assert f"{fog}  refused  run {fog} is already cancelled" in " ".join(said.out.split(" " * 4)).replace(
        "   ", "  "
    )
    assert "2 of 2 could not be changed" in said.err


def test_rm_shows_what_would_go_and_needs_a_word(say, fog, here):
    """Without ``--yes`` nothing is touched; with it rows and files of that run go, and no others."""
    other = say(*FOG, "--json").facts["runs"][0]["id"]
    for run in (fog, other):
        (here.outputs / run / "a1-f1").mkdir(parents=True)
        (here.outputs / run / "a1-f1" / "x.mp4").write_bytes(bytes(1500))
    shown = say("rm", fog)

    assert 2 == shown.code
    assert "1 file  1.5 kB" in shown.out
    assert f"hint: cosmos rm {fog} --yes" in shown.err
    assert (here.outputs / fog).is_dir()

    removed = say("rm", fog, "--yes", "--json")
    assert [{"bytes": 1500, "files": 1, "id": fog, "name": "street-fog", "state": "queued"}] == removed.facts[
        "removed"
    ]
    assert not (here.outputs / fog).exists()
    assert (here.outputs / other / "a1-f1" / "x.mp4").exists()
    assert [other] == _listed(say)
    assert 3 == say("rm", fog, "--yes").code


def test_rm_takes_the_log_that_only_its_runs_used(say, fog, here):
    """A log that another run shares stays until that one goes too; both are shown beforehand."""
    from cosmos_core.api import Cosmos
    from cosmos_core.run import State

    other = say(*FOG, "--seed", "5", "--json").facts["runs"][0]["id"]
    with Cosmos(here.root) as cosmos:
        (load,) = {waiting.load_key for waiting in cosmos.store.waiting()}
        lease = cosmos.store.claim(owner="w", load_key=load, host="h", slot=0, limit=2)
        for run in (fog, other):
            cosmos.store.move(lease, run, State.FAILED)
        cosmos.store.finish(lease)
    log = here.log(lease.batch.id)
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(bytes(2500))

    assert [] == say("rm", fog, "--yes", "--json").facts["logs"]
    assert log.exists()
    shown = say("rm", other)
    assert f"{lease.batch.id}" in shown.out
    assert "2.5 kB" in shown.out
    assert log.exists()
    gone = say("rm", other, "--yes", "--json").facts
    assert [{"batch": lease.batch.id, "bytes": 2500}] == gone["logs"]
    assert not log.exists()


def test_rm_removes_all_or_none(say, fog, here):
    """One unknown id among them, and everything stays."""
    assert 3 == say("rm", fog, "r0000000", "--yes").code
    assert [fog] == _listed(say)


def test_the_plan_names_slots_reasons_and_the_end(say, fog):
    """Nothing is started by looking."""
    plan = say("plan", "--json").facts
    said = say("plan")

    assert [fog] == plan["batches"][0]["runs"]
    assert plan["seconds"] == plan["batches"][-1]["end"] > 0
    assert "local/0" in said.out
    assert "1 run in 1 batch, finished in about" in said.out
    assert "queued" == say("show", fog, "--json").facts["run"]["state"]


def test_status_counts_and_stays_small(say, fog):
    """States with runs in them, slots, and nothing else when nothing happens."""
    assert "1 queued\n0 of 1 slot in use\n" == say("status").out
    assert {"queued": 1} == {
        state: count for state, count in say("status", "--json").facts["counts"].items() if count
    }


JSON = (
    ["init"],
    ["doctor"],
    ["plugins"],
    ["plugins", "show", "checks"],
    ["completion", "zsh"],
    ["clip", "list"],
    ["clip", "show", "street"],
    ["clip", "seal", "clips/street"],
    ["prompt", "new", "fog"],
    ["prompt", "list"],
    ["prompt", "search", "fog"],
    ["submit", "fog", "--clip", "street"],
    ["plan"],
    ["status"],
    ["queue", "status"],
    ["queue", "pause"],
    ["queue", "resume"],
    ["list"],
    ["list", "--all"],
    ["search", "fog"],
    ["verify", "clips"],
    ["export", "dataset"],
    ["generate", "nothing"],
)


@pytest.mark.parametrize("words", JSON, ids=" ".join)
def test_json_before_and_after_the_command_is_one_object_and_nothing_else(say, street, words):
    """Programs read stdout whole, and stderr stays empty."""
    before, after = say("--json", *words), say(*words, "--json")

    assert isinstance(before.facts, dict)
    assert set(before.facts) == set(after.facts)
    assert "" == before.err == after.err
