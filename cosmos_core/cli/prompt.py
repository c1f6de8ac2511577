"""``cosmos prompt``: the library of prompts."""

from __future__ import annotations

import difflib
import shutil
from typing import TYPE_CHECKING, Any

import click

from cosmos_core import canonical
from cosmos_core.cli import complete, read, say
from cosmos_core.cli.asked import group, show_help, subcommand
from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cosmos_core.cli.asked import Asked
    from cosmos_core.spec import SavedPrompt

NEGATIVE = "--- what it should not show, below this line ---"


@group(
    "prompt",
    examples="""
        cosmos prompt new "a street in heavy fog at dusk" --clip clips/street
        cosmos prompt list
        cosmos run @street-heavy-fog
    """,
)
def command(asked: Asked) -> None:
    """Keep prompts in a library, with versions.

    Editing makes a new version; runs keep the one they were asked with.
    """
    show_help(asked)


@subcommand(
    command,
    "new",
    examples="""
        cosmos prompt new "a street in heavy fog at dusk"
        cosmos prompt new "snow on the roofs" --clip clips/street --negative "people" --name snow
    """,
)
@click.argument("text")
@click.option("--clip", default="", metavar="FOLDER", help="The clip it is written for; it is sealed.")
@click.option("--negative", default="", metavar="TEXT", help="What the video should not show.")
@click.option("--name", default="", help="Default: words of the text.")
def new(asked: Asked, text: str, clip: str, negative: str, name: str) -> None:
    """Save a prompt."""
    if not text.strip():
        raise InputError("the prompt is empty", hint="say what the video should show")
    with asked.open() as cosmos:
        saved = cosmos.create_prompt(text, clip, negative=negative, name=name)
    _tell(asked, saved, "saved")


@subcommand(command, "list", examples="cosmos prompt list --json")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=200, help="How many at most.  [default: 200]"
)
def listing(asked: Asked, limit: int) -> None:
    """List prompts, the newest first."""
    _list(asked, "", limit)


@subcommand(command, "search", examples="cosmos prompt search fog dusk")
@click.argument("text", nargs=-1, required=True)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=200, help="How many at most.  [default: 200]"
)
def search(asked: Asked, text: tuple[str, ...], limit: int) -> None:
    """Find prompts by words of their name or text."""
    _list(asked, " ".join(text), limit)


@subcommand(
    command,
    "show",
    examples="""
        cosmos prompt show street-fog
        cosmos prompt show street-fog@1
    """,
)
@click.argument("name", metavar="NAME[@VERSION]", shell_complete=complete.prompts)
def show(asked: Asked, name: str) -> None:
    """Show a prompt and its versions."""
    with asked.open() as cosmos:
        saved = cosmos.store.prompt(name.removeprefix("@"))
        versions = () if "@" in name.removeprefix("@") else cosmos.store.prompt_versions(saved.name)
    asked.answer({"prompt": _facts(saved), "versions": [_facts(each) for each in versions]})
    rows = [
        (each.ref, each.made_by, each.created[:10], say.one_line(each.prompt.text, 70)) for each in versions
    ]
    asked.tell(say.paragraphs(_shown(saved), say.table(rows) if len(rows) > 1 else ""))


@subcommand(
    command,
    "edit",
    examples="""
        cosmos prompt edit street-fog                      # opens $EDITOR
        cosmos prompt edit street-fog --text "thin fog over a wet street"
        cosmos prompt edit street-fog --negative ""        # no negative text any more
    """,
)
@click.argument("name", shell_complete=complete.prompts)
@click.option("--text", help="The new text.")
@click.option("--negative", help="The new negative text.")
def edit(asked: Asked, name: str, text: str | None, negative: str | None) -> None:
    """Save a new version of a prompt.

    Without --text and --negative the prompt opens in your editor.
    """
    with asked.open() as cosmos:
        old = cosmos.store.prompt(name.removeprefix("@"))
        if text is None and negative is None:
            text, negative = _in_editor(asked, old)
        same = (text in {None, old.prompt.text}) and (negative in {None, old.prompt.negative})
        saved = old if same else cosmos.edit_prompt(old.ref, text=text, negative=negative)
    _tell(asked, saved, "unchanged:" if same else "saved")


@subcommand(
    command,
    "rm",
    examples="""
        cosmos prompt rm street-fog
        cosmos prompt rm street-fog --yes
    """,
)
@click.argument("name", shell_complete=complete.prompts)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(asked: Asked, name: str, yes: bool) -> None:
    """Take a prompt out of the library; runs keep their version."""
    with asked.open() as cosmos:
        versions = cosmos.store.prompt_versions(name.removeprefix("@"))
        what = f"{versions[0].name} ({say.many(len(versions), 'version')})"
        asked.confirm(f"Remove {what}?", yes=yes, again=f"cosmos prompt rm {name} --yes")
        cosmos.store.remove_prompt(versions[0].name)
    asked.answer({"removed": [each.ref for each in versions]})
    asked.tell(f"removed {what}")


