"""A whole judgement: what is asked, what it comes to, and what is kept."""

from __future__ import annotations

import json

import attrs
import pytest
from cosmos_core_reason import cosmos_checks, cosmos_steps
from cosmos_core_reason.follow import follow
from cosmos_core_reason.questions import attributes, variables

from cosmos_core.checks import cosmos_checks as built_in
from cosmos_core.errors import InputError, Level
from cosmos_core.examine import configured, examine
from cosmos_core.extend import Variable
from cosmos_core.record import Ruling
from cosmos_core.testing.checks import CheckContract, StepContract, make_output, make_spec
from cosmos_core.testing.media import make_video

(STEP,) = cosmos_steps()
(CHECK,) = cosmos_checks()


class TestStep(StepContract):
    @pytest.fixture
    def step(self):
        return STEP

    @pytest.fixture
    def options(self, options):
        return options(expect=("weather=rain", "subject=a tram"))


class TestStepOfADeadEndpoint(StepContract):
    @pytest.fixture
    def step(self):
        return STEP

    @pytest.fixture
    def options(self, options):
        return options(url="http://127.0.0.1:9/v1")


class TestCheck(CheckContract):
    @pytest.fixture
    def check(self):
        return CHECK


@pytest.fixture
def judge(item, options):
    """``judge(trials=2)``: what is said about the sealed video."""

    def judged(*, tags=(), **fields):
        run = attrs.evolve(item.run, tags=tags)
        return follow(item.artifact, run, item.artifact.path.parent, options(**fields))

    return judged


def said(followed):
    return {each.check: (str(each.level), each.message) for each in followed.findings}


def test_a_good_video_is_ranked_high(judge, endpoint):
    """
    The published numbers of trials are asked, each with a seed of its own, with the video itself.
    """
    endpoint.script(plausibility=["5", "Score: 4", "<think>hm</think>5", "4/5"])
    followed = judge(questions=("plausibility", "anomaly"))

    assert {
        "reason.plausibility": ("ok", "plausibility 4.50 of 5 (5 4 5 4)"),
        "reason.anomaly": ("ok", "4 of 4 trials find no anomaly"),
    } == said(followed)
    assert 0.875 == followed.score
    assert () == followed.tags
    asked = endpoint.asked()
    assert [0, 1, 2, 3, 1, 2, 3, 4] == [each["seed"] for each in asked]
    assert {("video_url",)} == {tuple(each["media"]) for each in asked}


def test_a_bad_video_is_doubtful_and_nothing_fails(judge, endpoint):
    """
    A low score and anomalies warn: a judge ranks, and rejects nothing.
    """
    wheel = '<component name="wheel"><analysis>melts</analysis><anomaly>Yes</anomaly></component>'
    critic = f"<think>{wheel}</think><answer>Yes</answer>"
    endpoint.script(plausibility="2", anomaly=[critic, critic, critic, "<answer>No</answer>"])
    followed = judge(questions=("plausibility", "anomaly"))

    assert {
        "reason.plausibility": ("warn", "plausibility 2.00 of 5 (2 2 2 2)"),
        "reason.anomaly": ("warn", "1 of 4 trials find no anomaly: wheel"),
    } == said(followed)
    assert (0.25, ("reason:doubtful",)) == (followed.score, followed.tags)


def test_trials_that_disagree_are_said(judge, endpoint):
    """
    A mean of 1 and 5 is no moderate video.
    """
    endpoint.script(plausibility=["5", "1", "5", "5"])
    followed = judge(questions=("plausibility",))

    assert ("warn", "plausibility 4.00 of 5 (5 1 5 5); the trials disagree by 4") == said(followed)[
        "reason.plausibility"
    ]


def test_an_unclear_trial_is_lost_and_counted(judge, endpoint):
    """
    "6", prose without a score and a refusal are no scores; the mean is that of the others.
    """
    endpoint.script(plausibility=["4", "6", "It is fine.", "5"])
    level, message = said(judge(questions=("plausibility",)))["reason.plausibility"]

    assert (
        "plausibility 4.50 of 5 (4 5); 2 of 4 gave no answer (6 is not a score from 1 to 5: '6')" == message
    )
    assert "ok" == level


def test_when_most_trials_are_unclear_there_is_no_score(judge, endpoint):
    """
    It is an error that is said, and never a three.
    """
    endpoint.script(plausibility=["4", "6", "It is fine.", {"say": None, "refusal": "no"}])
    followed = judge(questions=("plausibility",))

    assert "no answer about plausibility" in said(followed)["reason.plausibility"][1]
    assert (None, ("reason:doubtful", "reason:unanswered")) == (followed.score, followed.tags)


