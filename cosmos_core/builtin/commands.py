"""Core's own commands, offered through the same hook as everybody's.

The command line reads :data:`THEMES` before it loads any plugin, so this module imports next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cosmos_core.extend import Command

THEMES: dict[str, dict[str, str]] = {
    "Make": {
        "generate": "Make clips with a generator.",
        "clip": "Seal, list and show clips.",
    },
    "Ask": {
        "prompt": "Keep prompts in a library, with versions.",
        "run": "Make one video, or several, and wait until they are sealed.",
        "submit": "Queue runs without working on them.",
        "campaign": "Make many videos from one file: plan, submit, follow, verify, export.",
    },
    "Work": {
        "work": "Serve this machine's slots: take runs from the queue until told to stop.",
        "plan": "Show how the waiting runs would be worked.",
        "status": "Show what waits, what runs and what was sealed last.",
        "logs": "Show the log of a run's job.",
        "cancel": "Cancel runs.",
        "retry": "Put runs that ended badly back into the queue.",
        "queue": "Pause and resume the queue.",
    },
    "Look": {
        "list": "List runs, newest first.",
        "show": "Show all there is to know about a run.",
        "search": "Find runs by words of their name, prompt or tags.",
        "verify": "Ask every check about a video or a folder of them.",
    },
    "Keep": {
        "review": "Say what you think of videos: approve, reject, rate, note.",
        "rate": "Rate a run, 1 to 5.",
        "tag": "Add tags to a run and take tags off.",
        "export": "Write sealed artifacts as a dataset.",
        "rm": "Remove runs with their files.",
    },
    "Set up": {
        "init": "Make a workspace.",
        "demo": "Walk the whole way once: from a scene to a verified video.",
        "doctor": "Examine this machine and workspace, and say what to do.",
        "hosts": "Name the machines that jobs run on, and examine them.",
        "plugins": "List plugins, and show what one offers.",
        "completion": "Print the script that completes commands in your shell.",
    },
}
"""Name and summary of each command, by theme, in the order of ``cosmos --help``."""


def place(name: str) -> str:
    """Where the command *name* of the core is loaded from."""
    return f"cosmos_core.cli.{name}:command"


@hookimpl
def cosmos_commands() -> Iterable[Command]:
    """Offer the core's commands."""
    from cosmos_core.extend import Command

    for commands in THEMES.values():
        for name, summary in commands.items():
            yield Command(name=name, summary=summary, load=place(name))
