"""``python -m cosmos_core.cli`` is ``cosmos``."""

from __future__ import annotations

from cosmos_core.cli import main

if __name__ == "__main__":
    main()
