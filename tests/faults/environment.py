"""How a fault reaches the process that it is for: as JSON in its environment, so that the config stays the same."""

from __future__ import annotations

import functools
import json
import os
from typing import Any

VARIABLE = "SEQTRAIN_FAULT"
BEGINS = "training begins"  # what a process says when it does


def fault(kind: str) -> Any:
    """What this process has of a kind of fault, or None."""
    return _all().get(kind)


def in_environment(faults: dict[str, Any]) -> dict[str, str]:
    """The environment of a process that is to have some faults."""
    return {**os.environ, VARIABLE: json.dumps(faults)}


@functools.cache
def _all() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(os.environ.get(VARIABLE, "{}"))
    return found
