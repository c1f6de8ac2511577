"""What every command shares: the options understood everywhere, help with examples, and one way to answer.

A command is a function that gets an :class:`Asked` first. It tells people with :meth:`Asked.tell` and programs with
:meth:`Asked.answer`; which of the two is heard depends on ``--json``.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import attrs
import click

from cosmos_core.cli import say
from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cosmos_core.api import Cosmos
    from cosmos_core.errors import CosmosError
    from cosmos_core.extend import Report
    from cosmos_core.run import Run

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@attrs.define(kw_only=True)
class Asked:
    """What this invocation asks for, whatever the command. Filled in as its options are read."""

    json: bool = False
    verbose: int = 0
    folder: Path | None = None
    goes_on: bool = False
    """Whether the answer is a stream, one JSON object a line."""
    out: TextIO | None = None
    """Where answers in JSON go; None for stdout."""

    @classmethod
    def by(cls, words: Sequence[str]) -> Asked:
        """What *words* ask for as far as it must be known before they are parsed: how to answer."""
        said = list(words)
        return cls(json="--json" in (said[: said.index("--")] if "--" in said else said))

    def open(self) -> Cosmos:
        """The workspace that was named, or the one around the current folder.

        Raises:
            InputError: when there is none.
        """
        from cosmos_core.api import Cosmos

        listen(self.verbose)
        return Cosmos(self.folder)

    def tell(self, text: str) -> None:
        """Say *text* to a person, unless a program listens."""
        if not self.json and text:
            echo(text)

    def note(self, text: str) -> None:
        """Say *text* beside the answer, on stderr, unless a program listens."""
        if not self.json and text:
            echo(text, err=True)

    def answer(self, facts: object) -> None:
        """Give *facts* to the program that listens, if one does: one JSON object, indented unless lines went before."""
        if self.goes_on:
            self.line(facts)
        elif self.json:
            from cosmos_core import canonical

            click.echo(canonical.pretty(facts), nl=False, file=self.out)

    def fail(self, facts: Mapping[str, object], error: CosmosError) -> NoReturn:
        """Answer with *facts* and the error in one object, or say the error to a person; leave with its exit code."""
        from cosmos_core.cli import failure

        self.answer({**facts, "error": failure.facts(error)})
        if not self.json:
            failure.tell(self, error)
        raise click.exceptions.Exit(error.exit_code)

    def line(self, facts: object) -> None:
        """As :meth:`answer`, for commands that go on: one JSON object a line, at once."""
        if self.json:
            from cosmos_core import canonical

            self.goes_on = True
            click.echo(canonical.dumps(facts), file=self.out)
            (self.out or sys.stdout).flush()

    def table(self, rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> None:
        """Say rows as aligned columns, unless a program listens; words that have a colour get it."""
        self.tell(say.table([[say.word(cell) for cell in row] for row in rows], head))

    @contextmanager
    def progress(self, label: str) -> Iterator[Report]:
        """As long as the context is open, show how far a thing is and the time that is left."""
        from cosmos_core.cli.progress import progress

        with progress(self) as shown:

            def report(done: int, total: int, note: str = "", /) -> None:
                shown.show(label, label, done, total, note)

            yield report

    def finish(self, cosmos: Cosmos, runs: Sequence[Run]) -> tuple[Run, ...]:
        """Work on *runs* until each is final; see :func:`cosmos_core.cli.finish.finish`."""
        from cosmos_core.cli.finish import finish

        return finish(cosmos, self, runs)

    def conclude(self, cosmos: Cosmos, runs: Sequence[Run], **more: object) -> None:
        """Say how each run ended; see :func:`cosmos_core.cli.finish.conclude`."""
        from cosmos_core.cli.finish import conclude

        conclude(cosmos, self, runs, **more)

    def confirm(self, question: str, *, yes: bool, again: str) -> None:
        """Go on only with the person's word: ``--yes``, or an answer at a terminal.

        Raises:
            InputError: when neither is there; *again* is what to type.
        """
        if yes:
            return
        if self.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise InputError("nothing was changed: this needs --yes", hint=again)
        click.confirm(say.shown(question), abort=True, err=True)


def echo(text: str, *, err: bool = False) -> None:
    """Write *text* for a person, without anything in it that could steer a terminal."""
    click.echo(say.shown(text), err=err, color=colour())


def colour() -> bool | None:
    """Whether to colour: NO_COLOR and FORCE_COLOR decide, then TERM; None leaves it to whether it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return False if os.environ.get("TERM") == "dumb" else None


