"""``Vector2``, ``Vector3`` and ``Vector4``, as far as tests came to need them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def behaviours() -> dict[str, Callable[..., Any]]:
    """Of the three vector classes."""
    found: dict[str, Callable[..., Any]] = {}
    for size in (2, 3, 4):
        for name, behaviour in _of(size).items():
            found[f"Vector{size}.{name}"] = behaviour
    return found


def _of(size: int) -> dict[str, Callable[..., Any]]:
    def init(self: Any, *values: Any) -> None:
        flat = values[0] if len(values) == 1 and not isinstance(values[0], int | float) else values
        numbers = tuple(float(value) for value in flat) or (0.0,) * size
        if len(numbers) != size:
            raise TypeError(f"hou.Vector{size} of {len(numbers)} numbers")
        self._fake = numbers

    def getitem(self: Any, row: int) -> float:
        return self._fake[row]

    def iterate(self: Any) -> Iterator[float]:
        return iter(self._fake)

    def equal(self: Any, other: object) -> bool:
        return hasattr(other, "__iter__") and self._fake == tuple(other)

    def length(self: Any) -> float:
        return math.sqrt(sum(value * value for value in self._fake))

    def component(row: int) -> Callable[[Any], float]:
        return lambda self: self._fake[row]

    special: dict[str, Callable[..., Any]] = {
        "__init__": init,
        "__getitem__": getitem,
        "__iter__": iterate,
        "__len__": lambda _: size,
        "__eq__": equal,
        "__hash__": lambda self: hash(self._fake),
        "__repr__": lambda self: f"<hou.Vector{size} {list(self._fake)}>",
        "length": length,
    }
    return special | {"xyzw"[row]: component(row) for row in range(size)}
