"""Records what a run was started with: the versions, the machine, the Git commit and the command line."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from seqtrain import __version__

_PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "jax", "numpy", "opencv-python-headless", "simplejpeg", "pillow")


def provenance(argv: Sequence[str]) -> dict[str, Any]:
    """The record of the first start of a run, for meta.json.

    Args:
        argv: The command.
    """
    return {
        "seqtrain": __version__,
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := version_of(name))},
        "platform": platform.platform(),
        "hostname": platform.node(),
        "cpus": os.cpu_count(),
        "git_commit": _git_commit(),
        "argv": list(argv),
        "executable": sys.executable,
        "started": now(),
    }


def resumption(argv: Sequence[str], changed: Sequence[str]) -> dict[str, Any]:
    """The record of a resumption, for the list "resumed" in meta.json.

    Args:
        argv: The command.
        changed: The config keys that have changed.
    """
    document = {"time": now(), "argv": list(argv), "hostname": platform.node(), "pid": os.getpid()}
    return {**document, "changed": list(changed)} if changed else document


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def version_of(package: str) -> str | None:
    """The version of an installed distribution, found without importing it; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    """The Git commit of the working directory, if it is a checkout."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