def _keep_folder(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None and (asked := context.find_object(Asked)):
        asked.folder = value


def _keep_verbose(context: click.Context, _: click.Parameter, value: int) -> None:
    if value and (asked := context.find_object(Asked)):
        asked.verbose += value
        listen(asked.verbose)


def _keep_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and (asked := context.find_object(Asked)):
        asked.json = True


def _give_stdout_back(context: click.Context, _: click.Parameter, value: object) -> object:
    if value and (asked := context.find_object(Asked)) and asked.out is not None:
        sys.stdout = asked.out
    return value


def everywhere() -> list[click.Parameter]:
    """The options that every command understands, before its name and after it."""
    return [
        click.Option(
            ["-C", "--workspace", "_workspace"],
            type=click.Path(path_type=Path),
            metavar="DIR",
            expose_value=False,
            callback=_keep_folder,
            help="The workspace; by default the one around the current folder.",
        ),
        click.Option(
            ["--json", "_json"],
            is_flag=True,
            expose_value=False,
            callback=_keep_json,
            help="Answer in JSON, errors too.",
        ),
        click.Option(
            ["-v", "--verbose", "_verbose"],
            count=True,
            expose_value=False,
            callback=_keep_verbose,
            help="Say more on stderr; twice for everything.",
        ),
    ]


def share(made: click.Command) -> click.Command:
    """Let *made*, a plugin's command, and those below it understand what every command does.

    An option of the command's own that has one of the names stays the command's own. With a ``--json`` of its own it
    writes its answer to stdout itself.
    """
    taken = {word for param in made.params for word in param.opts}
    for param in made.params:
        if "--json" in param.opts and param.callback is None:
            param.callback = _give_stdout_back
    made.params += [param for param in everywhere() if not taken & set(param.opts)]
    for below in made.commands.values() if isinstance(made, click.Group) else ():
        share(below)
    return made


def listen(verbose: int) -> None:
    """Let log lines of our packages reach stderr in our own form: warnings, or more with *verbose*."""
    import logging

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            # Resolved at each line: a progress bar puts its own stream there while it is drawn.
            echo(f"{record.levelname.lower()}: {self.format(record)}", err=True)

    ours = logging.getLogger("cosmos_core")
    ours.handlers[:] = [Lines()]
    ours.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)])


def hush() -> None:
    """Take back what :func:`listen` did, for whoever calls the command line from a longer program."""
    if logging := sys.modules.get("logging"):
        ours = logging.getLogger("cosmos_core")
        ours.handlers[:] = []
        ours.setLevel(logging.NOTSET)


class Spoken(click.Command):
    """A click command whose help shows examples first and the options of every command last."""

    def __init__(self, *args: Any, examples: str = "", **settings: Any) -> None:
        settings["context_settings"] = CONTEXT | settings.get("context_settings", {})
        super().__init__(*args, **settings)
        self.examples = [line.strip() for line in examples.strip().splitlines()]
        self.shared = everywhere()
        self.params = [*self.params, *self.shared]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command is for, then how it is typed."""
        super().format_help_text(ctx, formatter)
        if self.examples:
            formatter.write_paragraph()
            formatter.write_heading("Examples")
            for line in self.examples:
                formatter.write(f"  {line}".rstrip() + "\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then those of every command."""
        shared = [*self.shared, self.get_help_option(ctx)]
        own = [each for each in self.get_params(ctx) if isinstance(each, click.Option) and each not in shared]
        for title, params in (("Options", own), ("Everywhere", shared)):
            records = [record for param in params if param and (record := param.get_help_record(ctx))]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class SpokenGroup(Spoken, click.Group):
    """A command with subcommands. Called without one it shows its help, or does what its function does."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **{"invoke_without_command": True, "no_args_is_help": False} | settings)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write options, then the subcommands."""
        Spoken.format_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)


def command(
    name: str, *, examples: str, cls: type[Spoken] = Spoken, **settings: Any
) -> Callable[[Callable[..., None]], Spoken]:
    """Make a command of a function whose first argument is what was asked."""

    def make(function: Callable[..., None]) -> Spoken:
        return click.command(name, cls=cls, examples=examples, **settings)(click.pass_obj(function))

    return make


def group(
    name: str, *, examples: str, cls: type[SpokenGroup] = SpokenGroup, **settings: Any
) -> Callable[[Callable[..., None]], SpokenGroup]:
    """Make a group of a function whose first argument is what was asked; it runs when no subcommand is named."""

    def make(function: Callable[..., None]) -> SpokenGroup:
        def alone(asked: Asked, *args: Any, **words: Any) -> None:
            if click.get_current_context().invoked_subcommand is None:
                function(asked, *args, **words)

        alone.__doc__ = function.__doc__
        alone.__dict__.update(function.__dict__)
        return click.command(name, cls=cls, examples=examples, **settings)(click.pass_obj(alone))

    return make


def subcommand(
    parent: SpokenGroup, name: str, *, examples: str, **settings: Any
) -> Callable[[Callable[..., None]], Spoken]:
    """Make a command of a function, under *parent*."""

    def make(function: Callable[..., None]) -> Spoken:
        made = command(name, examples=examples, **settings)(function)
        parent.add_command(made)
        return made

    return make


def show_help(_: Asked) -> None:
    """What a group does that has nothing to do by itself.

    Raises:
        click.UsageError: when a program listens, who cannot read help.
    """
    context = click.get_current_context()
    asked = context.find_object(Asked)
    if asked is not None and asked.json:
        raise click.UsageError("a subcommand is missing", ctx=context)
    click.echo(context.get_help(), color=colour())


def leave(code: int) -> None:
    """End the command with that exit code; everything that had to be said was said."""
    raise click.exceptions.Exit(code)
