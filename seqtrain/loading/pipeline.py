"""From a checked config to the data of a run: source, split, and the sequences of both sides.

`fit`, `inspect-batches` and `check --data` all begin here, so that what one shows is what another trains on. Neither
Keras nor TensorFlow is imported, so mistakes in the data are told before they load.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from seqtrain import console
from seqtrain.config.load import LoadedConfig
from seqtrain.config.node import Key
from seqtrain.config.schema import ComponentConfig, RunConfig
from seqtrain.errors import ConfigError, SeqtrainError
from seqtrain.global_random import seeded_globals, uses_global_random
from seqtrain.loading.bad_samples import BadSample, BadSamples, Side
from seqtrain.loading.class_weights import ClassWeightedSequence, weights_of_targets
from seqtrain.loading.order import training_schedule, validation_schedule
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.tuning import choose
from seqtrain.loading.workers import WorkerOptions
from seqtrain.randomness import handout_order
from seqtrain.registry import Registry, sequences, sources
from seqtrain.sequences.keras_style import as_sequence
from seqtrain.sources.base import Source
from seqtrain.sources.user_source import as_source
from seqtrain.splits import Indices, Split, split_source

log = logging.getLogger("seqtrain")


@dataclass(frozen=True)
class Data:
    """The data of a run.

    Args:
        source: All samples.
        split: Which of them train and which validate.
        train: The training sequence.
        val: The validation sequence, or None for a run without.
        config: What it was made from.
        bad_samples: Those that were met and skipped; None where a bad sample ends the run.
        remake_train: Makes the training sequence anew, in epoch 0.
        fitted: What its sequences take for fitted; None for what they fit themselves.
    """

    source: Source
    split: Split
    train: Any
    val: Any
    config: RunConfig
    bad_samples: BadSamples | None = None
    remake_train: Callable[[], Any] | None = None
    fitted: Mapping[str, Any] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch of training."""
        return self.config.fit.steps_per_epoch or len(self.train)

    @property
    def validation_steps(self) -> int:
        """Batches in a validation."""
        limit = self.config.fit.validation_steps
        return min(limit, len(self.val)) if limit else len(self.val)

    def training_stream(self, start: int = 0, end: int | None = None) -> BatchStream:
        """The training batches, by the run's step.

        A class written for Keras only ever goes forward: a stream that begins before its epoch is made of a new one.
        """
        schedule = training_schedule(len(self.train))
        is_past = self.train.changes_between_epochs and self.train.epoch > schedule(start)[0]
        sequence = self.remake_train() if is_past and self.remake_train is not None else self.train
        return BatchStream(sequence, schedule, self.workers, start, end, self._on_bad("train"))

    def validation_stream(self) -> BatchStream:
        """The validation batches, over and over."""
        schedule = validation_schedule(self.validation_steps)
        return BatchStream(self.val, schedule, self.workers, on_bad=self._on_bad("val"))

    def _on_bad(self, side: Side) -> Callable[[tuple[BadSample, ...]], None] | None:
        return None if self.bad_samples is None else functools.partial(self.bad_samples.add, side)

    @functools.cached_property
    def workers(self) -> WorkerOptions:
        """Who makes the batches; `workers: auto` is measured at the first use."""
        fit = self.config.fit
        count = 1 if fit.workers == "auto" else fit.workers
        imports = tuple(self.config.imports)
        like = WorkerOptions(count, fit.use_multiprocessing, fit.max_queue_size, fit.worker_timeout_s, imports)
        workers = like if fit.workers != "auto" else self._measured(like)
        owner = self.train.owner
        if workers.count > 1 and not workers.processes and uses_global_random(owner):
            log.warning(
                "%s draws from the global random generators, which threads share: its numbers depend on timing. "
                "With fit.use_multiprocessing they depend on the seed, the epoch and the batch alone.",
                type(owner).__name__,
            )
        return workers

    def _measured(self, like: WorkerOptions) -> WorkerOptions:
        with console.status("measuring workers"):
            return choose(self.train, like, log.info)[0]


def open_data(loaded: LoadedConfig, fitted: Mapping[str, Any] | None = None, trains: bool = True) -> Data:
    """Lists the samples, divides them, and makes the sequences.

    Args:
        loaded: The config.
        fitted: What the sequence of a trained run fitted, which then stands in place of what it would fit now.
        trains: Whether the numbers of steps must be those that `fit` can take.

    Raises:
        ConfigError: when components do not fit together.
        DataError: when the samples cannot be listed or divided.
    """
    with console.status("listing the samples"):
        data = _opened(loaded, fitted)
    if trains:
        _check_steps(loaded, data)
    return data


