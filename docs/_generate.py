"""Writes the reference pages that repeat what the code says: ``python docs/_generate.py [--check]``.

The pages are committed, so that they can be read without building anything. A test compares them with this program's
answer, so a new hook, setting, command, error, state, check or option cannot be forgotten.
"""

from __future__ import annotations

import ast
import enum
import inspect
import itertools
import sys
import textwrap
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core import canonical, errors, extend, hookspecs, plugins, run, settings, submission, workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    import click

DOCS = Path(__file__).parent
REFERENCE = DOCS / "reference"
NOTE = (
    "<!-- Written by docs/_generate.py from the code. Change the docstring there, then run `make docs`. -->"
)


class _Bare(str):
    """Text that a signature shows without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def signature(function: Callable[..., Any], *, drop: str = "") -> str:
    """``(spec: Spec, clip: Clip | None) -> Iterable[Finding]``, annotations and defaults as written in the source."""
    found = inspect.signature(function)
    kept = [_bare(one) for name, one in found.parameters.items() if name != drop]
    gives = found.return_annotation
    return str(
        found.replace(parameters=kept, return_annotation=_Bare(gives) if isinstance(gives, str) else gives)
    )


def _bare(parameter: inspect.Parameter) -> inspect.Parameter:
    named = inspect.isfunction(parameter.default)
    return parameter.replace(
        annotation=_Bare(parameter.annotation)
        if isinstance(parameter.annotation, str)
        else parameter.annotation,
        default=_Bare(parameter.default.__name__) if named else parameter.default,
    )


def prose(docstring: str | None) -> str:
    """A docstring as Markdown: ``code`` in single backticks, roles dropped, ``Example::`` as a block of Python."""
    text = inspect.cleandoc(docstring or "")
    text, _, example = text.partition("Example::")
    text = _markdown(text)
    if example:
        text = f"{text.rstrip()}\n\n```python\n{inspect.cleandoc(example).strip()}\n```"
    return text.strip()


def _markdown(text: str) -> str:
    for role in (":class:", ":func:", ":mod:", ":attr:", ":data:"):
        text = text.replace(role, "")
    lines, verbatim = [], False
    for line in text.replace("``", "`").splitlines():
        if line.rstrip().endswith("::"):
            lines.append(line.rstrip()[:-1] if line.strip() != "::" else "")
            verbatim = True
            continue
        verbatim = verbatim and (not line or line.startswith("    "))
        section = line.strip() in {"Args:", "Raises:", "Returns:", "Yields:"}
        lines.append(f"**{line.strip()}**\n" if section else _item(line, verbatim=verbatim))
    return "\n".join(lines)


def _item(line: str, *, verbatim: bool) -> str:
    """A line of an ``Args:`` list becomes a list item; a line of a verbatim block stays."""
    if line.startswith("    ") and not verbatim and not line.startswith("     "):
        return f"- {line.strip()}"
    return line if verbatim else line.strip()


def attribute_docs(kind: type) -> dict[str, str]:
    """The string written under each attribute of a class or of those it inherits from, by name."""
    own = [one for one in reversed(kind.__mro__) if attrs.has(one) and one.__module__ != "builtins"]
    return {name: text for one in own for name, text in _own_attribute_docs(one).items()}


def _own_attribute_docs(kind: type) -> dict[str, str]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    found = {}
    for here, after in itertools.pairwise(body):
        if (
            isinstance(here, ast.AnnAssign)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            found[ast.unparse(here.target)] = " ".join(prose(str(after.value.value)).split())
    return found


def default(field: attrs.Attribute[Any]) -> str:
    """How a field's default reads; empty when the field is required."""
    if field.default is attrs.NOTHING:
        return ""
    if isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
        return plain(field.default.factory()) if not field.default.takes_self else ""
    return plain(field.default)


def plain(value: object) -> str:
    """A default as somebody would type it."""
    if isinstance(value, enum.Enum):
        return repr(value.value)
    return "" if attrs.has(type(value)) else repr(value)


