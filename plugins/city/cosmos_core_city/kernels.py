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
    from numpy.typing import NDArray

    F = TypeVar("F", bound=Callable[..., object])

LANES = 128
"""Pixels that a kernel works on at once: a few dozen lanes of them fit into the fastest cache."""
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

    def lean(function: F) -> F:
        """As :func:`exact`, for what makes no arrays: it counts no references either."""
        return function

    def loose(function: F) -> F:
        """As :func:`lean`, for colours: sums may be taken in another order, the same for every pixel and thread."""
        return function

    def inner(function: F) -> F:
        """As :func:`loose`, for what kernels call for every pixel: always a part of the caller, never called from Python."""
        return function

    def f32(value: float) -> float:
        """A float32. A plain 0.5 in a kernel is a float64, of which half as many fit into a vector."""
        raise NotImplementedError

    def i32(value: float) -> int:
        """An int32, cut."""
        raise NotImplementedError

    def u32(value: float) -> int:
        """A uint32: as an index it never counts from the end, which costs a comparison."""
        raise NotImplementedError

    def bits(value: float) -> int:
        """The 32 bits of a float32, as an int32: for positive floats they sort as the floats do."""
        raise NotImplementedError

    def lane() -> NDArray[np.float32]:
        """:data:`LANES` numbers of the running kernel's own, undefined at first.

        They lie on its stack, so the compiler knows that no array overlaps them: loops that read arrays anywhere and
        write only lanes become vector instructions.
        """
        raise NotImplementedError

    def numbers() -> NDArray[np.int32]:
        """:data:`LANES` int32 of the running kernel's own, likewise."""
        raise NotImplementedError

    def few() -> NDArray[np.float64]:
        """Sixteen numbers of the running kernel's own, likewise."""
        raise NotImplementedError
else:
    import numba
    import numpy as np
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic
    from numba.np import arrayobj

    f32, i32, u32 = np.float32, np.int32, np.uint32

    # _nrt=False: otherwise every slice and every call counts references, atomically, which took half of all time.
    exact = numba.njit(nogil=True, cache=True, error_model="numpy")
    lean = numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
    loose = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=True, _nrt=False)
    inner = numba.njit(
        nogil=True,
        cache=True,
        error_model="numpy",
        fastmath=True,
        forceinline=True,
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
        _nrt=False,
    )

    @intrinsic
    def bits(_, value):  # noqa: ANN001, ANN201, ARG001 (numba's protocol)
        """The 32 bits of a float32, as an int32: for positive floats they sort as the floats do."""

        def code(_, builder, __, arguments):  # noqa: ANN001, ANN202
            return builder.bitcast(arguments[0], ir.IntType(32))

        return types.int32(types.float32), code

    def _local(kind, count):  # noqa: ANN001, ANN202
        """What gives a kernel *count* numbers of *kind* on its stack."""
        found = types.Array(kind, 1, "C")

        @intrinsic
        def local(_):  # noqa: ANN001, ANN202 (numba's protocol)
            def code(context, builder, _, __):  # noqa: ANN001, ANN202
                with builder.goto_entry_block():
                    place = builder.alloca(ir.ArrayType(context.get_value_type(kind), count))
                place.align = 64
                array = context.make_array(found)(context, builder)
                size = context.get_constant(types.intp, kind.bitwidth // 8)
                data = builder.bitcast(place, array.data.type)
                length = context.get_constant(types.intp, count)
                arrayobj.populate_array(array, data, [length], [size], size, None)
                return array._getvalue()  # noqa: SLF001 (numba's protocol)

            return found(), code

        return local

    lane = _local(types.float32, LANES)
    numbers = _local(types.int32, LANES)
    few = _local(types.float64, 16)
