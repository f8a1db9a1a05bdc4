"""The loss and metrics of a trained run on either side of its split, on all samples, or on another source.

Batches come through the run's loader and Keras's `evaluate`, exactly as in the validation of `fit`, so the best
checkpoint gets the numbers that `fit` logged for its best epoch. Class weights apply in training only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqtrain.inference.sample_bar import sample_bar
from seqtrain.inference.trained_run import RowRange, TrainedRun
from seqtrain.loading.bad_samples import BadSamples
from seqtrain.loading.order import validation_schedule
from seqtrain.loading.preprocessing_state import target_scales
from seqtrain.loading.stream import BatchStream, LoadedBatch


@dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`.

    Args:
        run_dir: The run folder.
        checkpoint: "best" or "last".
        epoch: The checkpoint's epoch, from 0.
        split: The side of the split, or "all".
        source: The settings that name another source than the run's own, if any.
        samples: The number of samples.
        metrics: The loss and the metrics by name, without the prefix `val_` that `fit` adds.
        bad_samples: The number of samples that could not be read and were replaced by others.
        deviations: The standard deviation of each target column that was scaled: the unit of its errors.
    """

    run_dir: str
    checkpoint: str
    epoch: int
    split: str
    source: str | None
    samples: int
    metrics: dict[str, float]
    bad_samples: int
    deviations: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The document that `evaluate --json` prints."""
        from seqtrain.training.recorder import finite

        return {"status": "evaluated", **self.__dict__, "metrics": finite(self.metrics)}

    def text(self) -> str:
        """The result as text for the terminal."""
        names = {"train": "training samples", "val": "validation samples", "all": "samples"}
        whose = f" of {self.source}" if self.source else ""
        replaced = f" ({self.bad_samples} cannot be read, others took their place)" if self.bad_samples else ""
        width = max(map(len, self.metrics))
        lines = [f"  {name:<{width}}  {value:.4g}" for name, value in self.metrics.items()]
        heading = f"{self.run_dir}, {self.checkpoint} checkpoint (epoch {self.epoch + 1})"
        lines += [
            f"errors of {name} are in its standard deviation, {each:.4g}" for name, each in self.deviations.items()
        ]
        return "\n".join([f"{heading}: {self.samples} {names[self.split]}{whose}{replaced}", *lines])


def evaluate(run: TrainedRun, part: RowRange | None = None) -> Evaluation:
    """Evaluates a run's model.

    Args:
        run: The run, perhaps with another source.
        part: The side of the split. Default: validation for the run's own source, all samples for another.

    Raises:
        ConfigError: when the run has no loss, or no such side.
        DataError: when a sample cannot be read.
    """
    part = part or ("all" if run.has_other_source else "val")
    sequence = run.sequence(part)
    # As many batches as `fit` validates on.
    own_validation = part == "val" and not run.has_other_source
    steps = run.data.validation_steps if own_validation else len(sequence)
    items = run.indices(part) if sequence.indices is None else sequence.indices  # for volumes, these are patches
    samples = min(len(items), steps * run.loaded.config.batch_size)
    most = run.loaded.config.on_bad_sample.most(len(items))
    bad = BadSamples({"val": most}) if sequence.skips_bad_samples else None
    return Evaluation(
        run_dir=str(run.path),
        checkpoint=run.which,
        epoch=run.epoch,
        split=part,
        source=run.source_settings or None,
        samples=samples,
        metrics=_metrics(run, sequence, steps, samples, bad),
        bad_samples=0 if bad is None else len(bad),
        deviations={name: scale.std for name, scale in target_scales(run.data).items()},
    )


def _metrics(run: TrainedRun, sequence: Any, steps: int, samples: int, bad: BadSamples | None) -> dict[str, float]:
    import keras

    from seqtrain.loading.keras_dataset import ValidationDataset
    from seqtrain.training.recorder import scalar_logs

    batch_size = run.loaded.config.batch_size
    run.model.steps_per_execution = 1  # another value need not divide the number of steps
    # A class written for Keras may change its validation batches in each epoch.
    schedule = validation_schedule(steps, run.epoch if sequence.changes_between_epochs else 0)

    def on_loaded(loaded: LoadedBatch) -> None:
        if bad is not None and loaded.bad:
            bad.add("val", loaded.bad)

    with (
        sample_bar("evaluating", samples) as advance,
        BatchStream(sequence, schedule, run.data.workers, end=steps, on_loaded=on_loaded) as stream,
    ):
        dataset = ValidationDataset(stream, steps, run.model)
        bar = keras.callbacks.LambdaCallback(
            on_test_batch_end=lambda batch, logs: advance(min(batch_size, samples - batch * batch_size))
        )
        try:
            return scalar_logs(run.model.evaluate(dataset.for_fit(), callbacks=[bar], verbose=0, return_dict=True))
        except Exception as error:
            if dataset.error is not None and dataset.error is not error:
                raise dataset.error from error
            raise