def _opened(loaded: LoadedConfig, fitted: Mapping[str, Any] | None) -> Data:
    config = loaded.config
    cv2.setNumThreads(1)  # the loader's workers are the parallelism
    source = build_source(loaded, config.source)
    with _placed(loaded, ("split",)):
        split = split_source(source, config.split, config.seed)
    train = _sequence(loaded, source, split, split.train, True, fitted)
    val = _sequence(loaded, source, split, split.val, False, fitted) if len(split.val) else None
    sides = [train] if val is None else [train, val]
    if config.on_bad_sample.action == "skip":
        _skip_bad_samples(loaded, sides)
    if config.cache is not None:
        from seqtrain.sequences.cache import open_caches  # needs what Unix has

        with _placed(loaded, ("cache",)):
            open_caches(config.cache.path, config.sequence.name, sides)
    weighted = functools.partial(_weighted, loaded, source, split.train)
    return Data(
        source,
        split,
        weighted(train),
        val,
        config,
        _no_bad_samples(config, split),
        lambda: weighted(_sequence(loaded, source, split, split.train, True, fitted)),
        fitted,
    )


def first_batch(sequence: Any) -> tuple[Any, ...]:
    """A sequence's first batch, made here and now.

    Raises:
        SeqtrainError: what goes wrong in making it.
    """
    with BatchStream(sequence, training_schedule(len(sequence)), WorkerOptions(0)) as stream:
        return stream.take().batch


def _weighted(loaded: LoadedConfig, source: Source, indices: Indices, train: Any) -> Any:
    """The training sequence with the weights of the classes, where the config has some."""
    weights = loaded.config.fit.class_weight
    if weights is None:
        return train
    with _placed(loaded, ("fit", "class_weight")):
        return ClassWeightedSequence(train, weights_of_targets(weights, source, indices, train))


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


def _no_bad_samples(config: RunConfig, split: Split) -> BadSamples | None:
    skips = config.on_bad_sample
    if skips.action == "error":
        return None
    return BadSamples({"train": skips.most(len(split.train)), "val": skips.most(len(split.val))})


def _check_steps(loaded: LoadedConfig, data: Data) -> None:
    """Refuses numbers of steps that Keras would round up, training on some batches twice."""
    config = loaded.config
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


def build_source(loaded: LoadedConfig, component: ComponentConfig) -> Source:
    """Builds a source; see `build_component`."""
    return as_source(build_component(loaded, sources, component, ("source",), {"seed": loaded.config.seed}))


def build_component(
    loaded: LoadedConfig,
    registry: Registry,
    component: ComponentConfig,
    path: tuple[Key, ...],
    supplied: Mapping[str, Any],
) -> Any:
    """Calls a component; what it raises is told with the place in the config that named it."""
    with _placed(loaded, path):
        try:
            return registry.get(component.name).build(component.arguments, supplied)
        except SeqtrainError:
            raise
        except Exception as error:
            frame = _frame_in_component(error, registry.get(component.name).load())
            raise ConfigError(
                f"the {registry.singular} '{component.name}' cannot be built: {type(error).__name__}: {error}",
                received=f"an exception at {Path(frame.filename)}:{frame.lineno}, in {frame.name}",
                fix="mend that line, or the arguments in the config",
            ) from error


def _frame_in_component(error: BaseException, target: Callable[..., Any]) -> traceback.FrameSummary:
    """The last line of the component's own file that was running, or the very last."""
    frames = traceback.extract_tb(error.__traceback__)
    file = inspect.getsourcefile(inspect.unwrap(target))
    return next((frame for frame in reversed(frames) if frame.filename == file), frames[-1])


def validating_sequence(loaded: LoadedConfig, data: Data, indices: Indices) -> Any:
    """Some samples of a run in their order and without augmentation, as validation sees its own.

    Args:
        loaded: The config.
        data: Of the run.
        indices: Of its source.
    """
    return _sequence(loaded, data.source, data.split, indices, False, data.fitted)


def _sequence(
    loaded: LoadedConfig,
    source: Source,
    split: Split,
    indices: Indices,
    training: bool,
    fitted: Mapping[str, Any] | None,
) -> Any:
    config = loaded.config
    component = sequences.get(config.sequence.name)
    supplied = {
        "source": source,
        "indices": indices,
        "training_indices": split.train,
        "batch_size": config.batch_size,
        "seed": config.seed,
        "training": training,
    }
    if {"x_set", "y_set"} & component.parameters.keys():
        # Files come sorted by class; a class that only slices would make batches of one class.
        order = indices[handout_order(config.seed, len(indices))] if training else indices
        with _placed(loaded, ("sequence",)):
            supplied["x_set"], supplied["y_set"] = source.as_columns(order)
    with seeded_globals(config.seed):  # a class written for Keras may shuffle as it is made
        built = build_component(loaded, sequences, config.sequence, ("sequence",), supplied)
    with _placed(loaded, ("sequence",)):
        sequence = as_sequence(built, config.seed, training, source.classes)
    if fitted is not None:
        sequence.take_fitted(fitted)
    return sequence


@contextlib.contextmanager
def _placed(loaded: LoadedConfig, path: tuple[Key, ...]) -> Iterator[None]:
    """Gives the mistakes of a config error that have no place the place of what was being built."""
    try:
        yield
    except ConfigError as error:
        place = loaded.place(*path)
        raise ConfigError(dataclasses.replace(m, where=m.where or place) for m in error.mistakes) from error
