"""Text into the words that a search compares. Both databases index what this gives, so both find the same."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")

# PostgreSQL refuses a lexeme above 2 kB and a document above 1 MB; no prompt comes near.
LONGEST = 64
MOST = 5000


def words(*texts: str) -> list[str]:
    """The distinct words of *texts* in order, folded: no case, no accents, letters and digits only."""
    plain = unicodedata.normalize("NFKD", " ".join(texts))
    folded = "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()
    return list(dict.fromkeys(word[:LONGEST] for word in _WORD.findall(folded)))[:MOST]


def document(*texts: str) -> str:
    """The words of *texts* with one space between, and one before the first."""
    return "".join(f" {word}" for word in words(*texts))
