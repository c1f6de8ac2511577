"""What runs inside Houdini: shelf, assets, panel and the worker that hython runs.

The standard library and ``hou``, nothing else: Houdini 20.5 and 21 run Python 3.11, 22 runs 3.13, and a foreign package
on their path has broken Houdini before. Whatever needs more happens in the ``cosmos`` command, another process.
"""

__version__ = "0.1.0"
