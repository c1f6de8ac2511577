"""What is tried again when a check rejects it, with what, how often; and when a campaign is paused."""

from __future__ import annotations

import attrs
import pytest
from click.testing import CliRunner

from cosmos_core import retry
from cosmos_core.cli.root import root
from cosmos_core.errors import Remedy, fail
from cosmos_core.run import Attempt, Blame, State, new_id
from cosmos_core.settings import RetrySettings
from cosmos_core.spec import Prompt, Spec
from cosmos_core.store import Again, Full, NewRun, Ruled, Worked
from cosmos_core.testing import double
from cosmos_core.work import Worker


@pytest.mark.parametrize(
    ("span", "ago", "seconds"),
    [(0.0, 0.0, 30.0), (0.0, 20.0, 10.0), (120.0, 0.0, 120.0), (5000.0, 0.0, 600.0), (0.0, 31.0, 0.0)],
)
def test_a_full_host_rests_as_long_as_it_is_known_to_be_full(span, ago, seconds):
    """
    At least the settings' rest and at most ten minutes, however many of its slots found that out.
    """
    full = Full(host="gpu", count=8, span=span, ago=ago, reason="No space left on device")
    rest = retry.rest_of_full(full, 3, 30.0)

    assert ("gpu/3", seconds, True) == (rest.slot, rest.seconds, rest.is_full)
    assert str(rest).startswith("host gpu rests for ")
    assert "because its disk is full: No space left on device" in str(rest)


@pytest.fixture
def ask(cosmos):
    """``ask("black", campaign="streets")``: runs of a campaign."""

    def asked(*prompts, campaign="streets"):
        return cosmos.store.accept(
            [
                NewRun(
                    id=new_id("r"),
                    name="test",
                    spec=Spec(
                        backend="double",
                        prompt=Prompt(text),
                        frames=12,
                        fps=24,
                        width=64,
                        height=48,
                        seed=seed,
                    ),
                    load_key="double",
                    seconds=60.0,
                    campaign=campaign,
                )
                for seed, text in enumerate(prompts)
            ]
        )

    return asked


@pytest.fixture
def rules(cosmos):
    """``rules(seeds=0)``: other settings of retries, for this process."""

    def changed(**values):
        settings = attrs.evolve(cosmos.settings, retry=attrs.evolve(cosmos.settings.retry, **values))
        object.__setattr__(cosmos, "settings", settings)
        cosmos.__dict__.pop("site", None)

    return changed


def work(cosmos):
    Worker(cosmos.site).work(until_idle=True)


def tries(cosmos, run):
    return [(each.state, each.seed) for each in cosmos.store.attempts(run.id)]


def test_a_bad_video_is_tried_with_two_other_seeds_and_kept_each_time(cosmos, ask):
    """
    Then it stays rejected; what was asked for is not changed, every attempt is on record and its file in its folder.
    """
    (run,) = ask("black")
    work(cosmos)
    after = cosmos.store.run(run.id)
    seeds = [seed for _, seed in tries(cosmos, run)]

    assert (State.REJECTED, 3) == (after.state, after.attempt)
    assert [0, retry.other_seed(0, 1), retry.other_seed(0, 2)] == seeds
    assert run.spec == after.spec
    assert 3 == len(list((cosmos.workspace.outputs / run.id).glob("a*/rejected/*.mp4")))


def test_the_first_attempt_that_passes_is_published(cosmos, ask, monkeypatch):
    """
    Its record names the seed that made it; the run still is what was asked for, and `cosmos show` says what was tried.
    """
    encode = double._arguments
    monkeypatch.setattr(
        double,
        "_arguments",
        lambda request: (
            encode(request)
            | {"prompt": "black" if request.spec.seed == 0 else "a street", "digest": request.spec.digest}
        ),
    )
    (run,) = ask("a street")
    work(cosmos)
    after = cosmos.store.run(run.id)
    other = retry.other_seed(0, 1)
    said = CliRunner().invoke(root, ["-C", str(cosmos.workspace.root), "show", run.id]).output

    assert [(State.REJECTED, 0), (State.SEALED, other)] == tries(cosmos, run)
    assert run.spec.digest == after.spec.digest
    record = (after.artifact.path.parent / "artifact.json").read_text()
    assert f'"seed":{other}' in record.replace(" ", "")
    assert attrs.evolve(run.spec, seed=other).digest in record
    assert f"then tried again with seed {other}: content.black rejected attempt 1" in said
    assert f"seed {other}" in said


def test_damage_is_tried_once_more_with_the_same_seed(cosmos, ask, rules):
    """
    The recipe was not to blame.
    """
    rules(streak=0)
    (run,) = ask("a cut street")
    work(cosmos)

    assert [(State.REJECTED, 0)] * 2 == tries(cosmos, run)


def test_a_run_of_no_campaign_waits_for_its_person(cosmos, ask, rules):
    """
    Whoever asks for one video sees what became of it; `retry.always` treats it as one of many.
    """
    (alone,) = ask("black", campaign="")
    work(cosmos)
    assert [State.REJECTED] == [state for state, _ in tries(cosmos, alone)]

    rules(always=True)
    (other,) = ask("black frames", campaign="")
    work(cosmos)
    assert 3 == len(tries(cosmos, other))


