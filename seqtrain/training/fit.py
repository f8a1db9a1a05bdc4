"""A run: begun, gone on with, or found complete.

Mistakes come first, in the order of what they cost to find: the config, the data (no Keras yet), the run folder, the
model and the callbacks, and only then training.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import Any

from seqtrain.config.diff import Difference
from seqtrain.config.load import LoadedConfig
from seqtrain.console import native_stderr_aside, native_stderr_to
from seqtrain.errors import CheckpointError, DivergedError
from seqtrain.loading.bad_samples import BadSample, BadSamples
from seqtrain.loading.pipeline import Data, open_data
from seqtrain.text import counted
from seqtrain.training.checkpoint_store import CheckpointInfo, CheckpointStore
from seqtrain.training.options import FitOptions, Outcome
from seqtrain.training.phases import phases_of
from seqtrain.training.run_folder import RunFolder

log = logging.getLogger("seqtrain")


def fit(loaded: LoadedConfig, options: FitOptions) -> Outcome:
    """Trains: begins a run, goes on with the one in the run folder, or says that it is complete.

    Raises:
        SeqtrainError: its branches say what went wrong.
    """
    deadline = None if options.max_time_s is None else options.began + options.max_time_s
    if options.resume == "must" and not (options.run_dir and (options.run_dir / "config.yaml").exists()):
        raise CheckpointError(
            "there is no run to go on with",
            where=options.run_dir,
            fix="leave --resume must out" if options.run_dir else "name its folder with --run-dir",
        )
    with contextlib.ExitStack() as opened:
        early = opened.enter_context(_kept())
        is_begun = options.run_dir is not None and (options.run_dir / "config.yaml").exists()
        # A folder in use is told at once, but a mistake in the data leaves no folder behind.
        folder = opened.enter_context(_folder(options.run_dir, loaded)) if is_begun else None
        data = open_data(loaded)
        folder = folder or opened.enter_context(_folder(options.run_dir, loaded))
        return _fit(loaded, data, folder, options, deadline, early)


def _folder(run_dir: Path | None, loaded: LoadedConfig) -> contextlib.closing[RunFolder]:
    return contextlib.closing(RunFolder(run_dir) if run_dir else RunFolder.at_now(loaded.path))


def _fit(
    loaded: LoadedConfig,
    data: Data,
    folder: RunFolder,
    options: FitOptions,
    deadline: float | None,
    early: MemoryHandler,
) -> Outcome:
    """Looks whether the run in a folder may go on, and trains; what is refused leaves no word in its log."""
    store = CheckpointStore(folder.checkpoints)
    stored: CheckpointInfo | None = None
    changed: list[Difference] = []
    is_begun = folder.holds_run()
    if is_begun:
        if options.resume == "never":
            raise CheckpointError("the folder holds a run already", where=folder.path, fix="name another --run-dir")
        result = folder.read_result()
        # Where nothing was kept, nothing is lost by another config: that a first start was refused for, say.
        is_begun = result is not None or store.was_used()
        changed = folder.check_same(loaded, data) if is_begun else []
        if result is not None and _is_complete(result, loaded, changed):
            log.info("already complete: %s", folder.path)
            return Outcome({**result, "status": "already_complete"})
        if not store.was_used() and (result is not None or options.resume == "must"):
            raise CheckpointError(
                "the run has no checkpoint to go on from",
                where=store.path,
                fix="bring its checkpoints back, or name another --run-dir",
            )
    with _log_to(folder.log, early), native_stderr_to(folder.log), _warnings_told():
        if is_begun:
            stored = store.load()
            folder.add_resumption(options.argv, changed)
            folder.go_on(loaded.config)
        else:
            folder.begin(loaded.config, data, options.argv)
        log.info("run folder: %s", folder.path)
        for change in changed:
            log.info("changed since the run began: %s", change)
        log.info("%s", _describe(data))
        return _train(loaded, data, folder, options, store, stored, deadline)


def dry_run(loaded: LoadedConfig, options: FitOptions) -> Outcome:
    """Builds everything, takes one step of training and of validation in each phase, and stops."""
    data = open_data(loaded)
    with native_stderr_aside():
        from seqtrain.training.device import prepare_keras

        prepare_keras(loaded.config)
        from seqtrain.training.callbacks import build_callbacks
        from seqtrain.training.recorder import scalar_logs
        from seqtrain.training.sanity_check import model_and_logs

        for phase in phases_of(loaded):
            model, logs = model_and_logs(phase, data)
            build_callbacks(phase, data, logs, Path.cwd(), options.progress)
            with data.training_stream(end=1) as training:
                trained = model.train_on_batch(*training.take(0).batch, return_dict=True)
        metrics = {**logs, **scalar_logs(trained)}
        log.info("one step of training%s: %s", " and validation" if data.val is not None else "", _shown(metrics))
        return Outcome({"status": "dry_run", "metrics": metrics})


def _train(
    loaded: LoadedConfig,
    data: Data,
    folder: RunFolder,
    options: FitOptions,
    store: CheckpointStore,
    stored: CheckpointInfo | None,
    deadline: float | None,
) -> Outcome:
    """Trains, one phase after the other, going back to the last checkpoint as often as `on_nan` allows."""
    from seqtrain.training.device import devices, prepare_keras

    prepare_keras(loaded.config)  # before anything else imports Keras: flags are read once
    from seqtrain.training.run import Run
    from seqtrain.training.snapshot import Checkpoint
    from seqtrain.training.stop_signal import StopSignal

    on_nan = loaded.config.on_nan
    phases = phases_of(loaded)
    later, epochs = loaded.config.fine_tune, loaded.config.fit.epochs
    if later is not None and epochs <= later.after:
        log.warning("fine_tune.after: the run ends before it, after the %d epochs of fit.epochs", epochs)
    with StopSignal(deadline) as stops:
        folder.add_devices(*devices())
        restored = Checkpoint.of(stored) if stored is not None else None
        if restored is not None and _is_more_patient(loaded, restored.document.get("patience", ())):
            restored.document["stop_training"] = False
        rollbacks = restored.document["rollbacks"] if restored else 0
        while True:
            phase = restored.document["phase"] if restored else 0
            is_last = phase == len(phases) - 1 or epochs <= phases[phase].config.fit.epochs
            if data.bad_samples is not None:
                data.bad_samples.on_new = _BadSampleTeller(data.bad_samples, folder)
            if restored is not None:
                _tell_of_going_on(restored.document, data)
                store.link_best(restored.best)
                if data.bad_samples is not None:
                    data.bad_samples.restore(restored.document["bad_samples"])
            try:
                run = Run(phases[phase], data, folder, options, stops, store, restored, rollbacks, phase, is_last)
                ended = run.train()
                if isinstance(ended, Outcome):
                    return ended
                restored, rollbacks = ended, 0
            except DivergedError as error:
                stored = store.load()
                if on_nan.action == "error" or rollbacks >= on_nan.max or stored is None:
                    raise _with_advice(error, stored, rollbacks) from error
                rollbacks += 1
                scale = on_nan.learning_rate_scale**rollbacks
                log.warning("%s\n  rollback %d of %d, learning rate times %g", error, rollbacks, on_nan.max, scale)
                restored = Checkpoint.of(stored)
            del run  # and its model
            prepare_keras(loaded.config, again=True)
            data = open_data(loaded)  # a class of the user's may have changed with the epochs
            folder.check_same(loaded, data)


class _BadSampleTeller:
    """Warns of each bad sample when it is met for the first time, and lists it in bad_samples.csv."""

    def __init__(self, bad_samples: BadSamples, folder: RunFolder) -> None:
        self._bad_samples = bad_samples
        self._folder = folder

    def __call__(self, side: str, new: Sequence[BadSample]) -> None:
        for bad in new:
            log.warning("%s: cannot be read, and sample %d takes its place: %s", bad.where, bad.replaced_by, bad.error)
        try:
            self._bad_samples.write_csv(self._folder.bad_samples)
        except OSError as error:
            log.warning("bad_samples.csv could not be written: %s", error)


def _is_complete(result: dict[str, Any], loaded: LoadedConfig, changed: list[Difference]) -> bool:
    """Whether a run that has ended has nothing left to do, now that some of its config may have changed."""
    if result["status"] == "early_stopped":
        later = loaded.config.fine_tune
        brings_phase = later is not None and result.get("phase") == 0 and loaded.config.fit.epochs > later.after
        return not brings_phase and not any(change.key.endswith(".patience") for change in changed)
    return bool(result["status"] == "completed" and result["epochs"] >= loaded.config.fit.epochs)


def _is_more_patient(loaded: LoadedConfig, before: Sequence[int]) -> bool:
    """Whether what stopped a run early may not stop it now."""
    return any(now > then for now, then in zip(loaded.config.patience, before, strict=False))


def _tell_of_going_on(stands: dict[str, Any], data: Data) -> None:
    epoch, batch = stands["epoch"] + 1, stands["batch"]
    if stands["begins_phase"]:
        log.info("fine-tuning from epoch %d on", epoch)
    elif batch:
        log.info("going on in epoch %d after batch %d of %d", epoch, batch, data.steps_per_epoch)
    else:
        log.info("going on with epoch %d", epoch)


def _with_advice(error: DivergedError, stored: CheckpointInfo | None, rollbacks: int) -> DivergedError:
    kept = f"; the last good checkpoint is {stored.path}" if stored is not None else ""
    often = f" after {counted(rollbacks, 'rollback')}" if rollbacks else ""
    back = "" if rollbacks else "set on_nan: rollback, "
    return DivergedError(
        f"{error.mistakes[0].message}{often}",
        fix=f"{back}lower the learning rate, or have `seqtrain check --data` name the samples with NaN or Inf{kept}",
    )


def _describe(data: Data) -> str:
    val = f"{len(data.split.val)} to validate" if data.val is not None else "no validation"
    return f"{len(data.split.train)} samples to train, {val}; {data.steps_per_epoch} batches an epoch"


@contextlib.contextmanager
def _kept() -> Iterator[MemoryHandler]:
    """Keeps the messages that come before there is a file for them."""
    kept = MemoryHandler(1000, flushLevel=logging.CRITICAL + 1)
    log.addHandler(kept)
    try:
        yield kept
    finally:
        log.removeHandler(kept)


@contextlib.contextmanager
def _log_to(path: Path, early: MemoryHandler) -> Iterator[None]:
    """Sends every message to a file, and at the end the error that ended the run, with its traceback.

    Args:
        path: The file.
        early: The messages so far.
    """
    logging.raiseExceptions = False  # a full disk is told once, not with each message
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    early.setTarget(handler)
    early.flush()
    log.removeHandler(early)
    log.addHandler(handler)
    log.debug("command: %s", " ".join(sys.argv))
    try:
        yield
    except BaseException as error:
        log.debug("ended by %s: %s", type(error).__name__, error, exc_info=True)
        raise
    finally:
        log.removeHandler(handler)
        with contextlib.suppress(OSError):  # what it has not taken, it does not take now either
            handler.close()


@contextlib.contextmanager
def _warnings_told() -> Iterator[None]:
    """Has what Python warns of told as the run tells everything: in one line, above the bars, and in the log."""
    former = warnings.showwarning

    def tell(
        message: Any, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
    ) -> None:
        log.warning("%s: %s (%s:%d)", category.__name__, message, filename, lineno)

    warnings.showwarning = tell
    try:
        yield
    finally:
        warnings.showwarning = former


def _shown(metrics: dict[str, float]) -> str:
    return " - ".join(f"{name}: {value:.4f}" for name, value in metrics.items())