def type_name(hint: object) -> str:
    """A type as written in the source, quotes dropped."""
    if isinstance(hint, str):
        return hint
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)


def field_table(kind: type) -> str:
    """A Markdown table of an attrs class's fields."""
    docs = attribute_docs(kind)
    rows = []
    for field in attrs.fields(kind):
        text = docs.get(field.name) or field.metadata.get("help", "")
        cells = (
            f"`{field.name}`",
            f"`{type_name(field.type)}`",
            f"`{default(field)}`" if default(field) else "",
            text,
        )
        rows.append(row(cells))
    return "\n".join([row(("field", "type", "default", "meaning")), row(["---"] * 4), *rows])


def row(cells: Iterable[str]) -> str:
    """One line of a Markdown table; a bar inside a cell is escaped."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def page(title: str, *parts: str) -> str:
    """A page of *parts* under *title*, with the note that it is written by this program."""
    return "\n\n".join([f"# {title}", NOTE, *(part.strip("\n") for part in parts if part.strip())]) + "\n"


def hooks() -> str:
    """Every hook: signature, kind, when it is called, a complete example."""
    parts = []
    for name, function in sorted(vars(hookspecs).items(), key=lambda item: _line(item[1])):
        if name.startswith("cosmos_"):
            parts += [
                f"## `{name}{signature(function)}`",
                f"*{_kind(name, function)}*",
                prose(function.__doc__),
            ]
    opening = prose(hookspecs.__doc__) + "\n\nWhat the hooks yield and get is in [objects](objects.md)."
    return page("Hooks", opening, *parts)


def _line(found: object) -> int:
    return found.__code__.co_firstlineno if inspect.isfunction(found) else 0


def _kind(name: str, function: Callable[..., Any]) -> str:
    if vars(function).get("cosmos_spec", {}).get("firstresult"):
        return "asks; the first answer that is not None counts"
    if "Iterable" not in signature(function):
        return "tells; what an implementation raises is logged and stops nobody"
    return "asks; all answers count" if name == "cosmos_review" else "offers"


def objects() -> str:
    """What plugin authors import from ``cosmos_core.extend``."""
    kinds = [getattr(extend, name) for name in extend.__all__]
    classes = sorted((kind for kind in kinds if inspect.isclass(kind)), key=lambda kind: kind.__name__)
    return page("Objects for plugin authors", prose(extend.__doc__), *(_class_part(kind) for kind in classes))


def _class_part(kind: type) -> str:
    head = f"## `{kind.__name__}`\n\n{prose(kind.__doc__)}"
    if attrs.has(kind):
        return f"{head}\n\n{field_table(kind)}"
    if issubclass(kind, enum.Enum):
        return head + "\n\n" + ", ".join(f"`{member.value}`" for member in kind)
    return "\n\n".join([head, *_methods(kind)])


def _methods(kind: type, level: str = "###") -> Iterator[str]:
    for name, found in vars(kind).items():
        if name.startswith("_"):
            continue
        if inspect.isfunction(found):
            yield f"{level} `{name}{signature(found, drop='self')}`\n\n{prose(found.__doc__)}"
        elif found.__class__.__name__ in {"property", "cached_property"}:
            yield f"{level} `{name}`\n\n{prose(found.__doc__)}"
        elif isinstance(found, classmethod):
            yield f"{level} `{name}{signature(found.__func__, drop='cls')}`\n\n{prose(found.__doc__)}"


def python() -> str:
    """The class ``Cosmos`` and its verbs."""
    from cosmos_core import Cosmos

    opening = f"```python\nfrom cosmos_core import Cosmos\n```\n\n{prose(Cosmos.__doc__)}"
    return page("Python", f"## `Cosmos{signature(Cosmos)}`", opening, *_methods(Cosmos))


def setting_page() -> str:
    """Every setting with its default, and the environment."""
    environment = "\n".join(
        [row(("variable", "meaning")), row(("---", "---")), *(row(pair) for pair in ENVIRONMENT)]
    )
    return page(
        "Settings",
        prose(settings.__doc__),
        "The file that `cosmos init` writes:",
        f"```toml\n{settings.TEMPLATE}```",
        *_settings(settings.Settings, ""),
        f"## Environment variables\n\n{environment}",
    )


ENVIRONMENT = (
    ("`COSMOS_WORKSPACE`", "the workspace folder, wherever you are"),
    ("`COSMOS_STORE_URL`", "as `store.url`; keeps a password out of the file"),
    ("`COSMOS_BLOCK_PLUGINS`", "names of plugins to leave out, joined by commas"),
    ("`COSMOS_TRACE_PLUGINS`", "`1` prints every call of a plugin to stderr"),
)


def setting_names(kind: type = settings.Settings, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Pairs of a setting's key and its heading, tables entered."""
    for field in attrs.fields(kind):
        inner = next((one for one in _classes_in(field.type) if attrs.has(one)), None)
        if inner is None:
            yield f"{prefix}{field.name}", f"{prefix}{field.name}: {type_name(field.type)} = {default(field)}"
        else:
            table = f"{prefix}{field.name}." + ("<name>." if "dict" in type_name(field.type) else "")
            yield from setting_names(inner, table)


