"""Builds the data of a run from a checked config: source, split, and the training and validation sequences.

`fit`, `inspect-batches` and `check --data` all use it, so what one shows is what another trains on. Neither Keras nor
TensorFlow is imported, so mistakes in the data are reported before they load.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2

from seqtrain import console
from seqtrain.config.build import build_component, errors_at
from seqtrain.config.load import LoadedConfig
from seqtrain.config.schema import ComponentConfig, FitConfig, RunConfig
from seqtrain.errors import ConfigError
from seqtrain.global_random import seeded_globals
from seqtrain.loading.bad_samples import BadSamples, Side
from seqtrain.loading.class_weights import weights_of_targets
from seqtrain.loading.order import Schedule, training_schedule, validation_schedule
from seqtrain.loading.sample_count import SampleCount
from seqtrain.loading.stream import BatchStream, LoadedBatch
from seqtrain.loading.tuning import choose
from seqtrain.loading.weighted_sequence import ClassWeightedSequence
from seqtrain.loading.workers import WorkerOptions
from seqtrain.randomness import constructor_seed, handout_order
from seqtrain.registry import sequences, sources
from seqtrain.sequences.base import BatchSequence
from seqtrain.sequences.iterable import IterableSequence, gives_batches_in_order
from seqtrain.sequences.keras_style import as_sequence, samples_for
from seqtrain.sequences.torch_dataset import TorchSequence, torch_sequence
from seqtrain.sources.base import Source
from seqtrain.sources.user_source import as_source
from seqtrain.splits import Indices, Split, split_source

_KERAS_WORKERS = {"workers": 1, "use_multiprocessing": False, "max_queue_size": 10}  # Keras's own defaults
log = logging.getLogger("seqtrain")


@dataclass(frozen=True)
class Data:
    """The data of a run.

    Args:
        loaded: The config.
        source: All samples.
        split: The training and validation samples.
        fitted: The result of `fitted()` of a trained run's sequence, to be reused; None to fit on the training samples.
        train: The training sequence.
        val: The validation sequence, or None for a run without validation.
    """

    loaded: LoadedConfig
    source: Source
    split: Split
    fitted: Mapping[str, Any] | None = None
    train: Any = None
    val: Any = None

    @property
    def config(self) -> RunConfig:
        """The config as a plain `RunConfig`."""
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
        """The bad samples that were skipped; None if a bad sample ends the run."""
        skips = self.config.on_bad_sample
        if skips.action == "error":
            return None
        return BadSamples({"train": skips.most(len(self.split.train)), "val": skips.most(len(self.split.val))})

    @functools.cached_property
    def workers(self) -> WorkerOptions:
        """The options of the workers; `workers: auto` is measured at the first use."""
        fit = self.config.fit
        count = 1 if fit.workers == "auto" else fit.workers
        imports = tuple(self.config.imports)
        workers = WorkerOptions(count, fit.use_multiprocessing, fit.max_queue_size, fit.worker_timeout_s, imports)
        if self.train.in_order:
            if count > 1 or workers.processes:
                kind = "processes" if workers.processes else "threads"
                log.info("one thread reads the batches, not %d %s: they come one after another", count, kind)
            return dataclasses.replace(workers, count=min(count, 1), processes=False)
        if fit.workers == "auto":
            with console.status("measuring workers"):
                workers, _ = choose(self.train, workers, log.info)
        return workers

    @property
    def knows_training(self) -> bool:
        """Whether the config's sequence is told which side it is on."""
        return "training" in sequences.get(self.config.sequence.name).roles.values()

    @property
    def unweighted(self) -> Any:
        """The training sequence without class weights."""
        return self.train.sequence if isinstance(self.train, ClassWeightedSequence) else self.train

    def schedule(self, side: Side) -> Schedule:
        """Maps a position of a side's stream to an epoch and a batch.

        A validation has the same batches each time, unless a class written for Keras changes them between epochs.
        """
        if side == "train":
            return training_schedule(len(self.train))
        steps = self.validation_steps
        return training_schedule(steps) if self.val.changes_between_epochs else validation_schedule(steps)

    def training_stream(self, start: int = 0, end: int | None = None) -> BatchStream:
        """The stream of training batches, whose position is the run's step."""
        return self._stream("train", start, end)

    def validation_stream(self, start: int = 0, end: int | None = None) -> BatchStream:
        """The stream of validation batches, one validation after the other."""
        return self._stream("val", start, end)

    def _stream(self, side: Side, start: int, end: int | None) -> BatchStream:
        """A class written for Keras cannot go back to an earlier epoch: for such a stream, it is built again."""
        sequence, schedule = self.train if side == "train" else self.val, self.schedule(side)
        if sequence.changes_between_epochs and sequence.epoch > schedule(start)[0]:
            training = side == "train"
            sequence = self.sequence(self.split.train if training else self.split.val, training)
            sequence = self.weighted(sequence) if training else sequence
        return BatchStream(sequence, schedule, self.workers, start, end, self._on_loaded(side, sequence))

    def sequence(self, indices: Indices, training: bool = False) -> Any:
        """Builds the config's sequence for some samples, by default like the validation sequence.

        Args:
            indices: Of the source.
            training: Whether to shuffle and augment.

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
        wanted = set(sequences.get(config.sequence.name).roles_besides(config.sequence.arguments).values())
        if wanted - supplied.keys():
            # Files are sorted by class; a sequence that only slices them would make batches of a single class.
            order = indices[handout_order(config.seed, len(indices))] if training else indices
            with errors_at(self.loaded, ("sequence",)):
                supplied |= samples_for(self.source, order, wanted)

        def build() -> tuple[Any, bool]:
            # A class written for Keras may shuffle in its constructor.
            with seeded_globals(constructor_seed(config.seed, training)) as has_drawn:
                return build_component(self.loaded, sequences, config.sequence, ("sequence",), supplied), has_drawn()

        built, has_drawn = build()
        sequence = self._adapted(built, lambda: build()[0], indices, training)
        sequence.shuffles_when_built = has_drawn
        if self.fitted is not None:
            sequence.take_fitted(self.fitted)
        if training:
            _tell_own_workers(sequence.owner, config.fit)
        return sequence

    def _adapted(self, built: Any, build: Callable[[], Any], indices: Indices, training: bool) -> BatchSequence:
        """What the config's sequence has returned, in the form that the loader takes; `build` returns it anew."""
        config = self.config
        steps = config.fit.steps_per_epoch if training else config.fit.validation_steps
        adapted: TorchSequence | IterableSequence | None = torch_sequence(
            built, config.batch_size, config.seed, training
        )
        with errors_at(self.loaded, ("sequence",)):
            if adapted is None and gives_batches_in_order(built):
                name, expected = config.sequence.name, math.ceil(len(indices) / config.batch_size)
                steps = steps if training or indices is self.split.val else None  # the samples to predict are all read
                adapted = IterableSequence(name, built, build, config.seed, training, steps, expected)
            elif adapted is None:
                return as_sequence(built, config.seed, training, self.source.classes, steps)
        adapted.class_names = self.source.classes
        return adapted

    def weighted(self, train: Any) -> Any:
        """The training sequence, with class weights if the config has some."""
        weights = self.config.fit.class_weight
        if weights is None:
            return train
        with errors_at(self.loaded, ("fit", "class_weight")):
            return ClassWeightedSequence(train, weights_of_targets(weights, self.source, self.split.train, train))

    def _on_loaded(self, side: Side, sequence: Any) -> Callable[[LoadedBatch], None] | None:
        """What is done with each batch: its bad samples are recorded, or its samples are counted."""
        if self.bad_samples is not None:
            bad_samples = self.bad_samples
            return lambda loaded: bad_samples.add(side, loaded.bad) if loaded.bad else None
        if sequence.indices is not None or not sequence.has_end:
            return None
        given, words = (self.split.train, "training") if side == "train" else (self.split.val, "validation")
        name = sequence.owner_name
        return SampleCount(name, words, len(given), len(sequence), self.config.batch_size).add


