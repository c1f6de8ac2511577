"""A broad ``except`` hides bugs, so each one that does not raise again has a home here, with its reason."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("cosmos_core/**/*.py"), *ROOT.glob("plugins/*/cosmos_core_*/**/*.py")])

HOMES = {
    "cosmos_core/cli/failure.py: guarded": "the outermost line of the command: a sentence and a report, no traceback",
    "cosmos_core/dispatch.py: _Tail._read": "a plugin that misreads a line of a log costs a bar, not the job",
    "cosmos_core/dispatch.py: follow_steps": "a plugin's step must not cost a sealed artifact",
    "cosmos_core/plugins.py: _admit": "a plugin that cannot be imported is quarantined",
    "cosmos_core/plugins.py: Plugins._drain": "a plugin that cannot say what it offers is quarantined",
    "cosmos_core/plugins.py: Plugins.review": "a reviewer that raises is itself a finding",
    "cosmos_core/plugins.py: Plugins._tell": "a listener must not fail a run",
    "cosmos_core/testing/session.py: _race.run": "it is a test, which looks at what was raised",
    "cosmos_core/examine.py: _ask": "a check that raises leaves one question unanswered, and its output unverified",
    "cosmos_core/work.py: _answer": "a submission that nobody can accept is answered, and the next one is read",
    "cosmos_core/work.py: Seat.carry": "what nobody foresaw costs one batch an attempt, not the worker",
}
"""Where ``except Exception`` may end an error, and why."""

_BROAD = {"Exception", "BaseException"}


def _is_broad(handler):
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(one is None or ast.unparse(one) in _BROAD for one in caught)


def _swallows(handler):
    return _is_broad(handler) and not any(isinstance(node, ast.Raise) for node in ast.walk(handler))


def _broad(tree, prefix=""):
    """Qualified names of the functions in *tree* that swallow everything."""
    for node in ast.iter_child_nodes(tree):
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        here = f"{prefix}.{node.name}".lstrip(".") if named else prefix
        if isinstance(node, ast.ExceptHandler) and _swallows(node):
            yield here
        yield from _broad(node, here)


def _found():
    return {
        f"{path.relative_to(ROOT).as_posix()}: {function}"
        for path in SOURCES
        for function in _broad(ast.parse(path.read_text("utf-8")))
    }


def test_only_its_homes_swallow_every_error():
    """A new broad except names its reason above, or is made narrow."""
    assert set() == _found() - HOMES.keys()


def test_no_home_stands_empty():
    """A home whose except is gone is removed from the list."""
    assert set() == HOMES.keys() - _found()


def test_a_swallowing_except_is_seen_and_a_raising_one_is_not():
    """The rule tells them apart, also inside a class and with a bare except."""
    source = """
class A:
    def eats(self):
        try: ...
        except Exception: pass
    def raises(self):
        try: ...
        except Exception as e: raise ValueError from e
def bare():
    try: ...
    except: ...
"""

    assert ["A.eats", "bare"] == list(_broad(ast.parse(source)))
