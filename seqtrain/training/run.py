"""One stretch of a run: from its beginning or a checkpoint to its end, an interruption, or a loss that is NaN."""

from __future__ import annotations

import contextlib
import csv
import io
import logging
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from seqtrain import console
from seqtrain.config.load import LoadedConfig
from seqtrain.errors import (
    CheckpointError,
    DataError,
    InterruptedRunError,
    OutOfTimeError,
    ResourceError,
    SeqtrainError,
)
from seqtrain.files import write_text
from seqtrain.loading.keras_dataset import TrainingDataset, ValidationDataset
from seqtrain.loading.pipeline import Data
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.worker_pool import describe_batch
from seqtrain.metric_names import watched_metric
from seqtrain.text import counted, duration
from seqtrain.training.background_plotter import BackgroundPlotter
from seqtrain.training.callback_state import CallbackStates
from seqtrain.training.callbacks import added_logs, build_callbacks, early_stops
from seqtrain.training.checkpoint_store import CheckpointStore
from seqtrain.training.checkpoints import Checkpoints
from seqtrain.training.final_plots import draw_final_plots
from seqtrain.training.learning_rate import ScaledSchedule, schedule_of
from seqtrain.training.memory import is_out_of_memory, out_of_memory, with_batch_size
from seqtrain.training.options import FitOptions, Outcome
from seqtrain.training.recorder import Recorder, finite
from seqtrain.training.run_callbacks import RunCallbacks
from seqtrain.training.run_folder import RunFolder
from seqtrain.training.sanity_check import model_and_logs
from seqtrain.training.snapshot import Checkpoint, make_shared_seed
from seqtrain.training.stop_signal import StopSignal
from seqtrain.training.throughput import Throughput

_SKIP = '-s "on_bad_sample={action: skip, max: 10}"'
log = logging.getLogger("seqtrain")