def test_attributes_are_asked_of_three_frames(judge, endpoint):
    """
    Two of three must agree. A variable with a vocabulary is a choice, another one yes or no.
    """
    endpoint.script(attributes=["Yes", "No", "Yes"])
    followed = judge(questions=("attributes",), tags=("subject=a tram", "hero"))

    assert {"reason.attribute.subject": ("ok", "subject is a tram: 2 of 3 frames say so")} == said(followed)
    assert [["image_url"]] * 3 == [each["media"] for each in endpoint.asked()]
    endpoint.script(attributes=["Yes", "No", "No"])
    followed = judge(questions=("attributes",), tags=("subject=a bus",))

    level, message = said(followed)["reason.attribute.subject"]
    assert ("warn", 0.0) == (level, followed.score)
    assert "not in the" in message
    assert ("reason:doubtful", "reason:wrong-subject") == followed.tags


def test_choices_come_from_the_vocabulary_and_other_runs():
    """
    The right letter is not always the same, so a model that likes one gains nothing.
    """
    asked = list(attributes({"weather": "rain", "scene": "harbour"}, {"scene": ("street", "harbour")}))
    weather = [each for each in asked if each.id == "attribute.weather"]
    scene = [each for each in asked if each.id == "attribute.scene"]

    assert {"rain"} == {each.options[each.expected] for each in weather}
    assert len({each.expected for each in weather}) > 1
    assert [{"street", "harbour"}] * 3 == [set(each.options.values()) for each in scene]
    assert ["first", "middle", "last"] == [each.moment for each in weather]


def test_variables_are_the_runs_own_its_tags_and_what_the_clip_says(item):
    """
    What is expected beside them is heard last; a tag without a value is none.
    """
    shows = (Variable(name="weather", value="fog"), Variable(name="place", value="porch"))
    run = attrs.evolve(item.run, shows=shows, tags=("weather=rain", "hero", "time=night"))
    found = variables(run, ("time=dusk",), {"scene": "city", "place": "street", "seed": 4})

    assert {"scene": "city", "place": "porch", "weather": "rain", "time": "dusk"} == found


def test_a_question_has_room_for_the_right_answer():
    """
    However many others there are.
    """
    towns = tuple(f"town {letter}" for letter in "abcdefghijklmnopqrstuvwxyz")
    asked = list(attributes({"place": "harbour"}, {"place": towns}))

    assert [12] * 3 == [len(each.options) for each in asked]
    assert ["harbour"] * 3 == [each.options[each.expected] for each in asked]


QUESTIONS = """\
must_pass_checks:
  - question: Is there a tram?
    answer: yes
    contains: []
  - {question: "What do the arms hold?", answer: A piece of blue fabric, contains: [blue, fabric]}
vqa_checks:
  - {question: "Is it day?", answer: "No"}
  - {question: "Is it wet?", answer: "Yes"}
"""


def test_must_pass_questions_are_asked_in_nvidias_form(judge, endpoint, tmp_path):
    """
    One that fails makes the score nothing, whatever the others say.
    """
    file = tmp_path / "checks.yaml"
    file.write_text(QUESTIONS)
    endpoint.script(**{"else": ["Yes.", "They hold blue fabric", "No", "No"]})
    followed = judge(questions=(str(file),))

    assert ["ok", "ok", "ok", "warn"] == [level for level, _ in said(followed).values()]
    assert 0.75 == followed.score
    endpoint.script(**{"else": ["No.", "blue fabric", "No", "Yes"]})
    followed = judge(questions=(str(file),), again=True)

    assert (
        "must-pass question failed: Is there a tram? It said 'No.'" == said(followed)["reason.must-pass.1"][1]
    )
    assert (0.0, ("reason:doubtful", "reason:must-pass")) == (followed.score, followed.tags)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[", "line 1"),
        ("- a", "no table"),
        ("checks: []", "'checks'"),
        ("must_pass_checks: 4", "no list"),
        ("must_pass_checks: [{question: a}]", "neither an answer nor keywords"),
        ("must_pass_checks: [{question: a, anwser: b}]", "anwser"),
        ("vqa_checks: [{answer: b}]", "asks nothing"),
        ("vqa_checks: []", "it has none"),
    ],
)
def test_a_file_of_questions_that_is_wrong_is_refused(judge, endpoint, tmp_path, text, why):
    """
    With what is wrong in it, before anything is asked.
    """
    file = tmp_path / "checks.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=why):
        judge(questions=(str(file),))
    with pytest.raises(InputError, match="no questions 'plausible'"):
        judge(questions=("plausible",))

    assert [] == endpoint.asked()


def test_own_words_take_the_place_of_ours(judge, endpoint, tmp_path):
    """
    NVIDIA's file of prompts is taken as it is.
    """
    file = tmp_path / "video_reward.yaml"
    file.write_text(
        "system_prompt: Be kind.\nuser_prompt: |\n  Does it adhere to the physical laws, my friend?\n"
    )
    judge(questions=(f"plausibility={file}",), trials=1)

    assert ["Does it adhere to the physical laws, my friend?"] == [each["text"] for each in endpoint.asked()]


