"""What happens when, while Keras trains: callbacks are called, progress moves on, the run is saved, and may stop.

`fit` knows how to begin with an epoch and not with a batch. So a run that is resumed in the middle of an epoch begins
it anew, and skips the batches that were done before the checkpoint: neither data nor the model nor the callbacks are
asked for them. Whatever beginning an epoch changes (a learning rate, say) was changed when the epoch was begun for the
first time, so the checkpoint is restored after that.
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
    """The callbacks of a run; the one place that moves its progress on.

    Args:
        callbacks: Those that Keras is to call.
        run: Whose progress is moved on.
        checkpoints: Saves it.
        stop: Is asked between batches whether to stop.
        snapshot: What to resume from.
        has_next_batch: Whether the next step will find its batch without waiting.
        params: What Keras hands to callbacks with `set_params`.
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
        """Begins; a run that is resumed between two epochs is restored.

        A phase begins as a second `fit` with the same callbacks would: they know what they knew at the end of the one
        before, and those that are to begin anew, such as early stopping, see to it themselves.
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
        """Begins an epoch; a run that is resumed within one is restored, and skips the batches that are done."""
        super().on_epoch_begin(epoch, logs)
        if self._to_restore is None:
            self._move_on(epoch=epoch, step=0, moment=Moment.BETWEEN_BATCHES)
            return
        self.model.stop_training = self._to_restore.state.stop_training
        self._restore(self._to_restore)
        if self._progress.step:
            keras_private.skip_steps(self.model, self._progress.step // self.model.steps_per_execution)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Begins a batch, unless it is skipped or the callbacks were told of it before the checkpoint."""
        if batch < self._progress.step:
            return
        if not self._has_next_batch():
            self._checkpoints.note_step_state()
        if self._progress.moment is not Moment.BATCH_BEGUN:
            super().on_train_batch_begin(batch, logs)
            self._move_on(moment=Moment.BATCH_BEGUN)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ends a batch, unless it is skipped; then it may be time to save, or to stop."""
        done = batch + 1 - self._progress.step
        if done <= 0:
            return
        super().on_train_batch_end(batch, logs)
        self._move_on(step=batch + 1, moment=Moment.BETWEEN_BATCHES)
        self._checkpoints.save_if_due(done)
        self._stop.check()

    def on_test_begin(self, logs: Any = None) -> None:
        """Begins a validation."""
        self._checkpoints.begin_validation()
        super().on_test_begin(logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ends a batch of a validation; then it may be time to stop."""
        super().on_test_batch_end(batch, logs)
        self._stop.check()

    def on_test_end(self, logs: Any = None) -> None:
        """Ends a validation; what callbacks add to its logs counts as a metric."""
        keras_private.tell_test_end(self, logs if logs is not None else {})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Ends an epoch, and saves it; then it may be time to stop."""
        super().on_epoch_end(epoch, logs)
        self._move_on(epoch=epoch + 1, step=0, moment=Moment.BETWEEN_EPOCHS)
        self._checkpoints.save(is_best=self.run.recorder.is_best)
        self._stop.check()

    def on_train_end(self, logs: Any = None) -> None:
        """Ends, after the optimizer has given the weights their final values, such as their averages."""
        self._checkpoints.retry()
        self._finalize_weights(self.model.trainable_weights)
        super().on_train_end(logs)

    @property
    def _progress(self) -> Progress:
        return self.run.progress

    def _move_on(self, **changes: Any) -> None:
        self.run.progress = replace(self.run.progress, **changes)

    def _restore(self, snapshot: Snapshot) -> None:
        restore(snapshot, self.run)
        self._to_restore = None
