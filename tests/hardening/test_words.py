"""Names, prompts, tags, options and paths are data, whatever letters they hold: no shell, no option, no path sees them."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cosmos_core.run import State
from cosmos_core.store import Query
from cosmos_core.submission import Ask, write
from cosmos_core.testing.media import make_clip
from cosmos_core.work import accept_inbox

NASTY = (
    "; touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "' \" \\ | & > pwned",
    "line one\nline two\r\n\ttabbed",
    "--json --flag -o x=y",
    "../../../../etc/passwd",
    "/etc/passwd",
    "%s %d {} {0} %(name)s",
    "NUL: CON aux <>?*",
    "näöü 東京 🚗 \u202e rtl \u0301",
    "x" * 300,
    "\x1b[2J\x1b]0;title\x07",
    "'; DROP TABLE run; --",
    "{{ 7*7 }} ${HOME} ~ !!",
    " leading and trailing ",
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)


def everything(folder):
    return {path.relative_to(folder).parts[0] for path in folder.rglob("*")}


def test_nasty_words_arrive_as_they_are_and_touch_nothing(cosmos, submit, street, work, say):
    """
    Prompt, negative, name, tags and campaign come back letter for letter; every artifact lies under outputs/.
    """
    before = everything(cosmos.workspace.root)
    asks = [
        Ask(
            prompt=f"a street {word}",
            negative=word,
            name=word,
            tags=(word.strip()[:100],),
            campaign=word,
            backend="double",
            clip="street",
        )
        for word in NASTY
    ]
    asked = cosmos.submit_many(asks)
    work()
    for ask, run in zip(asks, (cosmos.store.run(run.id) for run in asked), strict=True):
        assert (ask.prompt, ask.negative) == (run.spec.prompt.text, run.spec.prompt.negative)
        assert (ask.name, ask.tags, ask.campaign) == (run.name, run.tags, run.campaign)
        assert State.SEALED == run.state, run.reason
        assert run.artifact.path.parent.parent.parent == cosmos.workspace.outputs
        beside = json.loads((run.artifact.path.parent / "artifact.json").read_text("utf-8"))
        assert ask.prompt == beside["spec"]["prompt"]["text"]

    assert before | {"journal.jsonl"} >= everything(cosmos.workspace.root) - {".cosmos", "outputs"}
    assert 0 == say("export", "dataset").code
    rows = map(
        json.loads, (cosmos.workspace.root / "dataset" / "metadata.jsonl").read_text("utf-8").splitlines()
    )
    assert {ask.prompt for ask in asks} == {row["prompt"] for row in rows}
    assert 0 == say("verify", "dataset").code
    for words in (["list"], ["status"], ["search", "street"], ["show", asked[0].id]):
        assert 0 == say(*words).code


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompt=TEXT, name=TEXT, campaign=TEXT)
@example(prompt="--help", name="--json", campaign="-")
@example(prompt="-", name=";", campaign="'")
@example(prompt="$(id)", name="a\nb", campaign="\\")
def test_the_command_line_takes_words_as_words(cosmos, street, say, prompt, name, campaign):
    """
    Behind ``--`` and ``=``, no text is an option, a shell word or a path; what is refused is refused in a sentence.
    """
    told = say(
        *(
            "submit",
            "--json",
            "--backend=double",
            "--clip=street",
            f"--name={name}",
            f"--campaign={campaign}",
        ),
        *("--", prompt),
    )
    assert told.code in {0, 2, 4}, told
    if told.code == 0:
        (run,) = told.facts["runs"]
        assert (prompt, campaign) == (run["spec"]["prompt"]["text"], run["campaign"])
        assert name == run["name"]
    else:
        assert told.facts["error"]["message"]


FOLDERS = [
    "; touch pwned",
    "$(touch pwned) `id`",
    'it\'s "quoted"',
    "--flag",
    "-o",
    "new\nline",
    "concat:a|b",
    "file:x",
    "%04d",
    "東京 🚗",
    "with  spaces",
    "@name",
]


@pytest.mark.skipif(os.name == "nt", reason="names that only POSIX allows")
def test_clip_folders_may_be_called_anything(cosmos, work, say):
    """
    A clip in a folder of an odd name is sealed, worked and found again by name, from a path and through a submission.
    """
    root = cosmos.workspace.root
    for index, name in enumerate(FOLDERS):
        make_clip(cosmos.workspace.clips / name, frames=2, seed=index)
    asks = [
        Ask(prompt="a street", clip=str(cosmos.workspace.clips / name), backend="double") for name in FOLDERS
    ]
    folder = write(asks, into=cosmos.workspace.inbox, name="$(touch pwned); 'shot' --x")
    accept_inbox(cosmos.site)
    assert (folder / "accepted.json").is_file()
    work()

    assert {State.SEALED} == {run.state for run in cosmos.store.page(Query()).runs}
    assert len(FOLDERS) == len(cosmos.store.clips())
    for name in FOLDERS:
        assert 0 == say("clip", "show", "--json", "--", name).code
    assert not list(root.rglob("pwned"))


def test_an_id_is_no_pattern_and_no_path(cosmos, submit, say):
    """
    Wildcards, paths and empty words find no run: exit code 3 or 2, never somebody else's run.
    """
    (run,) = submit("a street")
    for ref in ("%", "_______", "r______", "r%", "*", "..", "/", " ", "'", "r' OR '1'='1", "東京", "\n"):
        for command in (["show"], ["cancel"], ["rm", "--yes"], ["logs"], ["retry"]):
            told = say(command[0], "--json", *command[1:], "--", ref)
            assert told.code in {2, 3}, (command, ref, told)
            assert told.facts["error"]["message"]

    assert State.QUEUED == cosmos.store.run(run.id).state
