"""The command ``cosmos``: one file a command, each imported when it is called."""

from __future__ import annotations


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    from cosmos_core.cli.root import root

    root.main(prog_name="cosmos")