def _settings(kind: type, prefix: str) -> Iterator[str]:
    help_text = dict(_setting_help(kind, prefix))
    for key, heading in setting_names(kind, prefix):
        yield f"## `{heading}`\n\n{_sentence(help_text[key])}"


def _setting_help(kind: type, prefix: str) -> Iterator[tuple[str, str]]:
    for field in attrs.fields(kind):
        yield f"{prefix}{field.name}", field.metadata.get("help", "")
        for inner in _classes_in(field.type):
            if attrs.has(inner):
                table = f"{prefix}{field.name}." + ("<name>." if "dict" in type_name(field.type) else "")
                yield from _setting_help(inner, table)


def _classes_in(hint: object) -> list[type]:
    if isinstance(hint, str):
        hint = eval(hint, vars(settings))  # noqa: S307  the source of our own module
    return [one for one in (hint, *typing.get_args(hint)) if isinstance(one, type)]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""


def error_page() -> str:
    """The tree of errors and an exit code each."""
    tree = inspect.cleandoc(errors.__doc__ or "")
    kinds = [
        one for one in vars(errors).values() if inspect.isclass(one) and issubclass(one, errors.CosmosError)
    ]
    parts = [f"## `{kind.__name__}`, exit code {kind.exit_code}\n\n{prose(kind.__doc__)}" for kind in kinds]
    return page("Errors and exit codes", f"```text\n{tree}\n```", ERRORS, *parts, LEVELS)


ERRORS = """\
An error is one sentence with the value that was wrong, and a hint with what to type next. With `--json` a command
gives both as an object on stderr. Exit code 0 is success; 1 is also an error that nobody foresaw, which leaves a report under
`.cosmos/crashes/`."""

LEVELS = """\
## Findings

What can be wrong in several ways at once gives findings, and all of them are shown. A finding has a level, a sentence, a hint,
the check that asked and what it is about.

| level | meaning |
| --- | --- |
| `ok` | looked at and right |
| `warn` | a person should look |
| `fail` | wrong; it stops the work, or rejects the output |"""


def states() -> str:
    """The states of a run and the moves between them."""
    story = prose(run.__doc__)
    head = [row(("from", "to")), row(("---", "---"))]
    moves = [row((f"`{before}`", _targets(before))) for before in run.MOVES]
    parts = [f"## `{state}`\n\n{STATES[state]}" for state in run.State]
    return page("States of a run", story, "\n".join([*head, *moves]), *parts)


