"""What jobs of both models share: how a program is entered and started."""

from __future__ import annotations

from pathlib import Path

from cosmos_core.extend import JobFile

ENTER = "enter.py"
STAY = "stay.py"


def enter_file() -> JobFile:
    """The script that runs a program in its checkout; it travels with each job."""
    return JobFile(name=ENTER, content=Path(__file__).with_name(ENTER).read_bytes())


def stay_file() -> JobFile:
    """The script that keeps the model of Transfer 2.5; it travels with a job that stays."""
    return JobFile(name=STAY, content=Path(__file__).with_name(STAY).read_bytes())


def entering(repo: str, *words: str) -> tuple[str, ...]:
    """The words that go before a program so that it runs in its checkout; see ``enter.py`` for *words*."""
    return ("python3", ENTER, repo, *words, "--")


def torchrun(python: str) -> str:
    """The torchrun that lies beside a Python."""
    folder, slash, _ = python.rpartition("/")
    return f"{folder}{slash}torchrun"
