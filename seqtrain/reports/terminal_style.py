"""Colours for a terminal; the command line leaves them out where its output is no terminal."""

from __future__ import annotations

import os

DIM, RED, GREEN, YELLOW = "2", "31", "32", "33"


def styled(text: str, style: str) -> str:
    """The text in a style; as it is where NO_COLOR is set.

    Args:
        text: Of one line.
        style: One of the names above.

    Source: no-color.org.
    """
    return text if os.environ.get("NO_COLOR") else f"\x1b[{style}m{text}\x1b[0m"
