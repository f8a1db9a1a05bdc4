"""A session of a run: starts or resumes it, rolls it back when it diverges, and starts its next phase.

Everything is checked before training, the cheapest first: the config, the data (without importing Keras), the run
folder, the model and the callbacks.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtrain.config.diff import Difference
from seqtrain.config.load import LoadedConfig
from seqtrain.console import native_stderr_to
from seqtrain.errors import CheckpointError, DivergedError, InterruptedRunError, OutOfTimeError
from seqtrain.loading.bad_samples import BadSample
from seqtrain.loading.pipeline import Data, open_data
from seqtrain.text import counted
from seqtrain.training.checkpoint_store import CheckpointInfo, CheckpointStore
from seqtrain.training.options import FitOptions, Outcome
from seqtrain.training.phases import phases_of
from seqtrain.training.progress import Moment
from seqtrain.training.run_folder import RunFolder
from seqtrain.training.run_log import early_messages, log_to, warnings_logged
from seqtrain.training.stop_signal import StopSignal

if TYPE_CHECKING:  # these import Keras, which is delayed until the data is checked
    from seqtrain.training.run import Run
    from seqtrain.training.snapshot import Snapshot

log = logging.getLogger("seqtrain")


def fit(loaded: LoadedConfig, options: FitOptions) -> Outcome:
    """Starts a run, or resumes the one in the run folder; does nothing if that is complete.

    Raises:
        SeqtrainError: when anything fails; see its subclasses.
    """
    is_begun = options.run_dir is not None and (options.run_dir / "config.yaml").exists()
    if options.resume == "must" and not is_begun:
        raise CheckpointError(
            "there is no run to go on with",
            where=options.run_dir,
            fix="leave --resume must out" if options.run_dir else "name its folder with --run-dir",
        )
    with contextlib.ExitStack() as opened:
        early = opened.enter_context(early_messages())
        # A folder with a run is locked first, to fail early if it is in use; a new one is made only for valid data.
        folder = opened.enter_context(_folder(options.run_dir, loaded)) if is_begun else None
        data = open_data(loaded)
        folder = folder or opened.enter_context(_folder(options.run_dir, loaded))
        return _Session(loaded, data, folder, options).fit(early)


def _folder(run_dir: Path | None, loaded: LoadedConfig) -> contextlib.closing[RunFolder]:
    return contextlib.closing(RunFolder(run_dir) if run_dir else RunFolder.create(loaded.path))


class _Session:
    """One start of a run, in a locked folder.

    Args:
        loaded: The config.
        data: The run's data; opened again for each phase and after a rollback.
        folder: The run's folder.
        options: The options on the command line.
    """

    def __init__(self, loaded: LoadedConfig, data: Data, folder: RunFolder, options: FitOptions) -> None:
        self._loaded = loaded
        self._data = data
        self._folder = folder
        self._options = options
        self._store = CheckpointStore(folder.checkpoints)
        self._phases = phases_of(loaded)

    def fit(self, early: MemoryHandler) -> Outcome:
        """Checks whether the run may be started or resumed, and trains; a start that is refused is not logged.

        Args:
            early: The buffered messages.
        """
        result = self._result() if self._folder.holds_run() else None
        # Without a checkpoint, any key of the config may change, for example after a first start that failed.
        is_begun = result is not None or (self._folder.holds_run() and self._store.was_used())
        changed = self._folder.check_same(self._loaded, self._data) if is_begun else []
        if result is not None and _is_complete(result, self._loaded, changed):
            log.info("already complete: %s", self._folder.path)
            return Outcome({**result, "status": "already_complete"})
        self._require_checkpoint(result)
        with log_to(self._folder.log, early), native_stderr_to(self._folder.log), warnings_logged():
            checkpoint = None
            if is_begun:
                checkpoint = self._store.load()
                self._folder.add_resumption(self._options.argv, changed)
                self._folder.resume(self._loaded.config)
            else:
                self._folder.begin(self._loaded.config, self._data, self._options.argv)
            log.info("run folder: %s", self._folder.path)
            for change in changed:
                log.info("changed since the run began: %s", change)
            log.info("%s", _describe(self._data))
            return self._train(checkpoint)

    def _result(self) -> dict[str, Any] | None:
        """The result of the run in the folder, if it has ended.

        Raises:
            CheckpointError: when the folder holds a run, but `resume` forbids it.
        """
        if self._options.resume == "never":
            raise CheckpointError(
                "the folder holds a run already", where=self._folder.path, fix="name another --run-dir"
            )
        return self._folder.read_result()

    def _require_checkpoint(self, result: dict[str, Any] | None) -> None:
        must_resume = result is not None or (self._folder.holds_run() and self._options.resume == "must")
        if must_resume and not self._store.was_used():
            raise CheckpointError(
                "the run has no checkpoint to go on from",
                where=self._store.path,
                fix="bring its checkpoints back, or name another --run-dir",
            )

    def _train(self, checkpoint: CheckpointInfo | None) -> Outcome:
        """Trains all phases; rolls back as often as `on_nan` allows."""
        from seqtrain.training.device import devices, prepare_keras

        prepare_keras(self._loaded.config)  # before any other import of Keras, which reads its flags once
        _warn_of_no_second_phase(self._loaded)
        with StopSignal(self._options.deadline) as stop:
            self._folder.add_devices(*devices())
            snapshot = self._snapshot(checkpoint)
            rollbacks = snapshot.state.rollbacks if snapshot is not None else 0
            while True:
                run = self._prepare(stop, snapshot, rollbacks)
                try:
                    reason = run.train()
                    if reason is not None or self._is_last(run.phase):
                        return self._end(run, reason)
                    snapshot, rollbacks = run.start_next_phase(), 0
                except DivergedError as error:
                    snapshot = self._rollback_snapshot(error, rollbacks)
                    rollbacks += 1
                del run  # frees its model
                prepare_keras(self._loaded.config, again=True)
                self._data = open_data(self._loaded)  # a user's class may have changed during the epochs
                self._folder.check_same(self._loaded, self._data)

    def _snapshot(self, checkpoint: CheckpointInfo | None) -> Snapshot | None:
        """The snapshot to resume from; clears `stop_training` if early stopping has a larger patience now."""
        from seqtrain.training.snapshot import Snapshot

        if checkpoint is None:
            return None
        snapshot = Snapshot.read(checkpoint)
        patience = zip(self._loaded.config.patience, snapshot.state.patience, strict=False)
        if any(now > before for now, before in patience):
            return replace(snapshot, state=replace(snapshot.state, stop_training=False))
        return snapshot

    def _prepare(self, stop: StopSignal, snapshot: Snapshot | None, rollbacks: int) -> Run:
        from seqtrain.training.run import Run

        bad_samples = self._data.bad_samples
        if bad_samples is not None:
            bad_samples.on_new = self._report_bad_samples
        if snapshot is not None:
            _log_resumption(snapshot, self._data)
            self._store.link_best(snapshot.best)
            if bad_samples is not None:
                bad_samples.restore(snapshot.state.bad_samples)
        phase = self._phases[snapshot.progress.phase if snapshot is not None else 0]
        return Run(phase, self._data, self._folder, self._options, stop, snapshot, rollbacks)

    def _is_last(self, phase: int) -> bool:
        is_past_end = self._loaded.config.fit.epochs <= self._phases[phase].config.fit.epochs
        return phase == len(self._phases) - 1 or is_past_end

    def _end(self, run: Run, reason: InterruptedRunError | OutOfTimeError | None) -> Outcome:
        """Finishes a run that is complete, or was stopped for a reason."""
        if reason is None:
            try:
                return Outcome(run.finish())
            except (InterruptedRunError, OutOfTimeError) as error:
                reason = error
        result = run.finish(reason.status)
        log.info("%s; go on with:\n  %s", reason, self._options.command_to_resume(self._folder.path))
        return Outcome(result, reason.exit_code)

    def _rollback_snapshot(self, error: DivergedError, rollbacks: int) -> Snapshot:
        """The snapshot to roll a diverged run back to.

        Raises:
            DivergedError: when the config does not allow another rollback.
        """
        from seqtrain.training.snapshot import Snapshot

        on_nan, checkpoint = self._loaded.config.on_nan, self._store.load()
        if on_nan.action == "error" or rollbacks >= on_nan.max or checkpoint is None:
            raise _with_advice(error, checkpoint, rollbacks) from error
        scale = on_nan.learning_rate_scale ** (rollbacks + 1)
        log.warning("%s\n  rollback %d of %d, learning rate times %g", error, rollbacks + 1, on_nan.max, scale)
        return Snapshot.read(checkpoint)

    def _report_bad_samples(self, side: str, new: Sequence[BadSample]) -> None:
        """Warns about each new bad sample, and adds it to bad_samples.csv."""
        for bad in new:
            log.warning("%s: cannot be read, and sample %d takes its place: %s", bad.where, bad.replaced_by, bad.error)
        try:
            if self._data.bad_samples is not None:
                self._data.bad_samples.write_csv(self._folder.bad_samples)
        except OSError as error:
            log.warning("bad_samples.csv could not be written: %s", error)


def _is_complete(result: dict[str, Any], loaded: LoadedConfig, changed: Sequence[Difference]) -> bool:
    """Whether a run that has ended is complete also under the current config, which may have more epochs."""
    if result["status"] == "early_stopped":
        later = loaded.config.fine_tune
        brings_phase = later is not None and result.get("phase") == 0 and loaded.config.fit.epochs > later.after
        return not brings_phase and not any(change.key.endswith(".patience") for change in changed)
    return bool(result["status"] == "completed" and result["epochs"] >= loaded.config.fit.epochs)


def _warn_of_no_second_phase(loaded: LoadedConfig) -> None:
    later, epochs = loaded.config.fine_tune, loaded.config.fit.epochs
    if later is not None and epochs <= later.after:
        log.warning("fine_tune.after: the run ends before it, after the %d epochs of fit.epochs", epochs)


def _log_resumption(snapshot: Snapshot, data: Data) -> None:
    epoch, step = snapshot.progress.epoch + 1, snapshot.progress.step
    if snapshot.progress.moment is Moment.PHASE_BEGINS:
        log.info("fine-tuning from epoch %d on", epoch)
    elif step:
        log.info("going on in epoch %d after batch %d of %d", epoch, step, data.steps_per_epoch)
    else:
        log.info("going on with epoch %d", epoch)


def _with_advice(error: DivergedError, checkpoint: CheckpointInfo | None, rollbacks: int) -> DivergedError:
    kept = f"; the last good checkpoint is {checkpoint.path}" if checkpoint is not None else ""
    often = f" after {counted(rollbacks, 'rollback')}" if rollbacks else ""
    back = "" if rollbacks else "set on_nan: rollback, "
    return DivergedError(
        f"{error.mistakes[0].message}{often}",
        fix=f"{back}lower the learning rate, or have `seqtrain check --data` name the samples with NaN or Inf{kept}",
    )


def _describe(data: Data) -> str:
    val = f"{len(data.split.val)} to validate" if data.val is not None else "no validation"
    return f"{len(data.split.train)} samples to train, {val}; {data.steps_per_epoch} batches an epoch"