def open_data(loaded: LoadedConfig, fitted: Mapping[str, Any] | None = None, trains: bool = True) -> Data:
    """Lists the samples, splits them, and builds the sequences.

    Args:
        loaded: The config.
        fitted: See `Data`.
        trains: Whether to check that the numbers of steps are valid for `fit`.

    Raises:
        ConfigError: when components do not fit together.
        DataError: when the samples cannot be listed or divided.
    """
    cv2.setNumThreads(1)  # the loader's workers already run in parallel
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
            from seqtrain.sequences.cache import open_caches  # only on Unix

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
    """Makes a sequence's first batch, without the loader.

    Raises:
        SeqtrainError: when it cannot be made.
    """
    with BatchStream(sequence, training_schedule(len(sequence)), WorkerOptions(0)) as stream:
        return stream.take().batch


def _tell_own_workers(owner: Any, fit: FitConfig) -> None:
    """Says which workers a `PyDataset` asks for in its constructor, if the config has others, which count."""
    if not any(each.__name__ == "PyDataset" for each in type(owner).__mro__):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns if `super().__init__()` was not called
        asked = {name: getattr(owner, name, usual) for name, usual in _KERAS_WORKERS.items()}
    other = [
        f"{name}={value}"
        for name, value in asked.items()
        if value != _KERAS_WORKERS[name] and value != getattr(fit, name)
    ]
    if other:
        log.warning("%s asks for %s; the config's `fit:` decides", type(owner).__name__, ", ".join(other))


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
    """Raises an error for numbers of steps that Keras would round up, training on some batches twice."""
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
