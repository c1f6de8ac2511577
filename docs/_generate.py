"""Writes the reference pages that repeat what the code says: ``python docs/_generate.py [--check]``.

The pages are committed, so that they can be read without building anything. A test compares them with this program's
answer, so a new hook, setting, command, error, state, check or option cannot be forgotten.
"""

from __future__ import annotations

import ast
import enum
import inspect
import itertools
import json
import re
import sys
import textwrap
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core import errors, examine, extend, hookspecs, plugins, run, settings, submission, workspace

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


_ROLE = re.compile(r":(class|func|meth|mod|attr|data):")
_SECTIONS = {"Args:", "Raises:", "Returns:", "Yields:"}
_ITEM = re.compile(r"    (?P<name>[\w.*]+): (?P<text>.*)")


def _markdown(text: str) -> str:
    lines, verbatim, section = [], False, ""
    for line in _ROLE.sub("", text).replace("``", "`").splitlines():
        verbatim = verbatim and (not line or line.startswith("    "))
        if line.rstrip().endswith("::"):
            verbatim = True
            lines.append(line.rstrip()[:-1] if line.strip() != "::" else "")
        elif line.strip() in _SECTIONS:
            section = line.strip()
            lines.append(f"**{section}**\n")
        else:
            lines.append(line if verbatim else _item(line, section))
    return "\n".join(lines)


def _item(line: str, section: str) -> str:
    """A line of an ``Args:`` or ``Raises:`` list becomes a list item; what goes on from it stays with it."""
    item = _ITEM.match(line) if section else None
    return f"- `{item['name']}`: {item['text']}" if item else line.strip()


def tree(docstring: str | None) -> str:
    """The first indented block of a docstring, as text in a fence."""
    block = inspect.cleandoc(docstring or "").partition("::\n")[2].strip("\n")
    kept = itertools.takewhile(lambda line: not line or line.startswith("    "), block.splitlines())
    return f"```text\n{textwrap.dedent(chr(10).join(kept)).rstrip().replace('``', '')}\n```"


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


def written_types(kind: type) -> dict[str, str]:
    """The type of each attribute of a class as written in the source, those it inherits included."""
    written: dict[str, str] = {}
    for one in reversed([one for one in kind.__mro__ if attrs.has(one)]):
        (found,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        body = found.body if isinstance(found, ast.ClassDef) else []
        written |= {
            ast.unparse(line.target): ast.unparse(line.annotation)
            for line in body
            if isinstance(line, ast.AnnAssign)
        }
    return written


def default(field: attrs.Attribute[Any]) -> str:
    """How a field's default reads; empty when the field is required or its default is made anew each time."""
    value: Any = field.default
    if value is attrs.NOTHING:
        return ""
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]
        return plain(value.factory()) if value.factory in {dict, list, tuple, set} else ""
    return plain(value)


def plain(value: object) -> str:
    """A default as somebody would type it."""
    if isinstance(value, enum.Enum):
        return repr(value.value)
    return repr(value)


def field_table(kind: type, *, without: str = "") -> str:
    """A Markdown table of an attrs class's fields."""
    docs, types = attribute_docs(kind), written_types(kind)
    rows = []
    for field in attrs.fields(kind):
        if field.name == without:
            continue
        text = docs.get(field.name) or field.metadata.get("help", "")
        cells = (
            f"`{field.name}`",
            f"`{types[field.name]}`",
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
        SETTINGS,
        "The file that `cosmos init` writes:",
        f"```toml\n{settings.TEMPLATE}```",
        *(f"## `{key}: {typed}`\n\n{text}" for key, typed, text in setting_rows()),
        f"## Environment variables\n\n{environment}",
    )


SETTINGS = """\
Settings come from four places, and the later wins: the defaults below, `cosmos.toml` in your own configuration folder, `cosmos.toml` of the workspace, and the environment. Every unknown key and
wrong value is reported at once; `cosmos doctor` shows what is in force. A key `queue.lease` stands in the file as `lease = 45.0` under `[queue]`."""

ENVIRONMENT = (
    ("`COSMOS_WORKSPACE`", "the workspace folder, wherever you are"),
    ("`COSMOS_STORE_URL`", "as `store.url`; keeps a password out of the file"),
    ("`COSMOS_BLOCK_PLUGINS`", "names of plugins to leave out, joined by commas"),
    ("`COSMOS_TRACE_PLUGINS`", "`1` prints every call of a plugin to stderr"),
)


