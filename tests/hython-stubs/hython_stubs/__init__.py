"""A strict fake of Houdini's module ``hou``, for tests on machines that have no Houdini.

Names and signatures come from the published stubs (``types-houdini``), node types and parameters from a table with
its sources (``nodes.toml``). What neither knows is an error: a misspelt method, a surplus argument, an argument of the
wrong type, a child in a parent that cannot hold it, a menu token that does not exist. A name that exists in Houdini
but that nobody has written behaviour for raises ``NotImplementedError``, never gives a mock.

::

    def test_the_box_is_wired(hou):
        geo = hou.node("/obj").createNode("geo")
        box = geo.createNode("box")
        box.parmTuple("size").set((1, 2, 3))

It proves that calls are legal. It cannot prove what Houdini makes of them.
"""

from __future__ import annotations

from hython_stubs.session import Session, install

__all__ = ["Session", "install"]
__version__ = "0.1.0"
