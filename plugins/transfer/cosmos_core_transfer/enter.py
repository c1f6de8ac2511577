"""Run a command in a model's checkout: ``enter.py FOLDER [NAME=VALUE | -NAME | +FILE]... -- COMMAND...``.

It travels with each job, needs the standard library only, and becomes the command. ``{job}`` in a word stands for the
folder this script lies in, ``{repo}`` for the checkout. ``NAME=VALUE`` sets a variable, ``-NAME`` removes one. ``+FILE``
is a file of JSON lines of the job: every text in it that begins with ``{job}/inputs/`` is made an absolute path, for
programs that take paths from where they run. Temporary files go into the job's folder: Transfer 2.5 names some by the video's stem alone, so two jobs on a machine would
share them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


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
    for word in rest[:mark]:
        if word.startswith("+"):
            _fill(job / word[1:], str(job))
        elif word.startswith("-"):
            environ.pop(word[1:], None)
        else:
            name, _, value = word.partition("=")
            environ[name] = _put(value, places)
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


def _fill(path: Path, job: str) -> None:
    lines = path.read_text("utf-8").splitlines()
    filled = [json.dumps(_absolute(json.loads(line), job), ensure_ascii=False) for line in lines]
    path.write_text("\n".join(filled) + "\n", "utf-8")


def _absolute(value: Any, job: str) -> Any:
    if isinstance(value, dict):
        return {key: _absolute(each, job) for key, each in value.items()}
    if isinstance(value, str) and value.startswith("{job}/inputs/"):
        return job + value[len("{job}") :]
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
