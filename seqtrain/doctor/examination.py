"""Looks at the machine that a run is to work on, without a network: each finding with the command that mends it.

What is slow comes last, so that findings appear as they are made. Keras and its backend are looked at in a process of
their own: a library that crashes or hangs is a finding, not the end of the examination.
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
    """Everything that a run needs of its machine.

    Args:
        loaded: The config of the run, where there is one: for its cache and its number of workers.
        run_dir: The run folder, whose disk is looked at. Default: `runs/`, below the folder that one is in.
    """
    yield from versions()
    yield from decoders()
    yield from memory()
    yield from disk("run folder", run_dir or Path("runs"), "--run-dir DIR")
    if loaded is not None and loaded.config.cache is not None:
        yield from disk("cache", loaded.config.cache.path, "-s cache.path=DIR")
    yield from workers(loaded.config.fit if loaded is not None else None)
    yield from devices()
