"""Jinja2 templates of prompts: in a sandbox, with every undefined name an error, and without escapes for HTML."""

from __future__ import annotations

import traceback
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cosmos_core.campaign.form import Report

LONGEST = 20_000
"""Letters of a prompt; a model reads a few thousand of them."""

MARKS = ("{{", "{%", "{#")

_OF_EXPRESSIONS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What an expression of a template may raise, beside Jinja2's own errors."""


class Renderer:
    """Renders texts and templates; what is wrong with them goes to a report."""

    def __init__(self, templates: Mapping[str, str], report: Report) -> None:
        self._templates = templates
        self._report = report
        self._compiled: dict[str, Any] = {}

    @cached_property
    def _environment(self) -> Any:
        from jinja2 import FunctionLoader, StrictUndefined

        # HTML escapes would change what a model is told: a prompt is plain text.
        return _sandbox()(
            undefined=StrictUndefined,
            autoescape=False,
            loader=FunctionLoader(self._source),
            finalize=_sayable,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def _source(self, name: str) -> tuple[str, str, Callable[[], bool]] | None:
        # Under its own name a template can be found again in a traceback.
        return (self._templates[name], name, lambda: True) if name in self._templates else None

    def template(self, name: str, words: Mapping[str, Any], where: str, entry: str) -> str | None:
        """The template file *name* with *words*; None, and a finding, when it cannot be rendered.

        *where* it is named, for the *entry* at that line.
        """
        if name not in self._templates:
            there = (
                ", ".join(sorted(self._templates)) or "none; a template's name ends in .jinja2, .jinja or .j2"
            )
            self._report.fail(
                where, f"there is no template {name!r} in the campaign's folder", f"there is: {there}"
            )
            return None
        return self._rendered(lambda: self._environment.get_template(name), words, where, entry)

    def text(self, text: str, words: Mapping[str, Any], where: str, entry: str) -> str | None:
        """A text that may hold ``{{ … }}``, which stands at the line *where*."""
        if not any(mark in text for mark in MARKS):
            return text.strip()

        def compiled() -> Any:
            if text not in self._compiled:
                self._compiled[text] = self._environment.from_string(text)
            return self._compiled[text]

        return self._rendered(compiled, words, where, entry)

    def _rendered(
        self, compiled: Callable[[], Any], words: Mapping[str, Any], where: str, entry: str
    ) -> str | None:
        from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError, UndefinedError

        made, place, wrong = "", where, ""
        try:
            for piece in compiled().generate(words):
                made += piece
                if len(made) > LONGEST:
                    wrong = f"the text has more than {LONGEST:,} letters"
                    break
        except TemplateSyntaxError as error:
            place = f"{error.name}:{error.lineno}" if error.name else where
            wrong = f"this is not a template: {error.message}"
        except TemplateNotFound as error:
            place = self._place(error, where)
            wrong = f"it includes {error.name!r}, which is no template in the folder"
        except UndefinedError as error:
            place = self._place(error, where)
            wrong = f"the template uses what is not there: {error.message}"
        except (TemplateError, *_OF_EXPRESSIONS) as error:
            place = self._place(error, where)
            wrong = f"the template fails: {type(error).__name__}: {error}"
        if not wrong and (left := next((mark for mark in MARKS if mark in made), "")):
            wrong = f"the text still holds {left!r} when it is done: a part's own text is not a template"
        if wrong:
            self._report.fail(place, wrong, f"for the entry at {entry}" if place != entry else "")
            return None
        return made.strip()

    def _place(self, error: BaseException, where: str) -> str:
        """The line of the template that *error* comes from, as far as it is one of a file."""
        frames = [
            frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in self._templates
        ]
        return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else where


def _sandbox() -> Any:
    """The sandbox's class; made here because importing Jinja2 takes longer than most commands."""
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset({"*", "**"})

        def getattr(self, obj: Any, attribute: str) -> Any:
            # {{ scene.items }} is the part's own value, or an error. Never the method of a dict.
            if isinstance(obj, dict):
                return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
            return super().getattr(obj, attribute)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if operator == "**" or not all(isinstance(each, int | float) for each in (left, right)):
                raise SecurityError(f"{operator} is for numbers, and ** for none")
            return super().call_binop(context, operator, left, right)

    return Sandbox


def _sayable(value: Any) -> Any:
    """*value*, if it can stand in a text.

    Raises:
        TypeError: for what would be written as a program writes it, such as a whole part.
        UndefinedError: it is not there.
    """
    from jinja2 import Undefined

    if isinstance(value, Undefined):
        return str(value)
    kind = {type(None): "an empty value", dict: "a mapping", list: "a list", tuple: "a list"}.get(type(value))
    if kind is not None or callable(value):
        raise TypeError(f"{kind or 'a function'} cannot stand in a text; name the value that should")
    return value
