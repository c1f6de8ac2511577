"""Where compiled kernels are kept, and the decorators that compile them.

Importing this module imports numba. The cache lies in the user's cache folder, because a package's own folder
may be read-only and is lost with every environment.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Callable

    F = TypeVar("F", bound=Callable[..., object])

# numba reads this once, at import.
os.environ.setdefault("NUMBA_CACHE_DIR", platformdirs.user_cache_path("cosmos-core", appauthor=False).joinpath("numba").as_posix())

import numba  # noqa: E402
from llvmlite import ir  # noqa: E402
from numba.core import types  # noqa: E402
from numba.extending import intrinsic  # noqa: E402


def exact(function: F) -> F:
    """Compile *function* on first use, keep it on disk, and release the GIL while it runs."""
    return numba.njit(nogil=True, cache=True, error_model="numpy")(function)  # type: ignore[no-any-return]


def loose(function: F) -> F:
    """As :func:`exact`, for colours: sums may be taken in another order, the same one for every pixel and thread."""
    return numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=True)(function)  # type: ignore[no-any-return]


@intrinsic  # type: ignore[misc]
def bits(typingctx, value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG001
    """The 32 bits of a float32, as an int32: for positive floats they sort as the floats do."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, ARG001
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), codegen
