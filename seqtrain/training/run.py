"""One phase of a run: prepares it, trains it from the start or from a snapshot, and finishes it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras

from seqtrain import console, keras_private
from seqtrain.config.load import LoadedConfig
from seqtrain.errors import (
    CheckpointError,
    DataError,
    InterruptedRunError,
    OutOfTimeError,
    ResourceError,
    SeqtrainError,
)
from seqtrain.loading.keras_dataset import KerasDataset, TrainingDataset, ValidationDataset
from seqtrain.loading.pipeline import Data
from seqtrain.loading.stream import BatchStream
from seqtrain.training.background_plotter import BackgroundPlotter
from seqtrain.training.callback_state import CallbackStates
from seqtrain.training.callbacks import build_callbacks, close_callbacks, watched
from seqtrain.training.checkpoint_store import CheckpointStore
from seqtrain.training.checkpoints import Checkpoints
from seqtrain.training.divergence import LossCheck
from seqtrain.training.final_plots import draw_final_plots
from seqtrain.training.memory import is_out_of_memory, out_of_memory, with_batch_size
from seqtrain.training.options import FitOptions
from seqtrain.training.progress import Moment, Progress
from seqtrain.training.recorder import Recorder, cut_back_csv, weights_sha256
from seqtrain.training.result import log_end, make_result, write_result
from seqtrain.training.run_callbacks import RunCallbacks
from seqtrain.training.run_folder import RunFolder
from seqtrain.training.sanity_check import model_and_logs
from seqtrain.training.snapshot import RunObjects, Snapshot, restore_generators, restore_model
from seqtrain.training.stop_signal import StopSignal
from seqtrain.training.throughput import Throughput

_SKIP = '-s "on_bad_sample={action: skip, max: 10}"'
log = logging.getLogger("seqtrain")


class Run:
    """One phase of a run.

    The constructor builds the model and the callbacks, and cuts the history back to the snapshot.

    Args:
        loaded: The config of the phase.
        data: The run's data.
        folder: The run folder.
        options: The options on the command line.
        stop: Signals a reason to stop.
        snapshot: The snapshot to resume from; None to start from the beginning.
        rollbacks: The number of rollbacks in this phase.
    """

    def __init__(
        self,
        loaded: LoadedConfig,
        data: Data,
        folder: RunFolder,
        options: FitOptions,
        stop: StopSignal,
        snapshot: Snapshot | None,
        rollbacks: int,
    ) -> None:
        self._loaded, self._config = loaded, loaded.config
        self._data = data
        self._folder = folder
        self._options = options
        self._stop = stop
        self._snapshot = snapshot
        with console.status("building the model"):
            self._model, logs = model_and_logs(loaded, data)
        keras_private.shared_seed()  # created here, so that it is always created at the same point
        self._model.summary(print_fn=lambda text, line_break=False: log.debug("%s", text))
        self._recorder = Recorder(folder, *watched(self._config.callbacks, logs))
        self._plotter = BackgroundPlotter(folder.path)
        self._callbacks = build_callbacks(loaded, data, logs, folder.path, options.progress)
        self._objects = RunObjects(
            self._model,
            self._recorder,
            CallbackStates([callback.name for callback in self._config.callbacks], self._callbacks),
            data.bad_samples,
            self._config,
            rollbacks,
            Progress() if snapshot is None else replace(snapshot.progress, moment=Moment.RESUMING),
        )
        best = snapshot.best if snapshot is not None else None
        store = CheckpointStore(folder.checkpoints)
        self._checkpoints = Checkpoints(self._objects, store, data.steps_per_epoch, best)
        self._cut_back_history()

    @property
    def phase(self) -> int:
        """The number of the phase."""
        return self._objects.progress.phase

    def train(self) -> InterruptedRunError | OutOfTimeError | None:
        """Trains to the end of the phase.

        Returns:
            The reason if it was stopped before the end; the run is then saved.

        Raises:
            DivergedError: when the loss became NaN or infinite.
            SeqtrainError: when anything else fails.
        """
        try:
            if self._snapshot is not None and self._is_over(self._snapshot):
                callbacks = self._run_callbacks([], has_next_batch=lambda: True)
                callbacks.on_train_begin()
                callbacks.on_train_end(self._recorder.history[-1])
            else:
                self._load_and_fit()
        except (InterruptedRunError, OutOfTimeError) as reason:
            self._save_interrupted()
            return reason
        finally:
            self._stop.forget_listeners()
            close_callbacks([self._plotter, *self._callbacks])
        return None

    def start_next_phase(self) -> Snapshot:
        """Saves the snapshot that the next phase starts from, and returns it."""
        return self._checkpoints.start_next_phase()

    def finish(self, status: str | None = None) -> dict[str, Any]:
        """Draws plots, and then writes the result, so that interrupted plots are drawn when the run is resumed.

        Args:
            status: The status of a run that was stopped; None for a complete run.

        Returns:
            The result.

        Raises:
            InterruptedRunError: when a complete run is interrupted while its plots are drawn.
            OutOfTimeError: likewise.
            ResourceError: when no checkpoint of a complete run could be saved.
        """
        history, is_done = self._recorder.history, status is None
        if status is None:
            self._checkpoints.require_saved()
            status = "completed" if len(history) >= self._config.fit.epochs else "early_stopped"
        if history:
            draw_final_plots(self._folder, self._data, self._model, self._stop.check, is_done)
        phase = self.phase if self._config.fine_tune is not None else None
        result = make_result(status, self._folder, self._recorder, phase)
        if is_done and self._checkpoints.failure is not None:
            log.warning(
                "the end of the run is in no checkpoint: free the disk, and start it again to train what is lacking"
            )
        else:
            write_result(self._folder, result)
        self._checkpoints.log_cost()
        log_end(self._folder, result, self._options.began)
        return result

    def _cut_back_history(self) -> None:
        """Cuts the history and the logs back to the epochs of the snapshot; without a snapshot, empties them."""
        if self._snapshot is None:
            self._recorder.begin()
            return
        self._recorder.resume(self._snapshot.state.history, self._snapshot.state.best)
        for callback in self._callbacks:
            if isinstance(callback, keras.callbacks.CSVLogger):
                cut_back_csv(callback, self._snapshot.progress.epoch)

    def _is_over(self, snapshot: Snapshot) -> bool:
        """Whether all epochs of the phase are trained.

        Raises:
            CheckpointError: when the config has fewer epochs than were started: those weights no longer exist.
        """
        progress, epochs = snapshot.progress, self._config.fit.epochs
        if progress.is_in_epoch and progress.epoch >= epochs:
            raise CheckpointError(
                f"the run is in its epoch {progress.epoch + 1} already",
                where=self._loaded.place("fit", "epochs"),
                received=f"fit.epochs {epochs}",
                fix=f"set fit.epochs to {progress.epoch + 1} or more",
            )
        return progress.epoch >= epochs or (snapshot.state.stop_training and not progress.is_in_epoch)

    def _load_and_fit(self) -> None:
        """Opens the streams of batches and trains on them."""
        if self._snapshot is not None:
            # Before the workers start, since a user's class may draw from the global generators.
            restore_generators(self._snapshot.state)
        with (
            self._training_stream() as training,
            self._validation_stream() as validation,
        ):
            if self._can_interrupt_step():
                for stream in filter(None, (training, validation)):
                    self._stop.listen(stream.interrupt)
            dataset = TrainingDataset(training, self._model, self._model.steps_per_execution)
            throughput = Throughput(dataset, self._data.workers.count)
            callbacks = self._run_callbacks([throughput], has_next_batch=lambda: dataset.has_next_batch)
            self._fit(dataset, validation, callbacks)

    def _training_stream(self) -> BatchStream:
        """The training batches after the snapshot; at least one, since Keras always reads one."""
        progress, steps = self._objects.progress, self._data.steps_per_epoch
        end = steps * self._config.fit.epochs
        return self._data.training_stream(min(progress.epoch * steps + progress.step, end - 1), end)

    def _validation_stream(self) -> contextlib.AbstractContextManager[BatchStream | None]:
        """The batches of the validations that are left."""
        if self._data.val is None:
            return contextlib.nullcontext()
        steps = self._data.validation_steps
        return self._data.validation_stream(self._objects.progress.epoch * steps, self._config.fit.epochs * steps)

    def _can_interrupt_step(self) -> bool:
        """Whether a step that waits for data can be interrupted; if not, the run stops after the step.

        A step on JAX loses the variables that were passed to it. Weight decay needs no data, so it may already be done.
        """
        optimizer = self._model.optimizer
        decays = getattr(getattr(optimizer, "inner_optimizer", optimizer), "weight_decay", None)
        return keras.backend.backend() == "tensorflow" and not decays

    def _run_callbacks(self, first: list[Any], has_next_batch: Callable[[], bool]) -> RunCallbacks:
        check = LossCheck(self._data, lambda: self._objects.progress)
        return RunCallbacks(
            [*first, check, self._recorder, self._plotter, *self._callbacks],
            self._objects,
            self._checkpoints,
            self._stop,
            self._snapshot,
            has_next_batch,
            epochs=self._config.fit.epochs,
            steps=self._data.steps_per_epoch,
            verbose=0,
        )

    def _fit(self, dataset: TrainingDataset, validation: BatchStream | None, callbacks: RunCallbacks) -> None:
        datasets: list[KerasDataset] = [dataset]
        if validation is not None:
            datasets.append(ValidationDataset(validation, self._data.validation_steps, self._model))
        if self._snapshot is None and self._config.on_nan.action == "rollback":
            self._checkpoints.save()  # so that the first epoch can be rolled back too
        try:
            inputs = [each.for_fit() for each in datasets]
            self._model.fit(
                inputs[0],
                epochs=self._config.fit.epochs,
                initial_epoch=self._objects.progress.epoch,
                steps_per_epoch=self._data.steps_per_epoch,
                validation_data=inputs[1] if validation is not None else None,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
        except Exception as error:
            if not isinstance(error, SeqtrainError) or any(error is each.error for each in datasets):
                self._raise_cause(error, datasets)
            raise

    def _raise_cause(self, error: Exception, datasets: list[KerasDataset]) -> None:
        """Raises the cause of an error, if that is another error: one of the loader, or that the memory is full."""
        for cause in (dataset.error for dataset in datasets if dataset.error is not None):
            if not isinstance(cause, (InterruptedRunError, OutOfTimeError)):
                self._save_before_failure(cause)
            reported = with_batch_size(self._loaded, cause) if isinstance(cause, ResourceError) else cause
            if reported is error:
                return
            raise reported from error
        if is_out_of_memory(error):
            raise out_of_memory(self._loaded, error) from error

    def _save_interrupted(self) -> None:
        """Saves the run after it was stopped."""
        close_callbacks([self._plotter, *self._callbacks])
        if self._objects.progress.moment is not Moment.RESUMING:
            self._checkpoints.save_interrupted(self._callbacks)
            self._checkpoints.require_saved()
        elif self._snapshot is not None:
            restore_model(self._snapshot, self._model)
        self._recorder.weights_sha256 = weights_sha256(self._model)

    def _save_before_failure(self, error: BaseException) -> None:
        """Saves the progress since the last checkpoint if the run fails because the loader has no next batch."""
        is_between_steps = self._can_interrupt_step() and self._model.steps_per_execution == 1
        is_restored = self._objects.progress.moment is not Moment.RESUMING
        if is_between_steps and is_restored and not self._checkpoints.is_up_to_date:
            self._checkpoints.save_interrupted(self._callbacks)
            command = self._options.command_to_resume(self._folder.path)
            log.info("the run is saved up to here; when this is mended, go on with:\n  %s", command)
            if isinstance(error, DataError):
                log.info("without a file it is another data set; to skip what is bad, add:\n  %s", _SKIP)