def setting_rows(kind: type = settings.Settings, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Triples of a setting's key, its type with its default, and what it is for. Tables are entered."""
    types, hints = written_types(kind), typing.get_type_hints(kind)
    for field in attrs.fields(kind):
        key, hint = f"{prefix}{field.name}", hints[field.name]
        inner = [one for one in (hint, *typing.get_args(hint)) if attrs.has(one)]
        if inner:
            yield from setting_rows(inner[0], f"{key}." if inner[0] is hint else f"{key}.<name>.")
        else:
            yield key, f"{types[field.name]} = {default(field)}", _sentence(field.metadata.get("help", ""))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""


def error_page() -> str:
    """The tree of errors and an exit code each."""
    drawn = inspect.cleandoc(errors.__doc__ or "").replace("``", "")
    kinds = [
        one for one in vars(errors).values() if inspect.isclass(one) and issubclass(one, errors.CosmosError)
    ]
    parts = [f"## `{kind.__name__}`, exit code {kind.exit_code}\n\n{prose(kind.__doc__)}" for kind in kinds]
    return page("Errors and exit codes", f"```text\n{drawn}\n```", ERRORS, *parts, LEVELS)


ERRORS = """\
An error is one sentence with the value that was wrong, and a hint with what to type next. With `--json` the answer is
`{"error": {"kind", "message", "hint", "exit_code", "findings"}}`, on stdout like every answer. Other exit codes:

| code | means |
| --- | --- |
| 0 | done |
| 1 | also a fault of the machine, such as a full disk |
| 2 | also a command line that is not understood |
| 70 | a bug: nobody foresaw this. A report with versions and without passwords lies in `.cosmos/crashes/` |
| 130 | stopped with Ctrl-C |"""

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
    facts = f"*{check.level}; {required}; version {check.version}; {_AGAIN[examine.remedy(check)]}*"
    return f"## `{check.name}`\n\n{check.summary}\n\n{facts}\n\n{story}"


_AGAIN = {
    extend.Remedy.NONE: "a new attempt would not help",
    extend.Remedy.SAME: "the same recipe may be tried again",
    extend.Remedy.SEED: "another seed may help",
    extend.Remedy.HOLD: "a person has to look",
}


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
into `cosmos.toml` under `[plugins.<name>]`, or onto a command line: `cosmos generate GENERATOR -p NAME=VALUE`, `cosmos run … -o NAME=VALUE`.
Checks are on [their own page](checks.md), commands [on theirs](commands.md)."""


def _offer(plugin: plugins.Plugin, kind: str, offer: Any) -> str:
    head = f"## {kind} `{offer.name}`\n\n{offer.summary}\n\n*From {plugin.distribution}.*"
    if offer.options is None:
        return f"{head}\n\nIt takes no options."
    return "\n\n".join([head, *(f"### `{heading}`\n\n{text}" for heading, text in option_names(offer))])


def option_names(offer: Any) -> Iterator[tuple[str, str]]:
    """Pairs of heading and meaning for each option of an offer."""
    docs, types = attribute_docs(offer.options), written_types(offer.options)
    for field in attrs.fields(offer.options):
        value = f" = {default(field)}" if default(field) else ""
        text = field.metadata.get("help") or docs.get(field.name, "")
        yield f"{offer.name}.{field.name}: {types[field.name]}{value}", _sentence(text)


def commands() -> str:
    """Every command with its arguments, examples and options."""
    from cosmos_core.cli.asked import everywhere

    parts = [_command(name, command) for name, command in each_command()]
    return page("Commands", COMMANDS, "## Everywhere", option_table(everywhere()), *parts)


COMMANDS = """\
The same help, for one command: `cosmos COMMAND --help`. With `--json` every command answers in JSON, errors too; [exit codes](errors.md) tell
the class of an error. Ids of runs may be shortened to what is unique."""


def each_command() -> Iterator[tuple[str, click.Command]]:
    """Pairs of a command's full name and the command, groups before what is in them. Only ours, whatever is installed."""
    import click

    from cosmos_core.cli.root import OWN, root

    context = click.Context(root)
    for name in [*OWN, *sorted(first_party().offers(extend.Command).keys() - OWN.keys())]:
        if (command := root.get_command(context, name)) is not None:
            yield from _inside(f"cosmos {name}", command)


def _inside(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    for inner, found in getattr(command, "commands", {}).items():
        yield from _inside(f"{name} {inner}", found)


def command_line(name: str, command: click.Command) -> str:
    """How a command is typed: ``cosmos run [OPTIONS] PROMPT|@NAME``."""
    typed = [_argument(param) for param in command.params if param.param_type_name == "argument"]
    options = ["[OPTIONS]"] if _own_options(command) else []
    return " ".join([name, *options, *typed, *(["COMMAND"] if hasattr(command, "commands") else [])])


def _argument(param: click.Parameter) -> str:
    choices = getattr(param.type, "choices", None)
    name = param.metavar or ("{" + "|".join(map(str, choices)) + "}" if choices else str(param.name).upper())
    name = name.removesuffix("...")
    name = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    name = name if param.required else f"[{name}]"
    return f"{name}..." if param.nargs == -1 else name


def _own_options(command: click.Command) -> list[click.Parameter]:
    shared = getattr(command, "shared", [])
    return [param for param in command.params if param.param_type_name == "option" and param not in shared]


def _command(name: str, command: click.Command) -> str:
    # A plugin's plain click command has its examples in its help, after the mark that keeps click from wrapping them.
    text, _, kept = str(command.help or "").partition("\f")[0].partition("\b\nExamples:\n")
    examples = "\n".join(getattr(command, "examples", [])) or textwrap.dedent(kept).strip()
    told = prose(text)
    parts = [f"## `{command_line(name, command)}`", told, f"```sh\n{examples}\n```" if examples else ""]
    return "\n\n".join(part for part in [*parts, option_table(_own_options(command))] if part)


def option_table(params: Iterable[click.Parameter]) -> str:
    """A Markdown table of options; empty when there are none."""
    shown = [param for param in params if not getattr(param, "hidden", False)]
    rows = [row((_option(param), _prose_of(param))) for param in shown]
    return "\n".join([row(("option", "meaning")), row(("---", "---")), *rows]) if rows else ""


def _option(param: click.Parameter) -> str:
    names = ", ".join(f"`{name}`" for name in [*param.opts, *param.secondary_opts])
    if getattr(param, "is_flag", False) or getattr(param, "count", False):
        return names
    choices = getattr(param.type, "choices", None)
    return f"{names} `{param.metavar or ('|'.join(map(str, choices)) if choices else param.type.name.split()[0].upper())}`"


def _prose_of(param: click.Parameter) -> str:
    text = str(getattr(param, "help", "") or "")
    low, high = getattr(param.type, "min", None), getattr(param.type, "max", None)
    bounds = f" From {low} to {high}." if low is not None and high is not None else ""
    shown = getattr(param, "show_default", False) is True
    return " ".join(text.split()) + bounds + (f" Default: `{param.default}`." if shown else "")


def submission_page() -> str:
    """The submission folder and the fields of an ask."""
    ask = submission.Ask(
        prompt="A street at night in heavy rain", clip="clips/street", weights={"depth": 0.5}
    )
    example = {
        "schema": submission.SCHEMA,
        "token": "street-at-night-1",
        "origin": "my script",
        "asks": [{"prompt": ask.prompt, "clip": ask.clip, "weights": ask.weights, "seed": 7}],
    }
    return page(
        "Submission folders",
        SUBMISSION,
        tree(submission.__doc__),
        "## `submission.json`",
        f"```json\n{json.dumps(example, indent=2)}\n```",
        field_table(submission.Submission),
        "## An ask",
        f"{prose(submission.Ask.__doc__)} What has a default may be left out.",
        field_table(submission.Ask),
        "From Python, `cosmos_core.submission.write(asks, into=inbox)` writes the folder and renames it into place.",
    )


SUBMISSION = """\
A submission is a folder of plain files that carries requests to the queue: all of them are accepted, or none. Anything can write one; it
needs no `cosmos-core`. Write it under another name beside the workspace's `inbox/` and rename it into it, so that a reader never sees half of it. A
worker that runs accepts it and leaves `accepted.json` with the ids of the runs, or `refused.json` with every finding; `cosmos submit FOLDER` does the same at
once. The same token twice is the same submission, so sending it again is safe."""


def campaign_page() -> str:
    """The keys of a campaign file."""
    from cosmos_core.campaign import form

    extra = {name: key for name, key in form.ENTRY.items() if name not in form.DEFAULTS}
    return page(
        "Campaign files",
        CAMPAIGN,
        "## The file",
        _keys(form.FILE),
        "## `defaults`",
        "What every entry has unless it says otherwise. `set`, `vars`, `shows`, `options` and `weights` are joined key by key.",
        _keys(form.DEFAULTS),
        "## An entry",
        "It has every key of `defaults`, and",
        _keys(extra),
        EXPANDED,
        "## `totals`",
        "What must come out. Each is compared with what the entries make, before anything is queued.",
        _keys(form.TOTALS),
        "## In a template",
        IN_TEMPLATES,
    )


def _keys(keys: Any) -> str:
    rows = [
        (f"`{name}`" + (", required" if key.required else ""), key.kind.words, key.help)
        for name, key in keys.items()
    ]
    return "\n".join(map(row, [("key", "what stands there", "meaning"), ("---", "---", "---"), *rows]))


CAMPAIGN = """\
A campaign file says in YAML which videos are wanted; see [Run a campaign](../how-to/run-a-campaign.md). Words are read as in YAML 1.2: `no` is a
word. A number that begins with 0, such as `007`, is a word too. Aliases, tags, and a key that stands in one mapping twice are refused. Everything
lies in the file's folder: parts in `scenes/`, `subjects/`, `environments/` and `actions/`, templates beside the file or in `templates/`, with names
that end in `.jinja2`, `.jinja` or `.j2`. `cosmos campaign schema` prints all this as a JSON schema."""

EXPANDED = """\
Under `matrix` and `zip` stand keys of an entry, such as `scene` or `seed`, and `set.NAME`, `vars.NAME`, `shows.NAME`, `options.NAME` and `weights.NAME`; what they choose
wins over the entry. With both, each place of `zip` is combined with each combination of `matrix`. An id with `{{ … }}` is made for each definition; to
one without, the chosen values are added: `E-night-drone`."""

IN_TEMPLATES = """\
`scene`, `subject`, `environment` and `action` are the parts that the entry names, after `set`; `vars` its own values; `id`, `seconds` and `campaign` what they say;
`scene_name`, `subject_name`, `environment_name` and `action_name` the names of the parts. A word that is not there is an error. Texts are not escaped. A
text longer than 20,000 letters is refused, and so is one that still holds `{{` when it is done."""


def workspace_page() -> str:
    """The files of a workspace, of a job's folder and of an artifact."""
    from cosmos_core import launcher, record

    left = inspect.cleandoc(launcher.__doc__ or "").partition("It leaves in the folder:\n")[2]
    return page(
        "Files of a workspace",
        WORKSPACE,
        tree(workspace.__doc__),
        "## A job's folder",
        JOB_FOLDER,
        row(("file", "holds")) + "\n" + row(("---", "---")) + "\n" + "\n".join(_two_columns(left)),
        f"## `{record.ARTIFACT}`",
        f"{prose(record.Record.__doc__)} `{record.REJECTION}` beside a rejected output has the same fields.",
        field_table(record.Record),
        f"## `{record.DATASET}`",
        prose(record.Dataset.__doc__),
        field_table(record.Dataset),
    )


WORKSPACE = """\
A workspace is a folder with a `cosmos.toml`. What lies outside `.cosmos/` is yours to look at, copy and back up; what lies inside is the program's. Every file
appears under its name only when it is whole."""

JOB_FOLDER = """\
A job runs in a folder of its own on its host, under a launcher that leaves its state in plain files. They are the truth about the job,
[whatever carried it](../decisions/0005-launcher-and-files-as-truth.md)."""


def _two_columns(text: str) -> Iterator[str]:
    for line in text.strip("\n").splitlines():
        name, _, meaning = line.partition("``  ")
        if not line.startswith("``"):
            return
        yield row((f"{name.replace('``', '`')}`", prose(meaning.strip())))


def clip_page() -> str:
    """What a clip folder holds and its manifest."""
    from cosmos_core import clip

    names = [
        row((f"`{modality}`", ", ".join(f"`{name}`" for name in _names_of(modality))))
        for modality in clip.MODALITIES
    ]
    return page(
        "Clips",
        CLIP,
        "## Names of passes",
        prose(inspect.getdoc(clip.modality_of)),
        "\n".join([row(("pass", "names")), row(("---", "---")), *names]),
        f"## `{clip.MANIFEST}`",
        prose(clip.Clip.__doc__),
        field_table(clip.Clip, without="folder"),
        _class_part(clip.ClipFile),
        "## The digest of a clip",
        prose(_docstring(clip.Clip, "digest")),
        *(
            f"## `{one.__name__}{signature(one)}`\n\n{prose(one.__doc__)}"
            for one in (clip.seal, clip.inspect)
        ),
    )


CLIP = """\
A clip is a sealed folder with the colour video and the controls of one scene variation. All of its videos are equal in frames, size and rate, each was decoded to its last frame,
and the manifest names each with its SHA-256. [Bring your own renders](../how-to/bring-your-own-renders.md) says how to make one."""


def _docstring(kind: type, name: str) -> str | None:
    """The docstring of a method or property as written, whatever attrs has made of it."""
    (found,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    functions = [node for node in ast.walk(found) if isinstance(node, ast.FunctionDef) and node.name == name]
    return ast.get_docstring(functions[0])


def _names_of(modality: str) -> list[str]:
    from cosmos_core.clip import passes

    return [name for name, meant in passes._MODALITY.items() if meant == modality]  # noqa: SLF001  our own table


def control_page() -> str:
    """The conventions of control videos."""
    from cosmos_core import controls

    profiles = [
        row((f"`{one.name}`", f"{one.width}x{one.height}", str(one.frames), str(one.fps), one.source))
        for one in controls.PROFILES.values()
    ]
    head = [row(("profile", "size", "frames", "rate", "source")), row(["---"] * 5)]
    classes = (controls.ClipWriter, controls.VideoWriter)
    return page(
        "Control videos",
        CONTROLS,
        "## What each model was trained for",
        "\n".join([*head, *profiles]),
        *(
            f"## `{kind.__name__}{signature(kind)}`\n\n{prose(kind.__doc__)}\n\n{_arguments(kind)}"
            for kind in classes
        ),
        *_functions(controls),
    )


CONTROLS = """\
What a control video looks like, in the models' own conventions, and how it is encoded. The module `cosmos_core.controls` is the only place that knows, and every generator goes through it: depth is
bright where it is near, a colour stays with its object, and edges are the very edges that NVIDIA's code would have found. File names in the text are those of
`nvidia-cosmos/cosmos-transfer2.5`. Depth, segmentation and edge are [lossless](../decisions/0007-lossless-controls.md)."""


def _arguments(kind: type) -> str:
    """The ``Args:`` of a class that documents them at its ``__init__``."""
    return (
        "**Args:**" + prose(vars(kind)["__init__"].__doc__).partition("**Args:**")[2]
        if vars(kind)["__init__"].__doc__
        else ""
    )


def _functions(module: ModuleType) -> Iterator[str]:
    for name, found in vars(module).items():
        if inspect.isfunction(found) and found.__module__ == module.__name__ and not name.startswith("_"):
            yield f"## `{name}{signature(found)}`\n\n{prose(found.__doc__)}"


def pose_page() -> str:
    """The format of pose files."""
    from cosmos_core_city import posefile, schema

    kinds = [posefile.MadeBy, posefile.Group, posefile.Instance, posefile.Material, posefile.Digests]
    members = inspect.cleandoc(posefile.ARRAYS_DOC).splitlines()
    arrays = [
        row((f"`{name}`", f"`{kind}`", ", ".join(map(str, shape)), meaning))
        for (name, (kind, shape)), meaning in zip(posefile.ARRAYS.items(), members, strict=True)
    ]
    head = [row(("array", "type", "shape", "meaning")), row(("---", "---", "---", "---"))]
    return page(
        "Pose files",
        prose(posefile.__doc__),
        POSES,
        "## The header, `poses.json`",
        _properties(schema.of(posefile.Header)),
        *(
            f"### {kind.__name__}\n\n{prose(kind.__doc__)}\n\n{_properties(schema.of(kind))}"
            for kind in kinds
        ),
        "## The arrays",
        "\n".join([*head, *arrays]),
    )


POSES = """\
`cosmos city schema --poses` prints the header's JSON schema, `cosmos city poses FILE` says what a file holds or what is wrong with it, and `cosmos city simulate` writes one of the city's
own. Where such files come from and what to do with them: [Film Houdini's simulation](../how-to/film-houdinis-simulation.md)."""


def _properties(told: dict[str, Any]) -> str:
    """The members of a JSON schema's object as a table."""
    rows = [
        row(
            (
                f"`{name}`" + (", required" if name in told["required"] else ""),
                _allowed(one),
                one.get("description", ""),
            )
        )
        for name, one in told["properties"].items()
    ]
    return "\n".join([row(("key", "allowed", "meaning")), row(("---", "---", "---")), *rows])


def _allowed(one: dict[str, Any]) -> str:
    if "enum" in one:
        return ", ".join(f"`{word}`" for word in one["enum"] if word)
    if "minimum" in one:
        return f"{one['minimum']:,.0f} to {one['maximum']:,.0f}"
    if "pattern" in one:
        return "64 hexadecimal digits"
    words = {"array": "a list", "object": "an object", "string": "a text", "boolean": "true or false"}
    most = one.get("maxItems", one.get("maxLength"))
    return words.get(one["type"], one["type"]) + (f", {most:,} long at most" if most else "")


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
    "campaign.md": campaign_page,
    "workspace.md": workspace_page,
    "poses.md": pose_page,
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
