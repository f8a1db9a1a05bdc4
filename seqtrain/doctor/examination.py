"""Runs all checks of a machine, without network access: each finding names the command that fixes it.

Slow checks come last, and findings are printed as they are made. Keras and its backend are checked in a separate
process, so a library that crashes or hangs is a finding, and does not end the command.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seqtrain.config.load import LoadedConfig
from seqtrain.doctor.decoders import decoders
from seqtrain.doctor.devices import devices
from seqtrain.doctor.disk import disk
from seqtrain.doctor.finding import Finding
from seqtrain.doctor.memory import memory
from seqtrain.doctor.versions import versions
from seqtrain.doctor.workers import workers


def examine(loaded: LoadedConfig | None, run_dir: Path | None) -> Iterator[Finding]:
    """Runs all checks.

    Args:
        loaded: The config whose cache and number of workers are checked, if there is one.
        run_dir: The run folder, whose disk is checked. Default: `runs/` in the working directory.
    """
    yield from versions()
    yield from decoders()
    yield from memory()
    yield from disk("run folder", run_dir or Path("runs"), "--run-dir DIR")
    if loaded is not None and loaded.config.cache is not None:
        yield from disk("cache", loaded.config.cache.path, "-s cache.path=DIR")
    yield from workers(loaded.config.fit if loaded is not None else None)
    yield from devices()