def test_a_campaign_that_keeps_failing_one_check_is_paused(cosmos, ask, rules):
    """
    After three in a row nothing more of it is begun, other work goes on, and people read why and how to resume it.
    """
    rules(seeds=0)
    object.__setattr__(
        cosmos, "settings", attrs.evolve(cosmos.settings, queue=attrs.evolve(cosmos.settings.queue, batch=1))
    )
    ask(*(f"black {number}" for number in range(6)))
    (other,) = ask("a street", campaign="other")
    work(cosmos)
    counts = cosmos.store.counts()
    said = {
        verb: CliRunner().invoke(root, ["-C", str(cosmos.workspace.root), *verb.split()]).output
        for verb in ("status", "queue status")
    }

    assert (3, 3) == (counts[State.REJECTED], counts[State.QUEUED])
    assert State.SEALED is cosmos.store.run(other.id).state
    assert "outputs of 3 runs in a row failed content.black" in cosmos.store.paused_campaigns()["streets"]
    assert "cosmos queue resume --campaign streets" in said["status"]
    assert "campaign streets is paused" in said["queue status"]

    CliRunner().invoke(root, ["-C", str(cosmos.workspace.root), "queue", "resume", "--campaign", "streets"])
    assert {} == cosmos.store.paused_campaigns()
    assert () == cosmos.store.ruled("streets")
    assert 3 == len(cosmos.store.waiting())


def test_equal_bytes_for_two_requests_hold_their_campaign(cosmos, ask, monkeypatch):
    """
    Nothing could mend it but a person.
    """
    encode = double._arguments
    monkeypatch.setattr(double, "_arguments", lambda request: {**encode(request), "digest": "0" * 64})
    runs = ask("a street", "another street")
    work(cosmos)

    assert [State.REJECTED, State.SEALED] == sorted(cosmos.store.run(run.id).state for run in runs)
    assert {1} == {cosmos.store.run(run.id).attempt for run in runs}
    assert ["streets"] == list(cosmos.store.paused_campaigns())


def test_a_budget_ends_it(cosmos, ask, rules, caplog):
    """
    A second attempt took some time of its slot, which is all that there was: there is no third, and it is said why.
    """
    rules(streak=0, gpu_minutes=1e-6)
    (run,) = ask("black")
    work(cosmos)
    cost = retry.spent(cosmos.store.retried("streets"))

    assert 2 == len(tries(cosmos, run))
    assert (1, 0.0) == (cost.attempts, cost.predicted)
    assert 0 < cost.measured
    assert f"run {run.id} of campaign streets is not tried again: further attempts took" in caplog.text
    assert "GPU-minutes, measured, and retry.gpu_minutes allows 1e-06" in caplog.text


def test_what_waits_is_counted_as_it_is_predicted(cosmos, ask, rules):
    """
    Of many that are rejected at once no more are promised another attempt than the budget has room for.
    """
    rules(streak=0, gpu_minutes=1.5)
    object.__setattr__(
        cosmos, "settings", attrs.evolve(cosmos.settings, queue=attrs.evolve(cosmos.settings.queue, batch=8))
    )
    runs = ask(*(f"black {number}" for number in range(4)), "a street")
    lease = cosmos.store.claim(
        owner="w",
        load_key="double",
        host="local",
        slot=0,
        gpu="",
        limit=8,
        only=[run.id for run in runs],
        lease=60,
    )
    for run in runs[:4]:
        cosmos.store.move(lease, run.id, State.RUNNING)
        cosmos.store.move(lease, run.id, State.RETURNED)
        cost = retry.spent(cosmos.store.retried("streets"))
        again = None if retry.over_budget(cost, cosmos.settings.retry) else Again(seed=1, reason="again")
        cosmos.store.reject(lease, run.id, [fail("bad", check="a")], reason="bad", again=again)

    assert 2 == cosmos.store.counts()[State.REJECTED]
    assert retry.Spent(attempts=2, predicted=120.0) == retry.spent(cosmos.store.retried("streets"))
    assert retry.Spent() == retry.spent(cosmos.store.retried("other"))


def worked(batch, begun=None, over=None, **more):
    return Worked(
        **{"run": "r", "batch": batch, "gpus": 1, "predicted": 60.0, "begun": begun, "over": over} | more
    )


