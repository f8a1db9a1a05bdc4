"""`fit --dry-run`: builds everything, and runs one training and one validation step in each phase, without saving."""

from __future__ import annotations

import logging
from pathlib import Path

from seqtrain.config.load import LoadedConfig
from seqtrain.console import hidden_native_stderr
from seqtrain.loading.pipeline import open_data
from seqtrain.training.options import FitOptions, Outcome
from seqtrain.training.phases import phases_of

log = logging.getLogger("seqtrain")


def dry_run(loaded: LoadedConfig, options: FitOptions) -> Outcome:
    """Runs one training and one validation step in each phase of a run.

    Raises:
        SeqtrainError: the error that `fit` would raise.
    """
    data = open_data(loaded)
    with hidden_native_stderr():
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
    shown = " - ".join(f"{name}: {value:.4f}" for name, value in metrics.items())
    log.info("one step of training%s: %s", " and validation" if data.val is not None else "", shown)
    return Outcome({"status": "dry_run", "metrics": metrics})
