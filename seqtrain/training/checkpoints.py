"""Saves checkpoints of a run: after each epoch, at intervals, and when it is stopped.

A failed save leaves the previous checkpoints unchanged; it is logged, and tried again at the next interval. A run that
ends without any checkpoint is an error.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import keras
import numpy.typing as npt

from seqtrain import __version__
from seqtrain.errors import ResourceError
from seqtrain.text import parse_duration
from seqtrain.training.checkpoint_store import CheckpointStore
from seqtrain.training.divergence import require_finite_weights
from seqtrain.training.progress import Moment, Progress
from seqtrain.training.snapshot import RunObjects, RunState, Snapshot, take_snapshot, take_state, take_step_state

log = logging.getLogger("seqtrain")


class Checkpoints:
    """Takes snapshots of a run and saves them.

    Args:
        run: The objects of the run.
        store: Where the snapshots are saved.
        steps_per_epoch: The number of batches in an epoch.
        best: The name of the best checkpoint so far, for a resumed run.
    """

    def __init__(self, run: RunObjects, store: CheckpointStore, steps_per_epoch: int, best: str | None) -> None:
        self.failure: Exception | None = None
        self._run = run
        self._store = store
        every = run.config.checkpoint.every
        self._every_batches = every if isinstance(every, int) else None
        self._every_s = parse_duration(every) if isinstance(every, str) else None
        self._steps_per_epoch = steps_per_epoch
        self._best = best
        self._saved = run.progress
        self._saved_at = self._began = time.monotonic()
        self._batches_since = 0
        self._num_saved, self._seconds = 0, 0.0
        self._before_validation: RunState | None = None
        self._before_step: list[tuple[Any, npt.NDArray[Any]]] = []

    @property
    def is_up_to_date(self) -> bool:
        """Whether no step was trained since the last checkpoint (or the start); a partial validation does not count."""
        now = self._run.progress
        return (self._saved.epoch, self._saved.step) == (now.epoch, now.step)

    def save_if_due(self, num_batches: int) -> None:
        """Saves a checkpoint if the interval has passed.

        Args:
            num_batches: The number of batches trained since the last call.
        """
        self._batches_since += num_batches
        due = self._every_batches is not None and self._batches_since >= self._every_batches
        if due or (self._every_s is not None and time.monotonic() - self._saved_at >= self._every_s):
            self.save()

    def begin_validation(self) -> None:
        """Stores the state that a validation changes, before `on_test_begin` of the callbacks."""
        self._before_validation = take_state(self._run)
        self._run.progress = replace(self._run.progress, moment=Moment.VALIDATING)

    def note_step_state(self) -> None:
        """Stores the variables that a step may change before it has its batch."""
        self._before_step = take_step_state(self._run.model)

    def save(self, is_best: bool = False) -> None:
        """Saves the current state of the run; during a validation, the state before the validation.

        A failure is logged, and stored in `failure`.

        Args:
            is_best: Whether this is the best epoch so far.

        Raises:
            DivergedError: when a weight is NaN or infinite: such a state is not saved.
        """
        if self._run.progress.moment is not Moment.VALIDATING:
            self._before_validation = None
        self._save(self._before_validation, is_best)

    def save_interrupted(self, callbacks: Iterable[keras.callbacks.Callback]) -> None:
        """Saves a run that was interrupted between two batches, or while waiting for one.

        Args:
            callbacks: A callback that has swapped the weights with their averages for a validation swaps them back.
        """
        if self._run.progress.moment is Moment.BATCH_BEGUN:
            for variable, value in self._before_step:
                variable.assign(value)
        for callback in callbacks:
            is_swapped = self._run.progress.moment is Moment.VALIDATING
            if is_swapped and isinstance(callback, keras.callbacks.SwapEMAWeights):
                callback.on_test_end()
        self.save()

    def retry(self) -> None:
        """Repeats the last save if it failed, before `on_train_end` of the callbacks changes the weights."""
        if self.failure is not None:
            self.save(is_best=self._run.recorder.is_best)

    def start_next_phase(self) -> Snapshot:
        """Saves the snapshot that the next phase starts from, and returns it even if saving fails."""
        run = self._run
        run.progress = Progress(run.progress.phase + 1, run.progress.epoch, 0, Moment.PHASE_BEGINS)
        run.rollbacks, run.model.stop_training = 0, False
        state = take_state(run)
        self._save(state, is_best=False)
        return take_snapshot(run.model, state, self._best, self._store.path)

    def log_cost(self) -> None:
        """Logs the share of the time that was spent on saving."""
        share = self._seconds / max(time.monotonic() - self._began, 1e-9)
        log.info("checkpoints: %d saved in %.1f %% of the time", self._num_saved, 100 * share)

    def require_saved(self) -> None:
        """Checks at the end of a run that at least one checkpoint was saved.

        Raises:
            ResourceError: when none was saved, with the reason.
        """
        if self.failure is not None and self._store.is_empty():
            raise ResourceError(
                f"the run could not be saved: {self.failure}",
                where=self._store.path,
                fix="free the disk, or name another --run-dir",
            ) from self.failure

    def _save(self, state: RunState | None, is_best: bool) -> None:
        """Saves a state, by default the current one, with the weights and the optimizer."""
        began, run = time.monotonic(), self._run
        try:
            require_finite_weights(run.model, self._saved, run.progress)
            snapshot = take_snapshot(run.model, state or take_state(run), self._best, self._store.path)
            name, size = self._commit(snapshot, is_best)
        except (OSError, MemoryError, ResourceError) as error:
            self.failure = error
            log.warning(
                "the run could not be saved: %s; the former checkpoint is untouched, and it is tried again", error
            )
        else:
            self.failure = None
            self._best = name if is_best else self._best
            self._num_saved += 1
            self._saved = run.progress
            log.debug("saved %s: %.1f MB in %.3f s", name, size / 1e6, time.monotonic() - began)
        self._saved_at, self._batches_since = time.monotonic(), 0
        self._seconds += self._saved_at - began

    def _commit(self, snapshot: Snapshot, is_best: bool) -> tuple[str, int]:
        """Writes a snapshot; returns the checkpoint's name and its size in bytes."""
        epoch, step = snapshot.progress.epoch, snapshot.progress.step
        about = {
            "epoch": epoch,
            "batch": step,
            "seqtrain": __version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        files = snapshot.files()
        best = "" if is_best else snapshot.best
        name = self._store.commit(epoch * self._steps_per_epoch + step, files, about, best=best)
        return name, sum(len(content) for content in files.values())