class Run:
    """One stretch of a run.

    Args:
        loaded: The config.
        data: Its data.
        folder: Where it leaves what it makes.
        options: What the command line says.
        stops: The reasons to stop.
        store: Its checkpoints.
        restored: The checkpoint to go on from; None at the beginning.
        rollbacks: How often it has gone back so far.
        phase: Its number.
        is_last: Whether no phase comes after it.
    """

    def __init__(
        self,
        loaded: LoadedConfig,
        data: Data,
        folder: RunFolder,
        options: FitOptions,
        stops: StopSignal,
        store: CheckpointStore,
        restored: Checkpoint | None,
        rollbacks: int,
        phase: int = 0,
        is_last: bool = True,
    ) -> None:
        self._loaded = loaded
        self._config = loaded.config
        self._data = data
        self._folder = folder
        self._options = options
        self._stops = stops
        self._store = store
        self._restored = restored
        self._rollbacks = rollbacks
        self._phase = phase
        self._is_last = is_last

    def train(self) -> Outcome | Checkpoint:
        """Trains.

        Returns:
            How the run has ended; or what its next phase begins with.

        Raises:
            DivergedError: when the loss became NaN or infinite.
            SeqtrainError: what else went wrong.
        """
        with console.telling("building the model"):
            self._model, logs = model_and_logs(self._loaded, self._data)
        make_shared_seed()
        self._model.summary(print_fn=lambda text, line_break=False: log.debug("%s", text))
        logged = (*logs, *added_logs(self._config.callbacks))
        self._recorder = Recorder(
            self._folder, *watched_metric(early_stops(self._config.callbacks), logged), self._name_batches
        )
        self._renewal = BackgroundPlotter(self._folder.path)
        self._own = build_callbacks(self._loaded, self._data, logs, self._folder.path, self._options.progress)
        states = CallbackStates([callback.name for callback in self._config.callbacks], self._own)
        self._checkpoints = Checkpoints(
            self._store,
            self._config.checkpoint.every,
            self._data.steps_per_epoch,
            self._recorder,
            states,
            self._extra_state,
            resuming=self._restored is not None,
            best=self._restored.best if self._restored else None,
        )
        if self._restored is None:
            self._recorder.begin()
        else:
            self._recorder.go_on_from(self._restored.document["recorder"])
            for callback in self._own:
                if isinstance(callback, keras.callbacks.CSVLogger):
                    _cut_back(callback, self._restored.document["epoch"])
        try:
            self._train(states)
        except (InterruptedRunError, OutOfTimeError) as reason:
            self._save_interrupted()
            return self._stopped(reason)
        finally:
            self._stops.forget_listeners()
            self._close_callbacks()
        if not self._is_last:
            return self._checkpoints.start_next_phase(self._phase + 1)
        self._checkpoints.require_saved()
        stopped = len(self._recorder.history) < self._config.fit.epochs
        try:
            return Outcome(self._finish("early_stopped" if stopped else "completed"))
        except (InterruptedRunError, OutOfTimeError) as reason:
            return self._stopped(reason)

    def _train(self, states: CallbackStates) -> None:
        if self._restored is not None and self._is_over(self._restored):
            callbacks = self._callbacks([], states, has_next_batch=lambda: True)
            callbacks.on_train_begin()
            callbacks.on_train_end(self._recorder.history[-1])
            return
        if self._restored is not None:
            self._restored.set_generators()
        # Workers start when nothing draws from the global random state any more: a user's class may.
        with self._training_stream() as training, self._validation_stream() as validation:
            if self._may_break_off_a_step():
                for stream in filter(None, (training, validation)):
                    self._stops.listen(stream.interrupt)
            dataset = TrainingDataset(training, self._model, self._model.steps_per_execution)
            throughput = Throughput(dataset, self._data.workers.count)
            self._fit(
                dataset,
                validation,
                self._callbacks([throughput], states, has_next_batch=lambda: dataset.has_next_batch),
            )

    def _may_break_off_a_step(self) -> bool:
        """Whether a step that waits for data may be broken off; else a stop waits for its data.

        JAX's steps lose the variables that they were given, and weight decay needs no data: it may be done already.
        """
        optimizer = self._model.optimizer
        decays = getattr(getattr(optimizer, "inner_optimizer", optimizer), "weight_decay", None)
        return keras.backend.backend() == "tensorflow" and not decays

    def _callbacks(self, first: list[Any], states: CallbackStates, has_next_batch: Callable[[], bool]) -> RunCallbacks:
        listed = [*first, self._recorder, self._renewal, *self._own, self._checkpoints, self._stops]
        return RunCallbacks(
            listed,
            self._checkpoints,
            states,
            self._restored,
            self._scale(),
            self._model,
            self._config.fit.epochs,
            self._data.steps_per_epoch,
            has_next_batch,
        )

    def _is_over(self, restored: Checkpoint) -> bool:
        """Whether nothing is left to train.

        Raises:
            CheckpointError: when fewer epochs are asked for than were begun: no such weights are there any more.
        """
        stands = restored.document
        if stands["has_begun_epoch"] and stands["epoch"] >= self._config.fit.epochs:
            raise CheckpointError(
                f"the run is in its epoch {stands['epoch'] + 1} already",
                where=self._loaded.place("fit", "epochs"),
                received=f"fit.epochs {self._config.fit.epochs}",
                fix=f"set fit.epochs to {stands['epoch'] + 1} or more",
            )
        stopped = stands["stop_training"] and not stands["has_begun_epoch"]
        return bool(stopped) or stands["epoch"] >= self._config.fit.epochs

    def _scale(self) -> float:
        """What the learning rate that the checkpoint holds is multiplied by, for going back since it was made."""
        scale = self._config.on_nan.learning_rate_scale
        schedule = schedule_of(self._model.optimizer)
        if schedule is None:
            return scale ** (self._rollbacks - (self._restored.document["rollbacks"] if self._restored else 0))
        if self._rollbacks:
            self._model.optimizer.learning_rate = ScaledSchedule(schedule, scale**self._rollbacks)
        return 1.0

    def _training_stream(self) -> BatchStream:
        steps, end = self._data.steps_per_epoch, self._data.steps_per_epoch * self._config.fit.epochs
        if self._restored is None:
            return self._data.training_stream(end=end)
        stands = self._restored.document
        # Where only a validation is left, Keras still wants to see the form of a batch.
        return self._data.training_stream(min(stands["epoch"] * steps + stands["batch"], end - 1), end)

    def _validation_stream(self) -> Any:
        return self._data.validation_stream() if self._data.val is not None else contextlib.nullcontext()

    def _fit(self, dataset: Any, validation: BatchStream | None, callbacks: RunCallbacks) -> None:
        datasets: list[Any] = [dataset]
        if validation is not None:
            datasets.append(ValidationDataset(validation, self._data.validation_steps, self._model))
        if self._restored is None and self._config.on_nan.action == "rollback":
            self._checkpoints.save()  # so that the first epoch has somewhere to go back to
        try:
            self._model.fit(
                datasets[0],
                epochs=self._config.fit.epochs,
                initial_epoch=self._restored.document["epoch"] if self._restored else 0,
                steps_per_epoch=self._data.steps_per_epoch,
                validation_data=datasets[1] if len(datasets) > 1 else None,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
        except SeqtrainError:
            raise
        except Exception as error:
            for each in datasets:
                if each.error is not None:
                    self._save_before_failure(each.error)
                if isinstance(each.error, ResourceError):
                    raise with_batch_size(self._loaded, each.error) from error
                if each.error is not None:
                    raise each.error from error
            if is_out_of_memory(error):
                raise out_of_memory(self._loaded, error) from error
            raise

    def _extra_state(self) -> dict[str, Any]:
        bad = self._data.bad_samples
        return {
            "phase": self._phase,
            "rollbacks": self._rollbacks,
            "patience": self._config.patience,
            "bad_samples": bad.state() if bad is not None else None,
        }

    def _name_batches(self, epoch: int, first: int, last: int, validates: bool) -> str:
        """What messages call the batches of some steps of an epoch, or of its validation."""
        if validates:
            return " or ".join(describe_batch(self._data.val, epoch, batch) for batch in range(first, last + 1))
        steps = self._data.steps_per_epoch
        places = [divmod(epoch * steps + batch, len(self._data.train)) for batch in range(first, last + 1)]
        return " or ".join(describe_batch(self._data.train, *place) for place in places)

    def _save_interrupted(self) -> None:
        """Saves a run that was told to stop."""
        self._close_callbacks()
        if self._checkpoints.is_at_its_place:
            self._save_where_it_stands()
            self._checkpoints.require_saved()
        elif self._restored is not None:
            self._restored.apply(self._model)
        self._recorder.hash_weights()

    def _stopped(self, reason: InterruptedRunError | OutOfTimeError) -> Outcome:
        result = self._finish(reason.status)
        log.info("%s; go on with:\n  %s", reason, self._command())
        return Outcome(result, reason.exit_code)

    def _save_where_it_stands(self) -> None:
        """Saves a run that was broken off between two batches, or while it waited for one."""
        self._checkpoints.take_back_step()
        for callback in self._own:
            if isinstance(callback, keras.callbacks.SwapEMAWeights) and self._checkpoints.is_validating:
                callback.on_test_end()
        self._checkpoints.save()

    def _save_before_failure(self, error: SeqtrainError) -> None:
        """Saves what was trained since the last checkpoint where the loader has no next batch."""
        is_between_steps = self._may_break_off_a_step() and self._model.steps_per_execution == 1
        if is_between_steps and self._checkpoints.is_at_its_place and not self._checkpoints.is_saved:
            self._save_where_it_stands()
            log.info("the run is saved up to here; when this is mended, go on with:\n  %s", self._command())
            if isinstance(error, DataError):
                log.info("without a file it is another data set; to skip what is bad, add:\n  %s", _SKIP)

    def _close_callbacks(self) -> None:
        """Has callbacks that were broken off give up their bars and files."""
        self._renewal.close()
        for callback in self._own:
            if hasattr(callback, "close"):
                callback.close()
            if isinstance(callback, keras.callbacks.CSVLogger) and callback.csv_file is not None:
                callback.csv_file.close()

    def _command(self) -> str:
        """The command that goes on with this run."""
        words = ["seqtrain", *self._options.argv[1:]]
        if self._options.run_dir is None:
            words += ["--run-dir", str(self._folder.path)]
        if self._options.resume == "never":
            words += ["--resume", "auto"]
        return shlex.join(words)

    def _finish(self, status: str) -> dict[str, Any]:
        """Draws what is to be seen of the run, and then writes its result: what is broken off is drawn by a next start.

        Raises:
            InterruptedRunError: when a run that has come to its end is stopped meanwhile.
            OutOfTimeError: likewise.
        """
        history = self._recorder.history
        is_done = status in ("completed", "early_stopped")
        if history:
            draw_final_plots(self._folder, self._data, self._model, self._stops.check, is_done)
        last = {name: value for name, value in (history[-1] if history else {}).items() if name != "epoch"}
        result = {
            "status": status,
            "run_dir": str(self._folder.path.resolve()),
            "epochs": len(history),
            "metrics": finite(last),
            "best": self._recorder.best,
            "weights_sha256": self._recorder.weights_sha256,
            **({} if self._config.fine_tune is None else {"phase": self._phase}),
        }
        if is_done and self._checkpoints.failure is not None:
            log.warning(
                "the end of the run is in no checkpoint: free the disk, and start it again to train what is lacking"
            )
        else:
            self._write_result(result)
        self._checkpoints.tell_cost()
        self._tell_end(status, len(history))
        return result

    def _write_result(self, result: dict[str, Any]) -> None:
        try:
            self._folder.write_json("result.json", result)
        except ResourceError as error:
            log.warning("result.json could not be written: %s", error)

    def _tell_end(self, status: str, num_epochs: int) -> None:
        """Says how it ended, the best epoch, and the command that shows the run."""
        epochs = counted(num_epochs, "epoch")
        best = self._recorder.best
        of_best = f"; best {best['monitor']} {best['value']:.4f} in epoch {best['epoch'] + 1}" if best else ""
        took = duration(time.monotonic() - self._options.began)
        log.info("%s after %s; this start took %s%s", status.replace("_", " "), epochs, took, of_best)
        if num_epochs:
            log.info("look at it with: seqtrain report %s", shlex.quote(str(self._folder.path)))


def _cut_back(logger: Any, epoch: int) -> None:
    """Has Keras's CSVLogger append, after the rows of the epochs before one."""
    path = Path(logger.filename)
    if path.is_file():
        with path.open(newline="") as file:
            rows = [row for row in csv.reader(file, delimiter=logger.sep) if row]
        kept = io.StringIO(newline="")
        csv.writer(kept, delimiter=logger.sep).writerows(r for r in rows if not r[0].isdigit() or int(r[0]) < epoch)
        write_text(path, kept.getvalue())
    logger.append = True
