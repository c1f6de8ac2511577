"""How a program of Houdini ended: exit codes, and the words by which a missing licence is told from a broken scene."""

from __future__ import annotations

import re

from cosmos_core.errors import ModelError

CODES: dict[str, int] = {
    "done": 0,
    "arguments": 2,
    "licence": 10,
    "load": 11,
    "catalog": 12,
    "preflight": 13,
    "cook": 14,
    "render": 15,
    "output": 16,
    "cancelled": 17,
    "stalled": 18,
    "crash": 19,
}
"""Exit codes of ``cosmos houdini run`` and of the worker inside hython, by what went wrong."""

HINTS = {
    "licence": "free a licence, or set HOUDINI_SCRIPT_LICENSE; then run the job again",
    "load": "open the scene in this Houdini and look at what it complains of",
    "catalog": "this Houdini lacks something we use: cosmos houdini doctor",
    "preflight": "mend what it says and send the scene again",
    "cook": "open the scene and look at the node it names",
    "render": "look at the end of log.txt in the job's folder",
    "output": "look at the end of log.txt in the job's folder",
    "cancelled": "run the job again: what was finished is kept",
    "stalled": "look at log.txt; give it longer with [plugins.houdini] quiet",
    "crash": "look at log.txt; a driver or another plug-in may be at fault",
}

# Texts that hython and husk print, from the adaptor of deadline-cloud-for-houdini and the Houdini Engine plug-ins.
_LICENCE = (
    re.compile("No licenses could be found to run this application"),
    re.compile("RuntimeError: Error encountered when initializing Houdini"),
    re.compile("No Valid Licenses Found"),
    re.compile("No Houdini Engine license found"),
    re.compile("but it is not the required commercial variant"),
)
_PERHAPS = re.compile(r"licen[cs]e", re.IGNORECASE)


class Failed(ModelError):
    """A job of Houdini that did not end well; ``code`` is a key of :data:`CODES`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, hint=HINTS.get(code, ""))
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """Of the process that ends with this."""
        return CODES[self.code]


def licence_line(log: str, *, guess: bool) -> str:
    """The line of *log* that says a licence was missing; empty when none does.

    With *guess* any line that speaks of licences counts: husk's words for it are not written down anywhere.
    """
    for line in log.splitlines():
        if any(text.search(line) for text in _LICENCE) or (guess and _PERHAPS.search(line)):
            return line.strip()
    return ""


def of_hython(returncode: int, said: str, message: str, log: str) -> Failed:
    """What the end of hython means: its own word *said*, if it left one, then its log, then its exit code."""
    if said in CODES and said != "done":
        return Failed(said, message or f"hython ended with {returncode}")
    if line := licence_line(log, guess=False):
        return Failed("licence", f"hython found no licence: {line}")
    if returncode == 0:
        return Failed("output", "hython ended without an error and without a result")
    return Failed("crash", f"hython {spoken(returncode)} without a word")


def of_husk(returncode: int, log: str) -> Failed:
    """The same for husk, which says nothing but words."""
    if line := licence_line(log, guess=True):
        return Failed("licence", f"husk found no licence: {line}")
    if returncode < 0 or returncode >= 128:
        return Failed("crash", f"husk {spoken(returncode)}")
    return Failed("render", f"husk ended with {returncode}")


def spoken(returncode: int) -> str:
    """How a process ended, in words."""
    if returncode < 0:
        return f"was ended by signal {-returncode}"
    if returncode >= 0xC0000000:
        return f"crashed with {returncode:#x}"
    return f"ended with {returncode}"
