"""The grammar of ``DialogScript``: words, quoted texts, blocks; and what parameters they describe."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = {
    "vector": 3, "vector2": 2, "vector4": 4, "intvector": 3, "intvector2": 2, "intvector4": 4, "color": 3,
    "color4": 4, "direction": 3, "int_minmax": 2, "float_minmax": 2, "uv": 2, "uvw": 3, "base": 3, "complex": 2,
    "vector2log": 2,
}  # fmt: skip
TYPES = {
    "toggle", "float", "string", "integer", "ordinal", "button", "separator", "label", "image", "oppath", "file",
    "ramp_flt", "directory", "angle", "geometry", "oplist", "ramp_rgb", "log", "data", "buttonstrip", "iconstrip",
    "oppathgeometry", "geometrydata", "intlog", "bitmask", "filegeo", "geo", "chopref",
    *SIZES,
}  # fmt: skip
FOLDERS = {"group", "groupsimple", "groupcollapsible", "groupradio"}
MULTI = {"multiparm", "multiscroll", "multiswitcher"}
_TOKEN = re.compile(
    r'\s+|(?P<comment>#[^\n]*)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[{}\[\]])|(?P<word>[^\s{}\[\]"]+)'
)


class Broken(ValueError):
    """The text is no DialogScript; the message says where."""


@dataclass
class Block:
    """``key flags { words }``: one statement; ``blocks`` of a folder, ``words`` of the rest."""

    key: str
    words: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    is_block: bool = False
    line: int = 0

    def first(self, key: str) -> Block | None:
        """The first statement of that key."""
        return next((one for one in self.blocks if one.key == key), None)

    def text(self, key: str) -> str:
        """The word of a statement; empty when there is none."""
        found = self.first(key)
        return found.words[0] if found and found.words else ""


@dataclass
class Parm:
    """A parameter as the script describes it."""

    block: Block
    folder: str = ""
    multi: bool = False

    @property
    def name(self) -> str:
        """Its name."""
        return self.block.text("name")

    @property
    def type(self) -> str:
        """Its type."""
        return self.block.text("type")

    @property
    def size(self) -> int:
        """How many values it has."""
        said = self.block.text("size")
        return int(said) if said.isdigit() else SIZES.get(self.type, 1)

    @property
    def is_built_in(self) -> bool:
        """Whether Houdini itself describes it."""
        return self.block.first("baseparm") is not None

    @property
    def default(self) -> list[str]:
        """Its default values as words."""
        found = self.block.first("default")
        return found.words if found else []

    @property
    def menu(self) -> list[str]:
        """Tokens and labels, alternating."""
        for key in ("menu", "menureplace", "menutoggle", "menumini"):
            if found := self.block.first(key):
                return found.words
        return []

    def tags(self) -> Iterator[tuple[str, str]]:
        """Its ``parmtag`` pairs."""
        for one in self.block.blocks:
            if one.key == "parmtag" and len(one.words) == 2:
                yield one.words[0], one.words[1]


@dataclass
class Dialog:
    """A whole script."""

    root: Block

    def parms(self) -> list[Parm]:
        """Every parameter, in order."""
        return list(_parms(self.root, "", multi=False))


def _parms(block: Block, folder: str, *, multi: bool) -> Iterator[Parm]:
    for one in block.blocks:
        if one.key == "parm":
            yield Parm(one, folder, multi)
        elif one.key in FOLDERS:
            yield from _parms(one, one.text("label"), multi=multi)
        elif one.key in MULTI:
            yield Parm(one, folder, multi)
            yield from _parms(one, folder, multi=True)


def read(text: str) -> Dialog:
    """The script in *text*.

    Raises:
        Broken: braces or quotes do not match, or something stands outside the one block.
    """
    tokens = list(_tokens(text))
    if not tokens or tokens[0][0] != "{":
        raise Broken("it begins with no {")
    root, end = _block(tokens, 1, Block("root", is_block=True))
    if end != len(tokens):
        raise Broken(f"line {tokens[end][1]}: something stands behind the last }}")
    return Dialog(root)


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        line = text.count("\n", 0, at) + 1
        if match is None:
            raise Broken(f"line {line}: a quote is not closed")
        at = match.end()
        if match["text"]:
            yield '"' + re.sub(r"\\(.)", r"\1", match["text"][1:-1]), line
        elif match["mark"] or match["word"]:
            yield match[0], line


_CONTENT = {"parm", *FOLDERS, *MULTI}
_BELOW = {"outputoverrides", *_CONTENT}
"""Statements whose brace may stand on the next line."""


def _block(tokens: list[tuple[str, int]], at: int, into: Block) -> tuple[Block, int]:
    """Statements up to the closing brace: one a line, except those that open a block."""
    while at < len(tokens):
        token, line = tokens[at]
        if token == "}":
            return into, at + 1
        if token in "{[]":
            raise Broken(f"line {line}: {token} without a word before it")
        statement = Block(token.removeprefix('"'), line=line)
        at += 1
        while at < len(tokens) and tokens[at][1] == line and tokens[at][0] not in ("{", "}"):
            statement.words.append(tokens[at][0].removeprefix('"'))
            at += 1
        if at < len(tokens) and tokens[at][0] == "{" and (tokens[at][1] == line or statement.key in _BELOW):
            statement.is_block = True
            statement.flags, statement.words = statement.words, []
            if statement.key in _CONTENT:
                _, at = _block(tokens, at + 1, statement)
            else:
                at = _words(tokens, at + 1, statement)
        into.blocks.append(statement)
    raise Broken("a { is never closed")


def _words(tokens: list[tuple[str, int]], at: int, into: Block) -> int:
    """Plain words up to the closing brace; ``[ "expression" language ]`` is one word."""
    while at < len(tokens):
        token, line = tokens[at]
        at += 1
        if token == "}":
            return at
        if token == "{":
            raise Broken(f"line {line}: a block inside {into.key}")
        if token == "[":
            into.words.append("[]")
            while at < len(tokens) and tokens[at][0] != "]":
                at += 1
            at += 1
            continue
        into.words.append(token.removeprefix('"'))
    raise Broken(f"line {into.line}: the block of {into.key} is never closed")
