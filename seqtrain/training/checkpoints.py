"""Saves a run: after each epoch, at intervals, and when it is stopped.

It is the last of the callbacks, so that what it saves of them is what they know after the same batch or epoch.

A save that fails leaves the former ones untouched. It is told, and tried again at the next interval; a run that ends
without any is an error.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import keras

from seqtrain import __version__
from seqtrain.errors import DivergedError, ResourceError
from seqtrain.text import parse_duration
from seqtrain.training.callback_state import CallbackStates
from seqtrain.training.checkpoint_store import CheckpointStore
from seqtrain.training.recorder import Recorder
from seqtrain.training.snapshot import (
    Arrays,
    Checkpoint,
    RuntimeState,
    StepState,
    capture_runtime_state,
    capture_step_state,
    files_of,
    has_finite_weights,
)

log = logging.getLogger("seqtrain")


class Checkpoints(keras.callbacks.Callback):
    """Saves the run.

    Args:
        store: Where.
        every: Besides after each epoch: a duration such as "10m", or a number of batches.
        steps_per_epoch: Batches in an epoch.
        recorder: The history and the best epoch, which are saved too.
        states: The other callbacks.
        extra: What else a checkpoint's document holds.
        goes_on: Whether the run goes on from a checkpoint, which is to be applied before there is anything to save.
        best: The best checkpoint so far, of a run that goes on.
    """

    def __init__(
        self,
        store: CheckpointStore,
        every: int | str | None,
        steps_per_epoch: int,
        recorder: Recorder,
        states: CallbackStates,
        extra: Callable[[], dict[str, Any]],
        *,
        resuming: bool = False,
        best: str | None = None,
    ) -> None:
        super().__init__()
        self._store = store
        self._every_batches = every if isinstance(every, int) else None
        self._every_s = parse_duration(every) if isinstance(every, str) else None
        self._steps_per_epoch = steps_per_epoch
        self._recorder = recorder
        self._states = states
        self._extra = extra
        self._best = best
        self._epoch, self._batch, self._has_begun_epoch, self._has_begun_batch = 0, 0, False, False
        self._before_validation: RuntimeState | None = None
        self._before_waiting: StepState = []
        self._began = self._saved_at = time.monotonic()
        self._batches_since = 0
        self._num_saved, self._seconds = 0, 0.0
        self._saved = (0, 0)
        self.failure: Exception | None = None
        self.is_at_its_place = not resuming

    def go_on_from(self, epoch: int, batch: int, has_begun_batch: bool) -> None:
        """Says where the checkpoint stands that a run goes on from.

        Args:
            epoch: The epoch.
            batch: How many of its batches are done.
            has_begun_batch: Whether the other callbacks have seen the next one begin.
        """
        self.is_at_its_place = True
        self._epoch, self._batch = self._saved = epoch, batch
        self._has_begun_batch = has_begun_batch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes the epoch."""
        self._epoch, self._batch, self._has_begun_epoch, self._has_begun_batch = epoch, 0, True, False

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Notes that the other callbacks have seen a batch begin."""
        self._has_begun_batch = True

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves where it is time to."""
        self._batches_since += batch + 1 - self._batch
        self._batch, self._has_begun_batch = batch + 1, False
        due = self._every_batches is not None and self._batches_since >= self._every_batches
        if due or (self._every_s is not None and time.monotonic() - self._saved_at >= self._every_s):
            self.save()

    @property
    def is_saved(self) -> bool:
        """Whether nothing was done since the last checkpoint, or the beginning, but a part of a validation."""
        return self._saved == (self._epoch, self._batch)

    @property
    def is_validating(self) -> bool:
        """Whether a validation has begun and not ended."""
        return self._before_validation is not None

    def before_validation(self) -> None:
        """Keeps what a validation will change, before any callback knows of it."""
        self._before_validation = self._capture()

    def before_waiting(self) -> None:
        """Keeps what a step changes while it still waits for its batch."""
        self._before_waiting = capture_step_state(self.model)

    def take_back_step(self) -> None:
        """Takes back what a step has changed that was stopped while it waited for its batch."""
        if self._has_begun_batch:
            for variable, value in self._before_waiting:
                variable.assign(value)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Saves after the epoch."""
        self._before_validation = None
        self._epoch, self._batch, self._has_begun_epoch = epoch + 1, 0, False
        self.save(is_best=self._recorder.is_best)

    def try_again(self) -> None:
        """Saves the end of the run where that has failed, before callbacks change the weights for its end."""
        if self.failure is not None:
            self.save(is_best=self._recorder.is_best)

    def save(self, is_best: bool = False, small: RuntimeState | None = None) -> None:
        """Saves the run as it is now; a failure is told, and kept in `failure`.

        Args:
            is_best: Whether it is the best so far.
            small: What to save besides weights and optimizer; left out, what is there now.

        Raises:
            DivergedError: when a weight is NaN or infinite: such a run is not kept.
        """
        began = time.monotonic()
        about = {
            "epoch": self._epoch,
            "batch": self._batch,
            "seqtrain": __version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            self._require_finite_weights()
            files = files_of(self.model, small or self._before_validation or self._capture())
            step = self._epoch * self._steps_per_epoch + self._batch
            name = self._store.commit(step, files, about, best="" if is_best else self._best)
        except (OSError, MemoryError, ResourceError) as error:
            self.failure = error
            log.warning(
                "the run could not be saved: %s; the former checkpoint is untouched, and it is tried again", error
            )
        else:
            self.failure = None
            self._best = name if is_best else self._best
            self._num_saved += 1
            self._saved = (self._epoch, self._batch)
            size = sum(len(content) for content in files.values())
            log.debug("saved %s: %.1f MB in %.3f s", name, size / 1e6, time.monotonic() - began)
        self._saved_at, self._batches_since = time.monotonic(), 0
        self._seconds += self._saved_at - began

    def tell_cost(self) -> None:
        """Says what saving has cost."""
        share = self._seconds / max(time.monotonic() - self._began, 1e-9)
        log.info("checkpoints: %d saved in %.1f %% of the time", self._num_saved, 100 * share)

    def require_saved(self) -> None:
        """Raises where a run ends and nothing of it was saved.

        Raises:
            ResourceError: with what kept it from being saved.
        """
        if self.failure is not None and self._store.is_empty():
            raise ResourceError(
                f"the run could not be saved: {self.failure}",
                where=self._store.path,
                fix="free the disk, or name another --run-dir",
            ) from self.failure

    def start_next_phase(self, phase: int) -> Checkpoint:
        """Saves what the next phase begins with, and returns it: where it cannot be saved, that is told, as in `save`.

        Args:
            phase: Its number.
        """
        small = self._capture({"phase": phase, "begins_phase": True, "rollbacks": 0})
        small.document["stop_training"] = False
        self.save(small=small)
        return Checkpoint(files_of(self.model, small), self._best, self._store.path)

    def _require_finite_weights(self) -> None:
        """Raises where a weight became NaN or infinite behind a loss that hides it.

        Raises:
            DivergedError: with the batches that it lies between.
        """
        if not has_finite_weights(self.model):
            since, now = (f"epoch {epoch}, batch {batch}" for epoch, batch in (self._saved, (self._epoch, self._batch)))
            raise DivergedError(f"weights became NaN or infinite between {since}, and {now}")

    def _capture(self, other: Mapping[str, Any] | None = None) -> RuntimeState:
        arrays: Arrays = {}
        document = {
            "epoch": self._epoch,
            "batch": self._batch,
            "has_begun_epoch": self._has_begun_epoch,
            "has_begun_batch": self._has_begun_batch,
            "stop_training": bool(self.model.stop_training),
            "recorder": self._recorder.state(),
            "callbacks": self._states.capture(arrays),
            "begins_phase": False,
            **self._extra(),
            **(other or {}),
        }
        return capture_runtime_state(self.model, document, arrays)