def _targets(before: run.State) -> str:
    ordered = [state for state in run.State if state in run.MOVES[before]]
    return ", ".join(f"`{state}`" for state in ordered) or "nowhere: an artifact never changes"


STATES = {
    run.State.QUEUED: "Accepted and on disk before its id was returned. It waits for a slot that fits it, or for the queue to be "
    "resumed.",
    run.State.PLACED: "A worker holds it in a batch, under a lease and a fence. Its job is being compiled and put on the host.",
    run.State.RUNNING: "The host has confirmed that the batch's job started. Progress is what the job says; it decides nothing.",
    run.State.RETURNED: "Its output is on this machine, whole, with the digest it had on the host. It is a claim until `verify` has "
    "decoded it.",
    run.State.SEALED: "Every required check passed. The output is an artifact under `outputs/` and never changes again.",
    run.State.REJECTED: "A required check failed. The findings say which and why; the file stays beside them for looking. `cosmos retry` "
    "asks for a new attempt.",
    run.State.FAILED: "No output came home: the model failed, or its job was lost more often than `queue.attempts`. `cosmos retry` asks for "
    "a new attempt.",
    run.State.BLOCKED: "The model's guardrail refused. It is never tried again by itself; change the prompt, or ask with `cosmos retry`.",
    run.State.CANCELLED: "A person said so. Its job was stopped where one ran. `cosmos retry` queues it again.",
}


def first_party() -> plugins.Plugins:
    """The plugins of this repository, whatever else is installed."""
    own = {path.parent.name for path in DOCS.parent.glob("plugins/*/pyproject.toml")}
    loaded = plugins.load({})
    strangers = [
        one.name for one in loaded.listed() if one.distribution != "cosmos-core" and one.name not in own
    ]
    return plugins.load({"COSMOS_BLOCK_PLUGINS": ",".join(strangers)})


def checks() -> str:
    """Every check, with its level and whether it can reject."""
    found = first_party().offers(extend.Check).values()
    order = {level: index for index, level in enumerate(LEVEL_ORDER)}
    ranked = sorted(found, key=lambda check: (order[check.level], check.order, check.name))
    return page("Checks", CHECKS, *(_check(check) for check in ranked))


LEVEL_ORDER = ("integrity", "request", "campaign", "content", "control", "policy")

CHECKS = """\
A check is one question about one output. All checks share one full decode. A required check that fails rejects the output; one that
raises leaves it unverified. When a check of level integrity fails, the later levels are not asked: there is nothing
to look at."""


def _check(check: extend.Check) -> str:
    required = "required" if check.required else "a hint, never rejects"
    story = prose(inspect.getdoc(check.look))
    return f"## `{check.name}`\n\n{check.summary}\n\n*{check.level}; {required}; version {check.version}*\n\n{story}"


def plugin_page() -> str:
    """What the plugins of this repository offer, with every option."""
    loaded = first_party()
    parts = []
    for plugin in loaded.listed():
        offers = [
            (kind, offer)
            for kind, offer in plugins.providers(loaded, plugin.name)
            if not isinstance(offer, extend.Check | extend.Command)
        ]
        if plugin.state == "active" and offers:
            parts += [_offer(plugin, kind, offer) for kind, offer in offers]
    return page("Built-in and first-party plugins", PLUGINS, *parts)


PLUGINS = """\
`cosmos plugins` lists what is installed on your machine, and `cosmos plugins show NAME` prints the same facts about one plugin. Options go
into `cosmos.toml` under `[plugins.<name>]`, or onto a command line as `-o <name>.<field>=<value>`.
Checks are on [their own page](checks.md), commands [on theirs](commands.md)."""


def _offer(plugin: plugins.Plugin, kind: str, offer: Any) -> str:
    head = f"## {kind} `{offer.name}`\n\n{offer.summary}\n\n*From {plugin.distribution}.*"
    if offer.options is None:
        return f"{head}\n\nIt takes no options."
    return "\n\n".join([head, *(f"### `{heading}`\n\n{text}" for heading, text in option_names(offer))])


