"""The callbacks of a run, which may go on from a checkpoint in the middle of an epoch.

`fit` knows how to begin with an epoch and not with a batch. So it is given the epoch, and the batches that were done
before the checkpoint are passed over: neither data nor the model nor the callbacks are asked for them. Whatever
beginning an epoch changes (a learning rate, say) was changed when the epoch was begun for the first time; the
checkpoint is applied after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from seqtrain.training.callback_state import CallbackStates
from seqtrain.training.checkpoints import Checkpoints
from seqtrain.training.snapshot import Checkpoint


class RunCallbacks(keras.callbacks.CallbackList):
    """The callbacks of a run.

    Args:
        callbacks: All of them, `checkpoints` last.
        checkpoints: Saves them.
        states: Puts the state of those back that have any.
        restored: The checkpoint to go on from.
        scale: What the learning rate is multiplied by.
        model: The model that is trained.
        epochs: The run's.
        steps: Batches in an epoch.
        is_ahead: Whether the next step will find its batch without waiting.
    """

    def __init__(
        self,
        callbacks: list[Any],
        checkpoints: Checkpoints,
        states: CallbackStates,
        restored: Checkpoint | None,
        scale: float,
        model: Any,
        epochs: int,
        steps: int,
        has_next_batch: Callable[[], bool],
    ) -> None:
        super().__init__(callbacks, add_history=True, model=model, epochs=epochs, steps=steps, verbose=0)
        self._checkpoints = checkpoints
        self._states = states
        self._restored = restored
        self._scale = scale
        self._is_ahead = has_next_batch
        self._passed_over, self._was_told = 0, False
        self._give_final_values = model.optimizer.finalize_variable_values
        model.optimizer.finalize_variable_values = lambda weights: None  # which JAX's `fit` calls after a stop too

    def on_train_begin(self, logs: Any = None) -> None:
        """Begins; between two epochs, goes on from the checkpoint.

        A phase begins as a second `fit` with the same callbacks would: they know what they knew at the end of the one
        before, and those that are to begin anew, such as early stopping, see to it themselves.
        """
        if self._restored is not None and self._restored.begins_phase:
            self._states.restore(self._restored.document["callbacks"], self._restored.arrays)
        super().on_train_begin(logs)
        self._states.note_changes()
        if self._restored is not None:
            self.model._initial_epoch = None  # Keras's own BackupAndRestore would begin elsewhere
            if not self._restored.document["has_begun_epoch"]:
                self._go_on(self._restored)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begins an epoch; in the middle of one, goes on from the checkpoint."""
        super().on_epoch_begin(epoch, logs)
        self._passed_over, self._was_told = 0, False
        if self._restored is not None:
            self._passed_over = self._restored.document["batch"]
            self._was_told = self._restored.document["has_begun_batch"]
            self.model.stop_training = self._restored.document["stop_training"]
            self._go_on(self._restored)
            if self._passed_over:
                self._pass_over()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Tells of a batch, unless the callbacks were told before the checkpoint."""
        if batch >= self._passed_over and not self._is_ahead():
            self._checkpoints.before_waiting()
        if batch > self._passed_over or (batch == self._passed_over and not self._was_told):
            super().on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Tells of a batch that was trained on."""
        if batch >= self._passed_over:
            super().on_train_batch_end(batch, logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Gives the weights the values that the optimizer has them end with, such as their averages, and ends."""
        self._checkpoints.try_again()
        self._give_final_values(self.model.trainable_weights)
        super().on_train_end(logs)

    def on_test_begin(self, logs: Any = None) -> None:
        """Lets the checkpoints keep what a validation changes."""
        self._checkpoints.before_validation()
        super().on_test_begin(logs)

    def on_test_end(self, logs: Any = None) -> None:
        """Ends a validation; what callbacks add to its logs counts as a metric, though Keras shows them a copy."""
        if self._async_test:
            self._flush_futures()
        told = dict(logs or {})
        for callback in self.callbacks:
            callback.on_test_end(told)
        if logs is not None:
            logs.update(told)
        self._on_end()

    def _go_on(self, restored: Checkpoint) -> None:
        document = restored.document
        restored.apply(self.model)
        if not restored.begins_phase:
            self._states.restore(document["callbacks"], restored.arrays)
        self._checkpoints.go_on_from(document["epoch"], document["batch"], document["has_begun_batch"])
        if self._scale != 1:
            optimizer = self.model.optimizer
            optimizer.learning_rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate)) * self._scale
        self._restored = None

    def _pass_over(self) -> None:
        """Has `fit` do nothing for the batches that are done."""
        model = self.model  # asked for once: on JAX each time brings back variables that a step still holds
        train = model.train_function
        logs = model.get_metrics_result()
        left = self._passed_over // model.steps_per_execution

        def pass_over(*state_and_iterator: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                model.train_function = train
            return logs if len(state_and_iterator) == 1 else (logs, state_and_iterator[0])

        model.train_function = pass_over