@pytest.mark.parametrize(
    ("found", "cost", "said"),
    [
        ([], (0, 0.0, 0.0), "0.0 GPU-minutes, measured"),
        ([worked("a", 0.0, 90.0)], (1, 90.0, 0.0), "1.5 GPU-minutes, measured"),
        ([worked("a", 0.0, 90.0, gpus=8)], (1, 720.0, 0.0), "12.0 GPU-minutes, measured"),
        ([worked("a", 0.0, 90.0, gpus=0)], (1, 90.0, 0.0), "1.5 GPU-minutes, measured"),
        ([worked("", gpus=2)], (1, 0.0, 120.0), "2.0 GPU-minutes, predicted"),
        ([worked("a", 30.0)], (1, 0.0, 60.0), "1.0 GPU-minutes, predicted"),
        ([worked("a", 0.0, 9e5, blame=Blame.HOST)], (1, 0.0, 60.0), "1.0 GPU-minutes, predicted"),
        ([worked("a", 0.0, 9e5, blame=Blame.BATCH)], (1, 0.0, 0.0), "0.0 GPU-minutes, measured"),
        ([worked("a", blame=Blame.DISK)], (1, 0.0, 0.0), "0.0 GPU-minutes, measured"),
        ([worked("a", 0.0, 0.5)], (1, 0.5, 0.0), "under 0.1 GPU-minutes, measured"),
        (
            [worked("a", 0.0, 90.0), worked("b", 100.0, 130.0), worked("")],
            (3, 120.0, 60.0),
            "3.0 GPU-minutes, 2.0 measured and 1.0 predicted",
        ),
        # Three share a job of 100 s, of which the further attempt has as much as its prediction has of theirs.
        (
            [
                worked("a", 0.0, 40.0, predicted=30.0),
                worked("a", 0.0, 99.0, predicted=10.0, is_further=False),
                worked("a", 0.0, 100.0, predicted=10.0, is_further=False),
            ],
            (1, 60.0, 0.0),
            "1.0 GPU-minutes, measured",
        ),
        # The second joined the loaded model an hour later.
        ([worked("a", 0.0, 30.0), worked("a", 3600.0, 3630.0)], (2, 60.0, 0.0), "1.0 GPU-minutes, measured"),
    ],
)
def test_what_further_attempts_cost_is_measured_where_it_can_be(found, cost, said):
    """
    Times GPUs; a slot without one counts as one. What was never begun costs nothing.
    """
    made = retry.spent(found)

    assert (cost, said) == ((made.attempts, made.measured, made.predicted), str(made))


@pytest.mark.parametrize(("minutes", "over"), [(0.0, False), (2.0, True), (2.5, False)])
def test_a_budget_of_nothing_is_none(minutes, over):
    """
    And one that is reached is over.
    """
    why = retry.over_budget(retry.Spent(attempts=1, measured=120.0), RetrySettings(gpu_minutes=minutes))

    assert over == bool(why)


def ruled(*checks):
    return [
        Ruled(run=f"r{number}", check=check, message=f"it fails {check}")
        for number, check in enumerate(checks)
    ]


@pytest.mark.parametrize(
    ("found", "pauses"),
    [
        (ruled("", "a", "a"), False),
        (ruled("a", "a", "a"), True),
        (ruled("a", "b", "a", "a"), False),
        (ruled("a", "", "a", "", "", "", "", "", "", "a"), True),
        (ruled("a", "", "", "", "", "", "", "", "", "a"), False),
        (ruled("a", "", "a", "", "", "", "", "", "a", ""), False),
        (ruled("a", "", "a", "", "a", "", "", "", "", "", "a"), False),
        ([], False),
    ],
)
def test_three_in_a_row_or_three_of_the_first_ten_are_too_many(found, pauses):
    """
    Of one check; and it is said which.
    """
    why = retry.breaker(found, [Remedy.SEED], RetrySettings())

    assert pauses == bool(why)
    assert not pauses or "it fails a" in why


def test_one_bad_run_does_not_pause_its_campaign():
    """
    Three seeds of one run are one failure.
    """
    same = [attrs.evolve(each, run="r0") for each in ruled("a", "a", "a")]

    assert "" == retry.breaker(same, [Remedy.SEED], RetrySettings())


@pytest.mark.parametrize(
    ("remedies", "seeds", "seed"),
    [
        ([Remedy.SAME], [7], 7),
        ([Remedy.SAME], [7, 7], None),
        ([Remedy.SEED], [7], retry.other_seed(7, 1)),
        ([Remedy.SEED], [7, 1, 2], None),
        ([Remedy.SAME, Remedy.SEED], [7, 7], retry.other_seed(7, 1)),
        ([Remedy.SAME, Remedy.NONE], [7], None),
        ([Remedy.HOLD, Remedy.SEED], [7], None),
    ],
)
def test_the_finding_says_what_could_help(cosmos, ask, remedies, seeds, seed):
    """
    Where one failure cannot be mended nothing is tried, whatever else failed.
    """
    (run,) = ask("a street")
    run = attrs.evolve(run, spec=attrs.evolve(run.spec, seed=7), seed=seeds[-1], attempt=len(seeds))
    findings = [attrs.evolve(fail("bad", check="some.check"), remedy=remedy) for remedy in remedies]
    made = [
        Attempt(number=number, batch="b", fence=1, state=State.REJECTED, seed=each)
        for number, each in enumerate(seeds, start=1)
    ]
    again = retry.next_try(run, findings, made, RetrySettings())

    assert seed == (again.seed if again else None)
