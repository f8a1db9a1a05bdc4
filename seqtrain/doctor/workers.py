"""Whether worker processes start and answer, and how many cores they have."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from seqtrain.config.schema import FitConfig
from seqtrain.doctor.finding import Finding
from seqtrain.errors import SeqtrainError
from seqtrain.loading.memory import SharedBuffers
from seqtrain.loading.pending_batch import PendingBatch, RowRange
from seqtrain.loading.workers import WorkerPool

_LONGEST_S = 60.0
_SLOW_S = 5.0
_MOST_PER_CORE = 4
_VALUE = 7


class SmallBatch:
    """A sequence of one batch whose values are known."""

    seed = 0

    def batch(self, epoch: int, index: int) -> tuple[Any, ...]:
        """The batch."""
        return (np.full((2, 3), _VALUE, np.uint8),)


def workers(fit: FitConfig | None) -> Iterator[Finding]:
    """The cores, and one worker process that makes a batch.

    Args:
        fit: Of the config, where there is one.
    """
    yield of_cores(_num_cores(), fit.workers if fit is not None else None)
    yield _process()


def of_cores(num_cores: int, num_workers: int | str | None) -> Finding:
    """The cores, against the workers that are asked for.

    Args:
        num_cores: That this process may run on.
        num_workers: Of the config; None without one.
    """
    told = f"{num_cores} of the machine's {os.cpu_count()} may be used"
    if isinstance(num_workers, int) and num_workers > _MOST_PER_CORE * num_cores:
        fix = f"-s fit.workers={num_cores}, or fit.workers=auto, which measures"
        return Finding("workers", "cores", "warning", f"{told}; fit.workers is {num_workers}", fix)
    return Finding("workers", "cores", "ok", told)


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _process() -> Finding:
    buffers = SharedBuffers(None, 1, 1)
    pool = WorkerPool(SmallBatch(), [], buffers, _LONGEST_S)
    start = time.monotonic()
    try:
        buffer = buffers.take()
        assert buffer is not None
        pending = PendingBatch(SmallBatch(), 0, 0, 0, buffer)
        pool.worker().make(RowRange(pending))
        right = pending.batch is not None and bool((pending.batch[0] == _VALUE).all())
    except (SeqtrainError, OSError) as error:
        return Finding("workers", "process", "problem", str(error), "-s fit.use_multiprocessing=false")
    finally:
        pool.kill()
        pool.close()
        buffers.close()
    took = time.monotonic() - start
    told = f"a fresh interpreter (no fork) makes a batch {took:.1f} s after its start"
    if not right:
        told = "a worker process made a batch, and another one arrived here"
        return Finding("workers", "process", "problem", told, "-s fit.use_multiprocessing=false")
    if took > _SLOW_S:
        return Finding("workers", "process", "warning", told, "put Python's packages on a local disk")
    return Finding("workers", "process", "ok", told)