def test_replies_are_kept_and_asked_for_once(judge, item, endpoint):
    """
    Beside the video lies what was said, by which model; a second look asks nothing, and again asks all.
    """
    first = judge(questions=("plausibility",), trials=2)
    second = judge(questions=("plausibility",), trials=2)
    kept = json.loads((item.artifact.path.parent / "reason.json").read_text())

    assert first == second
    assert 2 == len(endpoint.asked())
    assert item.artifact.digest == kept["digest"]
    assert {("4", "nvidia/Cosmos-Reason2-2B")} == {
        (each["said"], each["model"]) for each in kept["trials"].values()
    }
    judge(questions=("plausibility",), trials=2, again=True)
    assert 4 == len(endpoint.asked())


def test_replies_of_another_model_do_not_count(judge, item, endpoint):
    """
    Where no model is named, the one that the endpoint has now is asked; without an endpoint what was said still stands.
    """
    judge(questions=("plausibility",), trials=2)
    endpoint.set(models=json.dumps(["another/Judge"]))
    endpoint.script(plausibility="2")
    second = judge(questions=("plausibility",), trials=2)
    third = judge(questions=("plausibility",), trials=2)
    kept = json.loads((item.artifact.path.parent / "reason.json").read_text())

    assert 0.25 == second.score == third.score
    assert 4 == len(endpoint.asked())
    assert ["another/Judge"] * 2 == [each["model"] for each in kept["trials"].values()]
    endpoint.set(models="[]")
    assert 0.25 == judge(questions=("plausibility",), trials=2).score


def test_what_was_said_before_the_endpoint_died_counts(judge, endpoint):
    """
    The judgement says that it is not whole, and the rest is asked when the endpoint answers again.
    """
    endpoint.script(plausibility=["4", "4", {"status": 500, "say": "out of memory"}])
    followed = judge(questions=("plausibility", "anomaly"), tries=1)

    assert "reason.anomaly" not in said(followed)
    assert "500: out of memory" in said(followed)["reason"][1]
    assert ("reason:unanswered",) == followed.tags
    endpoint.script()
    followed = judge(questions=("plausibility", "anomaly"), tries=1)
    assert (0.75, ()) == (followed.score, followed.tags)
    assert 3 + 2 + 4 == len(endpoint.asked())


@pytest.mark.parametrize(("style", "media"), [("nim", ["video_url"]), ("openai", ["image_url"] * 5)])
def test_each_kind_of_server_is_asked_in_its_form(judge, endpoint, style, media):
    """
    The endpoint itself refuses what is not in its form; one that knows no videos gets five pictures.
    """
    endpoint.set(style=style)
    followed = judge(questions=("plausibility", "anomaly"), server=style)

    assert 0.75 == followed.score
    assert {tuple(media)} == {tuple(each["media"]) for each in endpoint.asked()}


def test_a_video_that_is_too_large_is_not_sent(judge, endpoint):
    """
    It is said instead, with the way out.
    """
    findings = said(judge(largest_mb=0.001, tags=("subject=a tram",)))

    assert "at most 0.001 are sent" in findings["reason.plausibility"][1]
    assert "ok" == findings["reason.attribute.subject"][0]
    assert {("image_url",)} == {tuple(each["media"]) for each in endpoint.asked()}


@pytest.fixture
def rule(options, tmp_path):
    """``rule(reject_below=3)``: how an output is ruled with the check as the settings have it."""
    path = make_video(tmp_path / "output.mp4")

    def ruled(**fields):
        chosen = options(**fields)
        table = {
            name: getattr(chosen, name) for name in ("url", "timeout", "tries", "trials", "reject_below")
        }

        spec = make_spec()
        return examine(make_output(path, spec), spec, [*built_in(), *configured([CHECK], {"reason": table})])

    return ruled


def test_the_check_is_silent_unless_it_is_told_to_reject(rule, endpoint):
    """
    A judge alone rejects nothing, however bad it finds a video.
    """
    endpoint.script(plausibility="1")

    assert Ruling.VERIFIED is rule().ruling
    assert [] == endpoint.asked()


def test_the_check_rejects_when_it_is_told_to(rule, endpoint):
    """
    Below the limit is a fail; a judge that does not answer leaves the output unverified.
    """
    endpoint.script(plausibility="2")
    rejected = rule(reject_below=3.0, trials=2)
    endpoint.script(plausibility="4")
    passed = rule(reject_below=3.0, trials=2)
    endpoint.script(plausibility="fine")
    unanswered = rule(reject_below=3.0, trials=2)

    assert Ruling.REJECTED is rejected.ruling
    assert "2.00 of 5" in rejected.reason
    assert Ruling.VERIFIED is passed.ruling
    assert Ruling.UNVERIFIED is unanswered.ruling
    assert Level.FAIL is unanswered.level
