"""From a checked config to the data of a run: source, split, and the sequences of both sides.

`fit`, `inspect-batches` and `check --data` all begin here, so that what one shows is what another trains on. Neither
Keras nor TensorFlow is imported, so mistakes in the data are told before they load.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2

from seqtrain import console
from seqtrain.config.build import build_component, errors_at
from seqtrain.config.load import LoadedConfig
from seqtrain.config.schema import ComponentConfig, RunConfig
from seqtrain.errors import ConfigError
from seqtrain.global_random import seeded_globals, uses_global_random
from seqtrain.loading.bad_samples import BadSample, BadSamples, Side
from seqtrain.loading.class_weights import weights_of_targets
from seqtrain.loading.order import training_schedule, validation_schedule
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.tuning import choose
from seqtrain.loading.weighted_sequence import ClassWeightedSequence
from seqtrain.loading.workers import WorkerOptions
from seqtrain.randomness import handout_order
from seqtrain.registry import sequences, sources
from seqtrain.sequences.keras_style import as_sequence
from seqtrain.sources.base import Source
from seqtrain.sources.user_source import as_source
from seqtrain.splits import Indices, Split, split_source

log = logging.getLogger("seqtrain")


@dataclass(frozen=True)
class Data:
    """The data of a run.

    Args:
        loaded: The config.
        source: All samples.
        split: Which of them train and which validate.
        fitted: What a trained run's sequence fitted, for the sequences to take over; None where they fit it anew.
        train: The training sequence.
        val: The validation sequence, or None for a run without.
    """

    loaded: LoadedConfig
    source: Source
    split: Split
    fitted: Mapping[str, Any] | None = None
    train: Any = None
    val: Any = None

    @property
    def config(self) -> RunConfig:
        """The config without the places of its values."""
        return self.loaded.config

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch of training."""
        return self.config.fit.steps_per_epoch or len(self.train)

    @property
    def validation_steps(self) -> int:
        """Batches in a validation."""
        limit = self.config.fit.validation_steps
        return min(limit, len(self.val)) if limit else len(self.val)

    @functools.cached_property
    def bad_samples(self) -> BadSamples | None:
        """The bad samples that were met and skipped; None where a bad sample ends the run."""
        skips = self.config.on_bad_sample
        if skips.action == "error":
            return None
        return BadSamples({"train": skips.most(len(self.split.train)), "val": skips.most(len(self.split.val))})

    @functools.cached_property
    def workers(self) -> WorkerOptions:
        """Who makes the batches; `workers: auto` is measured at the first use."""
        fit = self.config.fit
        count = 1 if fit.workers == "auto" else fit.workers
        imports = tuple(self.config.imports)
        workers = WorkerOptions(count, fit.use_multiprocessing, fit.max_queue_size, fit.worker_timeout_s, imports)
        if fit.workers == "auto":
            with console.status("measuring workers"):
                workers, _ = choose(self.train, workers, log.info)
        owner = self.train.owner
        if workers.count > 1 and not workers.processes and uses_global_random(owner):
            log.warning(
                "%s draws from the global random generators, which threads share: its numbers depend on timing. "
                "With fit.use_multiprocessing they depend on the seed, the epoch and the batch alone.",
                type(owner).__name__,
            )
        return workers

    def training_stream(self, start: int = 0, end: int | None = None) -> BatchStream:
        """The training batches, by the run's step.

        A class written for Keras only ever goes forward: for a stream that begins before its epoch, it is made anew.
        """
        schedule = training_schedule(len(self.train))
        is_past = self.train.changes_between_epochs and self.train.epoch > schedule(start)[0]
        sequence = self.weighted(self.sequence(self.split.train, training=True)) if is_past else self.train
        return BatchStream(sequence, schedule, self.workers, start, end, self._on_bad("train"))

    def validation_stream(self) -> BatchStream:
        """The validation batches, over and over."""
        schedule = validation_schedule(self.validation_steps)
        return BatchStream(self.val, schedule, self.workers, on_bad=self._on_bad("val"))

    def sequence(self, indices: Indices, training: bool = False) -> Any:
        """The config's sequence over some samples; by default as validation sees its own.

        Args:
            indices: Of the source.
            training: Whether in another order in each epoch, and augmented.

        Raises:
            SeqtrainError: when it cannot be made.
        """
        config = self.config
        supplied = {
            "source": self.source,
            "indices": indices,
            "training_indices": self.split.train,
            "batch_size": config.batch_size,
            "seed": config.seed,
            "training": training,
        }
        if {"x_set", "y_set"} & sequences.get(config.sequence.name).signature.parameters.keys():
            # Files come sorted by class; a class that only slices would make batches of one class.
            order = indices[handout_order(config.seed, len(indices))] if training else indices
            with errors_at(self.loaded, ("sequence",)):
                supplied["x_set"], supplied["y_set"] = self.source.as_columns(order)
        with seeded_globals(config.seed):  # a class written for Keras may shuffle as it is made
            built = build_component(self.loaded, sequences, config.sequence, ("sequence",), supplied)
        with errors_at(self.loaded, ("sequence",)):
            sequence = as_sequence(built, config.seed, training, self.source.classes)
        if self.fitted is not None:
            sequence.take_fitted(self.fitted)
        return sequence

    def weighted(self, train: Any) -> Any:
        """A training sequence with the weights of the classes, where the config has some."""
        weights = self.config.fit.class_weight
        if weights is None:
            return train
        with errors_at(self.loaded, ("fit", "class_weight")):
            return ClassWeightedSequence(train, weights_of_targets(weights, self.source, self.split.train, train))

    def _on_bad(self, side: Side) -> Callable[[tuple[BadSample, ...]], None] | None:
        return None if self.bad_samples is None else functools.partial(self.bad_samples.add, side)


