"""Run a command in a model's checkout: ``enter.py FOLDER [NAME=VALUE | -NAME]... -- COMMAND...``.

It travels with each job, needs the standard library only, and becomes the command. ``{job}`` in a word stands for the
folder this script lies in, ``{repo}`` for the checkout. ``NAME=VALUE`` sets a variable, ``-NAME`` removes one. Temporary
files go into the job's folder: Transfer 2.5 names some by the video's stem alone, so two jobs on a machine would
share them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(words: list[str]) -> int:
    """Replace this process by the command; 127 when that cannot be done."""
    job = Path(__file__).absolute().parent
    folder, rest = words[0], words[1:]
    mark = rest.index("--")
    scratch = job / "tmp"
    scratch.mkdir(exist_ok=True)
    environ = dict(os.environ, TMPDIR=str(scratch))
    try:
        os.chdir(folder)
    except OSError as error:
        sys.stderr.write(f"there is no checkout at {folder}: {error.strerror}" + "\n")
        return 127
    places = {"{job}": str(job), "{repo}": str(Path.cwd())}
    for name, sign, value in (word.partition("=") for word in rest[:mark]):
        if sign:
            environ[name] = _put(value, places)
        else:
            environ.pop(name[1:], None)
    command = [_put(word, places) for word in rest[mark + 1 :]]
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606 (it becomes the program)
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error.strerror}" + "\n")
    return 127


def _put(word: str, places: dict[str, str]) -> str:
    for mark, value in places.items():
        word = word.replace(mark, value)
    return word


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
