"""Checks that worker processes start and answer, and how many cores are available."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from seqtrain.config.schema import FitConfig
from seqtrain.doctor.finding import Finding, finding_of
from seqtrain.errors import SeqtrainError
from seqtrain.loading.memory import SharedBuffers
from seqtrain.loading.pending_batch import PendingBatch, RowRange
from seqtrain.loading.tuning import num_cores
from seqtrain.loading.workers import WorkerPool
from seqtrain.sequences.base import BatchSequence

_LONGEST_S = 60.0
_SLOW_S = 5.0
_MAX_PER_CORE = 4
_VALUE = 7


class SmallBatch(BatchSequence):
    """A sequence of one batch whose values are known."""

    def batch(self, epoch: int, index: int) -> tuple[Any, ...]:
        """The batch."""
        return (np.full((2, 3), _VALUE, np.uint8),)


def workers(fit: FitConfig | None) -> Iterator[Finding]:
    """Checks the number of cores, and lets a worker process make a batch.

    Args:
        fit: The `fit` section of the config, if there is one.
    """
    yield check_cores(num_cores(), fit.workers if fit is not None else None)
    yield _check_process()


def check_cores(available: int, num_workers: int | str | None) -> Finding:
    """Checks the number of cores against the number of workers in the config.

    Args:
        available: The number of cores that this process may use.
        num_workers: `fit.workers` of the config; None without a config.
    """
    are_many = isinstance(num_workers, int) and num_workers > _MAX_PER_CORE * available
    message = f"{available} of the machine's {os.cpu_count()} may be used"
    message += f"; fit.workers is {num_workers}" if are_many else ""
    fix = f"-s fit.workers={available}, or fit.workers=auto, which measures"
    return finding_of("workers", "cores", message, fix, warning=are_many)


def _check_process() -> Finding:
    """Lets a worker process make one batch, and checks it."""
    buffers = SharedBuffers(None, 1, 1)
    pool = WorkerPool(SmallBatch(), [], buffers, _LONGEST_S)
    start = time.monotonic()
    try:
        buffer = buffers.take()
        assert buffer is not None
        pending = PendingBatch(SmallBatch(), 0, 0, 0, buffer)
        pool.worker().make(RowRange(pending))
        is_right = pending.batch is not None and bool((pending.batch[0] == _VALUE).all())
    except (SeqtrainError, OSError) as error:
        return Finding("workers", "process", "problem", str(error), "-s fit.use_multiprocessing=false")
    finally:
        pool.kill()
        pool.close()
        buffers.close()
    took = time.monotonic() - start
    message = f"a worker process makes a batch {took:.1f} s after its start"
    if not is_right:
        message = "a worker process made a batch, and another one arrived here"
        return Finding("workers", "process", "problem", message, "-s fit.use_multiprocessing=false")
    return finding_of("workers", "process", message, "put Python's packages on a local disk", warning=took > _SLOW_S)
