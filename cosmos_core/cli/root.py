"""The group ``cosmos``: finds a command by name, core's own without asking any plugin, and loads only that one."""

from __future__ import annotations

import inspect
import os
import sys
from contextlib import contextmanager, redirect_stdout
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from cosmos_core import __version__
from cosmos_core.builtin.commands import THEMES, place
from cosmos_core.cli.asked import CONTEXT, Asked, SpokenGroup, hush, share, show_help
from cosmos_core.cli.failure import guarded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cosmos_core.extend import Command

OWN = {name: summary for commands in THEMES.values() for name, summary in commands.items()}


class Root(SpokenGroup):
    """All commands. A plugin's are looked for when the name is none of core's, and for the list in ``--help``."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Every name, core's first."""
        return [*OWN, *self._foreign()]

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name; None when nobody offers it."""
        if cmd_name in OWN:
            return _load(place(cmd_name))
        offered = self._foreign().get(cmd_name)
        return share(_load_foreign(offered)) if offered else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which names are near and what may be missing."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            raise click.UsageError(self._nobody(ctx, name), ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by theme."""
        foreign = {name: offered.summary for name, offered in self._foreign().items()}
        widest = max(map(len, [*OWN, *foreign]))
        with formatter.section("Commands"):
            pass
        for theme, commands in (THEMES | {"From plugins": foreign}).items():
            if commands:
                with formatter.section(theme):
                    formatter.write_dl([(name.ljust(widest), text) for name, text in commands.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        *_: object,
        **extra: Any,
    ) -> NoReturn:
        """Run the command line and leave with its exit code."""
        for ours in ("standalone_mode", "windows_expand_args"):
            extra.pop(ours, None)
        _speak_utf8()
        words = list(sys.argv[1:] if args is None else args)
        asked = extra.pop("obj", None) or Asked.by(words)
        _complete_powershell()
        work = partial(
            super().main,
            words,
            prog_name or "cosmos",
            complete_var,
            standalone_mode=False,
            windows_expand_args=False,
            obj=asked,
            **extra,
        )
        try:
            with _answers_alone(asked):
                code = guarded(work, asked)
        finally:
            hush()
        sys.exit(code)

    def _foreign(self) -> dict[str, Command]:
        from cosmos_core.extend import Command
        from cosmos_core.plugins import load

        return {name: offer for name, offer in load().offers(Command).items() if name not in OWN}

    def _nobody(self, ctx: click.Context, name: str) -> str:
        from difflib import get_close_matches

        from cosmos_core.plugins import load

        near = get_close_matches(name, self.list_commands(ctx))
        asides = [f"did you mean {' or '.join(near)}?"] if near else []
        asides += [
            f"plugin {each.name} is quarantined" for each in load().listed() if each.state == "quarantined"
        ]
        return f"there is no command {name!r}" + "".join(f"; {aside}" for aside in asides)


def _load(where: str) -> click.Command:
    module, _, attribute = where.partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, click.Command):
        raise TypeError(f"{where} is a {type(found).__name__}, not a click command")
    return found


def _load_foreign(offered: Command) -> click.Command:
    from cosmos_core.errors import PluginError

    try:
        return _load(offered.load)
    except (ImportError, AttributeError, TypeError, SyntaxError) as error:
        raise PluginError(
            f"the command {offered.name!r} cannot be loaded from {offered.load}: {error}",
            hint="see which plugin offers it: cosmos plugins",
        ) from error


def _speak_utf8() -> None:
    """Let no letter that a console cannot show end the program; off a console write UTF-8 on every system."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is None:
            continue
        if os.name == "nt" and not stream.isatty():
            reconfigure(encoding="utf-8", errors="replace")
        else:
            reconfigure(errors="replace")


@contextmanager
def _answers_alone(asked: Asked) -> Iterator[None]:
    """Keep stdout for answers while a program listens: what a plugin prints goes to stderr."""
    if not asked.json:
        yield
        return
    asked.out = sys.stdout
    with redirect_stdout(sys.stderr):
        yield


def _complete_powershell() -> None:
    if os.environ.get("_COSMOS_COMPLETE", "").startswith("powershell"):
        from cosmos_core.cli.completion import teach_click

        teach_click()


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if not value:
        return
    asked = ctx.find_object(Asked) or Asked()
    asked.tell(f"cosmos {__version__}")
    asked.answer({"version": __version__})
    ctx.exit()


@click.pass_obj
def _alone(asked: Asked) -> None:
    """Turn a scene into verified training video.

    A clip and a prompt make a run; a run is worked on a slot; its output is checked frame by frame, and only what
    passes is sealed.

    New here? Type: cosmos demo
    """
    if click.get_current_context().invoked_subcommand is None:
        show_help(asked)


root = Root(
    "cosmos",
    callback=_alone,
    help=inspect.getdoc(_alone),
    examples="""
        cosmos demo                                              walk the whole way once
        cosmos run "a street in heavy fog" --clip clips/street   make a video
        cosmos COMMAND --help                                    examples of a command
    """,
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Show the version.",
        )
    ],
    context_settings=CONTEXT,
)
