"""What the published stubs say of ``hou``, as plain records: classes, functions, enumerations, type aliases.

The stub file is parsed, never imported: it asks for ``pxr`` and PySide. Its 3 MB take a second, so the records are
kept in the user's cache folder under the digest of file and reader.
"""

from __future__ import annotations

import ast
import hashlib
import os
import pickle
import tempfile
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Argument:
    """One argument: its annotation as text ("" for none), whether it may be left out, and how it is passed."""

    name: str
    annotation: str
    optional: bool
    kind: str
    """``plain``, ``star``, ``word`` (keyword only) or ``stars``."""


@dataclass(frozen=True)
class Function:
    """A function or method. ``bound`` when its first argument is the object itself."""

    name: str
    arguments: tuple[Argument, ...]
    returns: str
    bound: bool


@dataclass(frozen=True)
class Class:
    """A class, an enumeration or a sub-module: the stubs write all three as classes."""

    name: str
    bases: tuple[str, ...]
    functions: dict[str, Function] = field(default_factory=dict)
    members: tuple[str, ...] = ()
    """Values of an enumeration."""
    attributes: tuple[str, ...] = ()

    @property
    def is_closed(self) -> bool:
        """Whether Houdini refuses to construct it: SWIG shows that as ``(*args, **kwargs)``."""
        made = self.functions.get("__init__")
        return made is not None and {argument.kind for argument in made.arguments} == {"star", "stars"}


@dataclass(frozen=True)
class Spec:
    """All of ``hou``."""

    version: str
    """Of Houdini, from the stub's first line."""
    classes: dict[str, Class]
    functions: dict[str, Function]
    aliases: dict[str, str]
    untyped: tuple[str, ...]
    """Names that exist and of which nothing more is said."""


def stub_file() -> Path:
    """Where the installed stubs lie.

    Raises:
        FileNotFoundError: ``types-houdini`` is not installed.
    """
    for folder in _site_folders():
        path = folder / "hou-stubs" / "__init__.pyi"
        if path.is_file():
            return path
    raise FileNotFoundError("hou-stubs is not installed: pip install types-houdini")


def _site_folders() -> list[Path]:
    import sys

    return [Path(entry) for entry in sys.path if entry]


def load(path: Path | None = None) -> Spec:
    """The records of *path*, or of the installed stubs; out of the cache when they are there."""
    source = path or stub_file()
    content = source.read_bytes()
    digest = hashlib.sha256(content + Path(__file__).read_bytes()).hexdigest()[:24]
    kept = _cache() / f"hou-{digest}.pickle"
    if kept.is_file():
        return pickle.loads(kept.read_bytes())  # ours, under the digest of what it was made of
    spec = parse(content.decode("utf-8"))
    _keep(kept, pickle.dumps(spec))
    return spec


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or str(Path.home() / ".cache")
    return Path(root) / "hython-stubs"


def _keep(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
            part.write(content)
        Path(part.name).replace(path)
    except OSError:
        return  # a home that cannot be written costs a second next time


def parse(text: str) -> Spec:
    """The records that the stub *text* holds."""
    tree = ast.parse(text)
    first = text.splitlines()[0]
    aliases, untyped = {}, []
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if node.value is not None and ast.unparse(node.annotation) == "TypeAlias":
                aliases[node.target.id] = ast.unparse(node.value)
            else:
                untyped.append(node.target.id)
    return Spec(
        version=first.rsplit(" ", 1)[-1],
        classes={node.name: _class(node) for node in tree.body if isinstance(node, ast.ClassDef)},
        functions={
            node.name: _function(node, bound=False) for node in tree.body if isinstance(node, ast.FunctionDef)
        },
        aliases=aliases,
        untyped=tuple(untyped),
    )


def _class(node: ast.ClassDef) -> Class:
    functions: dict[str, Function] = {}
    members: list[str] = []
    attributes: list[str] = []
    for item in node.body:
        if isinstance(item, ast.FunctionDef):
            static = any(ast.unparse(one) == "staticmethod" for one in item.decorator_list)
            functions[item.name] = _function(item, bound=not static)
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            is_member = ast.unparse(item.annotation) == "EnumValue"
            (members if is_member else attributes).append(item.target.id)
    return Class(
        name=node.name,
        bases=tuple(ast.unparse(base) for base in node.bases),
        functions=functions,
        members=tuple(members),
        attributes=tuple(attributes),
    )


def _function(node: ast.FunctionDef, *, bound: bool) -> Function:
    spoken = node.args
    plain = [*spoken.posonlyargs, *spoken.args]
    optional = len(plain) - len(spoken.defaults)
    found = [_argument(one, "plain", optional=row >= optional) for row, one in enumerate(plain)]
    if spoken.vararg:
        found.append(_argument(spoken.vararg, "star", optional=True))
    found += [
        _argument(one, "word", optional=default is not None)
        for one, default in zip(spoken.kwonlyargs, spoken.kw_defaults, strict=True)
    ]
    if spoken.kwarg:
        found.append(_argument(spoken.kwarg, "stars", optional=True))
    return Function(
        name=node.name,
        arguments=tuple(found[1:] if bound else found),
        returns=ast.unparse(node.returns) if node.returns else "",
        bound=bound,
    )


def _argument(node: ast.arg, kind: str, *, optional: bool) -> Argument:
    return Argument(node.arg, ast.unparse(node.annotation) if node.annotation else "", optional, kind)
