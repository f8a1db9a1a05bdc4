"""Calls the callbacks while Keras trains, updates the progress, saves the run, and stops it.

`fit` can start at an epoch but not at a batch. So a run that is resumed within an epoch starts this epoch again, and
skips the batches before the checkpoint: they are neither loaded nor trained on, and no callback is called for them.
Changes at the start of an epoch (such as a new learning rate) were already made before the checkpoint, so the
checkpoint is restored after `on_epoch_begin`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras

from seqtrain import keras_private
from seqtrain.training.checkpoints import Checkpoints
from seqtrain.training.progress import Moment, Progress
from seqtrain.training.snapshot import RunObjects, Snapshot, restore
from seqtrain.training.stop_signal import StopSignal


class RunCallbacks(keras.callbacks.CallbackList):
    """The callbacks of a run; only this class changes the run's progress.

    Args:
        callbacks: The callbacks for Keras to call.
        run: The objects of the run, whose progress is updated.
        checkpoints: Saves the run.
        stop: Checked between batches.
        snapshot: The snapshot to resume from.
        has_next_batch: Returns whether the next step has its batch without waiting.
        params: The parameters that Keras passes to `set_params` of callbacks.
    """

    def __init__(
        self,
        callbacks: list[Any],
        run: RunObjects,
        checkpoints: Checkpoints,
        stop: StopSignal,
        snapshot: Snapshot | None,
        has_next_batch: Callable[[], bool],
        **params: Any,
    ) -> None:
        super().__init__(callbacks, add_history=True, model=run.model, **params)
        self.run = run
        self._checkpoints = checkpoints
        self._stop = stop
        self._to_restore = snapshot
        self._has_next_batch = has_next_batch
        self._finalize_weights = keras_private.postpone_final_values(run.model.optimizer)

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts training; restores a run that is resumed between two epochs.

        A phase starts like a second `fit` with the same callbacks: they have the state from the end of the previous
        phase, and callbacks that must start again, such as early stopping, reset themselves.
        """
        snapshot, states = self._to_restore, self.run.callbacks
        if snapshot is not None and snapshot.progress.moment is Moment.PHASE_BEGINS:
            states.restore(snapshot.state.callbacks, snapshot.state.arrays)
        super().on_train_begin(logs)
        states.note_changes()
        if snapshot is not None:
            keras_private.ignore_backup(self.model)
            if not snapshot.progress.is_in_epoch:
                self._restore(snapshot)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts an epoch; restores a run that is resumed within this epoch, and skips its finished batches."""
        super().on_epoch_begin(epoch, logs)
        if self._to_restore is None:
            self._update_progress(epoch=epoch, step=0, moment=Moment.BETWEEN_BATCHES)
            return
        self.model.stop_training = self._to_restore.state.stop_training
        self._restore(self._to_restore)
        if self._progress.step:
            keras_private.skip_steps(self.model, self._progress.step // self.model.steps_per_execution)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Starts a batch, unless it is skipped or this was called for it before the checkpoint."""
        if batch < self._progress.step:
            return
        if not self._has_next_batch():
            self._checkpoints.note_step_state()
        if self._progress.moment is not Moment.BATCH_BEGUN:
            super().on_train_batch_begin(batch, logs)
            self._update_progress(moment=Moment.BATCH_BEGUN)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ends a batch, unless it is skipped; saves a checkpoint if one is due; stops the run if there is a reason."""
        done = batch + 1 - self._progress.step
        if done <= 0:
            return
        super().on_train_batch_end(batch, logs)
        self._update_progress(step=batch + 1, moment=Moment.BETWEEN_BATCHES)
        self._checkpoints.save_if_due(done)
        self._stop.check()

    def on_test_begin(self, logs: Any = None) -> None:
        """Starts a validation."""
        self._checkpoints.begin_validation()
        super().on_test_begin(logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ends a batch of a validation; stops the run if there is a reason."""
        super().on_test_batch_end(batch, logs)
        self._stop.check()

    def on_test_end(self, logs: Any = None) -> None:
        """Ends a validation; values that callbacks add to its logs become metrics."""
        keras_private.call_on_test_end(self, logs if logs is not None else {})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Ends an epoch, and saves a checkpoint; stops the run if there is a reason."""
        super().on_epoch_end(epoch, logs)
        self._update_progress(epoch=epoch + 1, step=0, moment=Moment.BETWEEN_EPOCHS)
        self._checkpoints.save(is_best=self.run.recorder.is_best)
        self._stop.check()

    def on_train_end(self, logs: Any = None) -> None:
        """Ends training, after the optimizer has set the weights to their final values, such as averages."""
        self._checkpoints.retry()
        self._finalize_weights(self.model.trainable_weights)
        super().on_train_end(logs)

    @property
    def _progress(self) -> Progress:
        return self.run.progress

    def _update_progress(self, **changes: Any) -> None:
        self.run.progress = replace(self.run.progress, **changes)

    def _restore(self, snapshot: Snapshot) -> None:
        restore(snapshot, self.run)
        self._to_restore = None