def open_data(loaded: LoadedConfig, fitted: Mapping[str, Any] | None = None, trains: bool = True) -> Data:
    """Lists the samples, divides them, and makes the sequences.

    Args:
        loaded: The config.
        fitted: See `Data`.
        trains: Whether the numbers of steps must be those that `fit` can take.

    Raises:
        ConfigError: when components do not fit together.
        DataError: when the samples cannot be listed or divided.
    """
    cv2.setNumThreads(1)  # the loader's workers are the parallelism
    with console.status("listing the samples"):
        source = build_source(loaded, loaded.config.source)
        with errors_at(loaded, ("split",)):
            split = split_source(source, loaded.config.split, loaded.config.seed)
        data = Data(loaded, source, split, fitted)
        train = data.sequence(split.train, training=True)
        val = data.sequence(split.val) if len(split.val) else None
        sides = [train] if val is None else [train, val]
        if loaded.config.on_bad_sample.action == "skip":
            _skip_bad_samples(loaded, sides)
        if loaded.config.cache is not None:
            from seqtrain.sequences.cache import open_caches  # needs what Unix has

            with errors_at(loaded, ("cache",)):
                open_caches(loaded.config.cache.path, loaded.config.sequence.name, sides)
        data = dataclasses.replace(data, train=data.weighted(train), val=val)
    if trains:
        _check_steps(data)
    return data


def build_source(loaded: LoadedConfig, component: ComponentConfig) -> Source:
    """Builds a source; see `build_component`."""
    return as_source(build_component(loaded, sources, component, ("source",), {"seed": loaded.config.seed}))


def first_batch(sequence: Any) -> tuple[Any, ...]:
    """A sequence's first batch, made here and now.

    Raises:
        SeqtrainError: what goes wrong in making it.
    """
    with BatchStream(sequence, training_schedule(len(sequence)), WorkerOptions(0)) as stream:
        return stream.take().batch


def _skip_bad_samples(loaded: LoadedConfig, sides: list[Any]) -> None:
    for sequence in sides:
        if not sequence.splits_rows:
            raise ConfigError(
                f"on_bad_sample: the sequence '{loaded.config.sequence.name}' makes whole batches, "
                "so no sample of one can be replaced",
                where=loaded.place("on_bad_sample"),
                expected="error; or a sequence that writes single samples, such as image or arrays",
                fix="remove on_bad_sample, and mend or replace bad samples in the class itself",
            )
        sequence.skips_bad_samples = True


def _check_steps(data: Data) -> None:
    """Refuses numbers of steps that Keras would round up, training on some batches twice."""
    loaded, config = data.loaded, data.config
    if config.fit.validation_steps and data.val is None:
        raise ConfigError(
            "fit.validation_steps: this run has no validation",
            where=loaded.place("fit", "validation_steps"),
            fix="remove it, or set split.val above 0",
        )
    if config.fit.validation_steps and config.fit.validation_steps > len(data.val):
        log.warning("fit.validation_steps: there are %d batches to validate on; all are used", len(data.val))
    together = config.compile.steps_per_execution if config.compile else 1
    steps = [data.steps_per_epoch, *([data.validation_steps] if data.val is not None else [])]
    if any(count % together for count in steps):
        raise ConfigError(
            "compile.steps_per_execution must divide the steps of an epoch and of a validation",
            where=loaded.place("compile", "steps_per_execution"),
            expected=f"a divisor of {' and of '.join(map(str, steps))}",
            received=str(together),
            fix="set fit.steps_per_epoch and fit.validation_steps to multiples of it",
        )