def option_names(offer: Any) -> Iterator[tuple[str, str]]:
    """Pairs of heading and meaning for each option of an offer."""
    docs = attribute_docs(offer.options)
    for field in attrs.fields(offer.options):
        value = f" = {default(field)}" if default(field) else ""
        text = field.metadata.get("help") or docs.get(field.name, "")
        yield f"{offer.name}.{field.name}: {type_name(field.type)}{value}", _sentence(text)


def commands() -> str:
    """Every command with its help."""
    parts = [f"## `{name}`\n\n```text\n{text}\n```" for name, text in command_help()]
    return page("Commands", COMMANDS, *parts)


COMMANDS = """\
Every command takes `--json` for the same facts as objects, and `--help`. [Exit codes](errors.md) tell the class of an error."""


def command_help() -> Iterator[tuple[str, str]]:
    """Pairs of a command's full name and its help text."""
    from cosmos_core.cli import cli

    yield from _walk(cli, "cosmos", None)


def _walk(command: click.Command, name: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    import click

    context = click.Context(command, info_name=name.rpartition(" ")[2], parent=parent, max_content_width=100)
    context.terminal_width = 100
    yield name, command.get_help(context)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None and not found.hidden:
                yield from _walk(found, f"{name} {inner}", context)


def submission_page() -> str:
    """The submission folder and the fields of an ask."""
    example = canonical.pretty(
        submission.Submission(
            asks=(
                submission.Ask(
                    prompt="A street at night in heavy rain", clip="clips/street", weights={"depth": 0.5}
                ),
            ),
            token="street-at-night-1",  # noqa: S106  names a submission, opens nothing
            origin="my script",
        )
    )
    return page(
        "Submission folders",
        prose(submission.__doc__),
        "## `submission.json`",
        f"```json\n{example}```",
        field_table(submission.Submission),
        "## An ask",
        prose(submission.Ask.__doc__),
        field_table(submission.Ask),
    )


def workspace_page() -> str:
    """The files of a workspace."""
    return page("Files of a workspace", prose(workspace.__doc__), *_methods(workspace.Workspace, "##"))


def clip_page() -> str:
    """What a clip folder holds and its manifest."""
    from cosmos_core import clip

    kinds = [one for one in vars(clip).values() if inspect.isclass(one) and attrs.has(one)]
    return page("Clips", prose(clip.__doc__), *(_class_part(kind) for kind in kinds))


def control_page() -> str:
    """The conventions of control videos."""
    from cosmos_core import controls

    return page("Control videos", prose(controls.__doc__), *_functions(controls))


def _functions(module: ModuleType) -> Iterator[str]:
    for name, found in vars(module).items():
        if inspect.isfunction(found) and found.__module__ == module.__name__ and not name.startswith("_"):
            yield f"## `{name}{signature(found)}`\n\n{prose(found.__doc__)}"


PAGES: dict[str, Callable[[], str]] = {
    "hooks.md": hooks,
    "objects.md": objects,
    "python.md": python,
    "settings.md": setting_page,
    "errors.md": error_page,
    "states.md": states,
    "checks.md": checks,
    "plugins.md": plugin_page,
    "commands.md": commands,
    "clip.md": clip_page,
    "controls.md": control_page,
    "submission.md": submission_page,
    "workspace.md": workspace_page,
}


def stale() -> list[str]:
    """Pages whose file is not what this program would write."""
    return [name for name, made in PAGES.items() if _read(REFERENCE / name) != made()]


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def main(words: list[str]) -> int:
    """Write the pages, or with ``--check`` say which are stale."""
    if words == ["--check"]:
        found = stale()
        for name in found:
            print(f"docs/reference/{name} is stale: run `make docs`", file=sys.stderr)
        return 1 if found else 0
    REFERENCE.mkdir(exist_ok=True)
    for name, made in PAGES.items():
        (REFERENCE / name).write_text(made(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