@subcommand(
    command,
    "enhance",
    examples="""
        cosmos prompt enhance street-fog                    # shows what would change, and asks
        cosmos prompt enhance street-fog --with template --yes
        cosmos prompt enhance street-fog --with pixtral --host gpu1      # a job on a slot of that host
    """,
)
@click.argument("name", metavar="NAME[@VERSION]", shell_complete=complete.prompts)
@click.option(
    "--with", "enhancer", default="template", help="Which enhancer; see: cosmos plugins.  [default: template]"
)
@click.option(
    "-o", "--option", "option", multiple=True, metavar="NAME=VALUE", help="An option of the enhancer."
)
@click.option(
    "--host", default="", metavar="NAME", help="For one that works on a host: which.  [default: any that can]"
)
@click.option("--yes", is_flag=True, help="Save without asking.")
def enhance(asked: Asked, name: str, enhancer: str, option: tuple[str, ...], host: str, yes: bool) -> None:
    """Let an enhancer make a better prompt.

    Shows what would change, word by word, and saves it as a new version. Nothing is saved without your word.
    """
    from cosmos_core.extend import Enhancer
    from cosmos_core.options import lists

    with asked.open() as cosmos:
        several = lists(cosmos.plugins.find(Enhancer, enhancer).options)
        chosen: dict[str, Any] = dict(read.options(option, of=enhancer, lists=several))
        with asked.progress(f"enhance with {enhancer}") as report:
            # A model may take a minute.
            report(0, 0, "")
            ref = name.removeprefix("@")
            old, text, negative = cosmos.enhance_prompt(ref, enhancer, host=host, report=report, **chosen)
        same = (text, negative) == (old.prompt.text, old.prompt.negative)
        saved = None
        asked.tell(_change(old, text, negative))
        if not same and (yes or not asked.json):
            again = f"cosmos prompt enhance {name} --with {enhancer} --yes"
            asked.confirm("Save this as a new version?", yes=yes, again=again)
            saved = cosmos.edit_prompt(old.ref, text=text, negative=negative, made_by=enhancer)
    asked.answer(
        {"from": _facts(old), "text": text, "negative": negative, "saved": _facts(saved) if saved else None}
    )
    asked.note("nothing to change" if same else f"saved @{saved.ref}" if saved else "")


def diff(before: str, after: str) -> str:
    """Both texts as one, word by word: what goes in ``[-…-]``, what comes in ``{+…+}``."""
    old, fresh = before.split(), after.split()
    pieces: list[str] = []
    for kind, i, j, k, m in difflib.SequenceMatcher(a=old, b=fresh, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(" ".join(old[i:j]))
            continue
        if i < j:
            pieces.append(say.paint(f"[-{' '.join(old[i:j])}-]", fg="red"))
        if k < m:
            pieces.append(say.paint(f"{{+{' '.join(fresh[k:m])}+}}", fg="green"))
    return " ".join(pieces)


def _change(old: SavedPrompt, text: str, negative: str) -> str:
    rows = [("text", diff(old.prompt.text, text))]
    if negative or old.prompt.negative:
        rows.append(("negative", diff(old.prompt.negative, negative)))
    return f"@{old.ref}\n{say.pairs(rows, indent='  ')}"


def _in_editor(asked: Asked, old: SavedPrompt) -> tuple[str, str]:
    if asked.json:
        raise InputError("no editor is opened for a program", hint="give --text or --negative")
    written = click.edit(f"{old.prompt.text}\n\n{NEGATIVE}\n{old.prompt.negative}\n")
    if written is None:
        return old.prompt.text, old.prompt.negative
    text, mark, negative = written.partition(NEGATIVE)
    if not text.strip():
        raise InputError(
            "the prompt is empty; nothing was saved", hint=f"remove it: cosmos prompt rm {old.name}"
        )
    return " ".join(text.split()), " ".join(negative.split()) if mark else old.prompt.negative


def _list(asked: Asked, text: str, limit: int) -> None:
    with asked.open() as cosmos:
        found = cosmos.store.prompts(text, limit=limit)
    asked.answer({"prompts": [_facts(each) for each in found]})
    asked.tell(_table(found) or ("no prompts match" if text else "there are no prompts yet"))


def _table(found: Sequence[SavedPrompt]) -> str:
    columns = max(30, shutil.get_terminal_size().columns - 50)
    rows = [
        (each.name, f"@{each.version}", each.made_by, each.clip[:12], say.one_line(each.prompt.text, columns))
        for each in found
    ]
    return say.table(rows, ("name", "", "by", "clip", "text"))


def _facts(saved: SavedPrompt) -> dict[str, Any]:
    plain: dict[str, Any] = canonical.plain(saved)
    return plain | {"ref": saved.ref}


def _tell(asked: Asked, saved: SavedPrompt, what: str) -> None:
    asked.answer({"prompt": _facts(saved)})
    asked.tell(f"{what} {_shown(saved)}")
    clip = "" if saved.clip else " --clip FOLDER"
    asked.note(say.steps(f"cosmos run @{saved.name}{clip}"))


def _shown(saved: SavedPrompt) -> str:
    rows = [
        ("text", saved.prompt.text),
        ("negative", saved.prompt.negative),
        ("clip", saved.clip[:12]),
        ("from", f"@{saved.parent}" if saved.parent else ""),
        ("by", saved.made_by),
    ]
    return f"@{say.strong(saved.ref)}\n{say.pairs(rows, indent='  ')}"
