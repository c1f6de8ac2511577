"""Where compiled kernels are kept, and the decorators that compile them.

Importing this module imports numba. The cache lies in the user's cache folder, because a package's own folder
may be read-only and is lost with every environment.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    F = TypeVar("F", bound=Callable[..., object])

_SOURCES = ("kernels.py", "raster.py", "textures.py", "shade.py")


def cache_folder() -> Path:
    """Where this version's kernels are kept.

    Numba notices a change of a function's own file, but not of the files whose functions it calls; so the folder
    has a digest of all of them in its name.
    """
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update(Path(__file__).with_name(name).read_bytes())
    return (
        platformdirs.user_cache_path("cosmos-core", appauthor=False)
        / "city-kernels"
        / digest.hexdigest()[:16]
    )


# Numba reads this once, at import.
os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder()))

if TYPE_CHECKING:

    def exact(function: F) -> F:
        """Compile *function* on first use, keep it on disk, and release the GIL while it runs."""
        return function

    def loose(function: F) -> F:
        """As :func:`exact`, for colours: sums may be taken in another order, the same for every pixel and thread."""
        return function

    def inner(function: F) -> F:
        """As :func:`loose`, for what kernels call for every pixel: always a part of the caller, never called from Python."""
        return function

    def bits(value: np.float32) -> int:
        """The 32 bits of a float32, as an int32: for positive floats they sort as the floats do."""
        raise NotImplementedError
else:
    import numba
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    exact = numba.njit(nogil=True, cache=True, error_model="numpy")
    loose = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=True)
    inner = numba.njit(
        nogil=True,
        cache=True,
        error_model="numpy",
        fastmath=True,
        forceinline=True,
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
    )

    @intrinsic
    def bits(_, value):  # noqa: ANN001, ANN201, ARG001 (numba's protocol)
        """The 32 bits of a float32, as an int32: for positive floats they sort as the floats do."""

        def code(_, builder, __, arguments):  # noqa: ANN001, ANN202
            return builder.bitcast(arguments[0], ir.IntType(32))

        return types.int32(types.float32), code
