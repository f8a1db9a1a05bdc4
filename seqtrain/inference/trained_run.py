"""A trained run: its config, its data, and its model with the weights of a checkpoint.

`evaluate`, `predict` and `inspect-batches --run` start here. Nothing in the run folder is changed, and the run may
still be training.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seqtrain.config.load import LoadedConfig, load_config
from seqtrain.errors import MISSING_FILE, CheckpointError, ConfigError, Mistake
from seqtrain.inference.other_sources import open_other_source, sequence_like_run
from seqtrain.loading.pipeline import Data, first_batch
from seqtrain.loading.preprocessing_state import is_same_data, open_run_data, read_split, require_same_data
from seqtrain.reports.fields import fields_of_sequence
from seqtrain.reports.output_spec import TrainingInfo, output_specs
from seqtrain.reports.run_folder import no_run_in
from seqtrain.sources.base import Source
from seqtrain.splits import Indices, Split, split_source
from seqtrain.training.checkpoint_store import CheckpointInfo, stored_checkpoint
from seqtrain.training.predictions import predict_on_batch

RowRange = Literal["train", "val", "all"]

_FIX_MOVED = (
    "bring the run's data back; or say where it lies now with -s {0}=PATH (of predict beside INPUT, of inspect-batches"
    " without a config), or evaluate other data with the same"
)
_FIX_SUBSTITUTE = "bring the run's data back, which is not where it was; what stands in for it must be of its form"


def require_run(path: Path) -> None:
    """Checks that a folder holds a run, before anything slow happens.

    Raises:
        CheckpointError: when there is no run in it.
    """
    if not (path / "config.yaml").is_file():
        raise no_run_in(path)


class TrainedRun:
    """A run whose model is used, not trained; opened from its folder.

    Args:
        path: The run folder.
        settings: Overrides (`key=value`) of its config. If they name another source, `sequence` gives samples of that
            source, split as the config says; the model, scales and vocabularies stay those of the run. If the run's own
            data no longer exists, the other source replaces it; it may be the same data in another folder.
        which: The checkpoint: that of the best epoch, or the last one.
        moves_own: Whether settings of the source give the new location of the run's own data, not another source.

    Attributes:
        data: The run's own data.
        source: The source of `sequence`: the run's own, or the one that the settings name.
        source_settings: The settings that name another source; empty for the run's own.
        has_other_source: Whether the settings name another source.
        model: The Keras model with the weights of the checkpoint.
        example: The outputs of the model for a training batch, by name.
        output_specs: The spec of each output.

    Raises:
        CheckpointError: when there is no run in the folder, or no good checkpoint.
        SeqtrainError: when something is wrong with the config or the data.
    """

    def __init__(
        self,
        path: Path,
        settings: Sequence[str] = (),
        which: Literal["best", "last"] = "best",
        moves_own: bool = False,
    ) -> None:
        require_run(path)
        self.path = path
        self.which = which
        own, other = (list(settings), []) if moves_own else _split_settings(settings)
        self._is_substitute = False  # whether the other source replaces the run's own data, which no longer exists
        try:
            self.loaded: LoadedConfig = _load_run_config(path / "config.yaml", own)
        except ConfigError:
            if not other:
                raise
            self.loaded = load_config(path / "config.yaml", settings)
            self._is_substitute = True
        self.stored: CheckpointInfo = stored_checkpoint(path / "checkpoints", which)
        self.data: Data = self._own_data()
        if self._is_substitute and is_same_data(path, self.data):
            self._is_substitute, other = False, []
        self.source = self.data.source
        self.source_settings = " ".join(other)
        self._named = load_config(path / "config.yaml", settings) if other else self.loaded
        self.has_other_source = bool(other)
        if other and not self._is_substitute:
            self.source = open_other_source(self._named, self.data, f"-s {self.source_settings}")
        self.model, batch = self._model()
        self.example = predict_on_batch(self.model, batch[0])
        train = self.data.train
        fields = fields_of_sequence(train, batch)
        self.output_specs = output_specs(fields, self.example, TrainingInfo.of(self.data, self.model))

    @property
    def source_paths(self) -> list[str]:
        """The files and folders that the config names for the run's own source and the other source."""
        named = (loaded.config.source.arguments.values() for loaded in (self.loaded, self._named))
        listed = [
            each for values in named for value in values for each in (value if isinstance(value, list) else [value])
        ]
        return [str(each) for each in listed if isinstance(each, Path)]

    @property
    def epoch(self) -> int:
        """The epoch of the checkpoint, from 0."""
        return self.stored.epoch

    def sequence(self, part: RowRange) -> Any:
        """A sequence of one side of the split, or of all samples, in order and without augmentation.

        Raises:
            ConfigError: when there is no such side.
            CheckpointError: when the split is no longer the one that the run was trained with.
        """
        indices = self.indices(part)
        if self.has_other_source:
            return self.sequence_of(self.source, indices)
        if part == "val":
            return self.data.val
        return self._skipping(self.data.sequence(indices))

    def indices(self, part: RowRange) -> Indices:
        """The samples of a side of the split, or all, as indices of `source`; see `sequence`."""
        if part == "all":
            return np.arange(len(self.source))
        if self.has_other_source and not self._is_substitute:
            split = split_source(self.source, self._named.config.split, self._named.config.seed)
        else:
            split = self.own_split(or_else="choose all samples")
        if part == "val" and not len(split.val):
            raise ConfigError("this run has no validation", where=self.loaded.place("split"), fix="choose train or all")
        return split.val if part == "val" else split.train

    def sequence_of(self, source: Source, indices: Indices | None = None) -> Any:
        """A sequence of samples of another source, like the run's validation sequence.

        Args:
            source: A source with the same kind of samples.
            indices: Which of its samples. Default: all.
        """
        chosen = np.arange(len(source)) if indices is None else indices
        return self._skipping(sequence_like_run(self.data, source, chosen))

    def _skipping(self, sequence: Any) -> Any:
        """The sequence, set to skip bad samples if the run does."""
        sequence.skips_bad_samples = self.data.train.skips_bad_samples
        return sequence

    def own_split(self, or_else: str) -> Split:
        """The split that the run was trained with, so that training samples are never used as validation samples.

        Args:
            or_else: What the user can do instead of restoring the data, for the message.

        Raises:
            CheckpointError: when data or settings give another split.
        """
        require_same_data(self.path, self.data, or_else)
        kept, split = read_split(self.path), self.data.split
        if kept["sha256"] != split.fingerprint():
            raise CheckpointError(
                "the run had another split: its seed or its shares were not the same",
                where=self.path / "split.json",
                expected=f"sha256 {kept['sha256']}: train {kept['num_train']}, val {kept['num_val']}",
                received=f"sha256 {split.fingerprint()}: train {len(split.train)}, val {len(split.val)}",
                fix=f"leave seed and split as they were; or {or_else}",
            )
        return split

    def _own_data(self) -> Data:
        try:
            with _warnings_only():  # the notes on the data are already in train.log
                return open_run_data(self.path, self.loaded)
        except CheckpointError as error:
            if not self._is_substitute:
                raise
            mistakes = [dataclasses.replace(mistake, fix=_FIX_SUBSTITUTE) for mistake in error.mistakes]
            raise CheckpointError(mistakes) from error

    def _model(self) -> tuple[Any, tuple[Any, ...]]:
        """The model with its weights, and a training batch."""
        from seqtrain.training.device import prepare_keras

        prepare_keras(self.loaded.config)
        from seqtrain.training.model import build_model
        from seqtrain.training.snapshot import WEIGHTS, load_weights

        first = first_batch(self.data.train)
        model = build_model(self.loaded, self.data, first)
        model.predict_on_batch(first[0])  # builds a model without declared inputs
        while True:
            try:
                load_weights(model, self.stored.path / WEIGHTS, self.stored.path)
                break
            except (CheckpointError, FileNotFoundError):
                newer = stored_checkpoint(self.path / "checkpoints", self.which)
                if newer.path == self.stored.path:
                    raise
                self.stored = newer  # a run that is still training has removed the old checkpoint
        return model, first


def _load_run_config(path: Path, settings: Sequence[str]) -> LoadedConfig:
    """The config of a run, whose data may have been moved."""
    try:
        return load_config(path, settings)
    except ConfigError as error:
        raise ConfigError(map(_with_advice, error.mistakes)) from error


def _with_advice(mistake: Mistake) -> Mistake:
    """Adds a fix to a mistake about a missing path of the source, unless the path is from the command line."""
    key = mistake.message.partition(": ")[0]
    is_gone = mistake.code == MISSING_FILE and key.startswith("source.")
    if not is_gone or (mistake.where or "").startswith("-s "):
        return mistake
    return dataclasses.replace(mistake, fix=_FIX_MOVED.format(key))


@contextlib.contextmanager
def _warnings_only() -> Iterator[None]:
    log = logging.getLogger("seqtrain")
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(level)


def _split_settings(settings: Sequence[str]) -> tuple[list[str], list[str]]:
    """The settings of the run, and those of another source and its split; without a source, all are the run's."""
    if not names_source(settings):
        return list(settings), []
    other = [each for each in settings if _top_key(each) in ("source", "split")]
    return [each for each in settings if each not in other], other


def names_source(settings: Sequence[str]) -> bool:
    """Whether some settings belong to the source."""
    return any(_top_key(each) == "source" for each in settings)


def _top_key(setting: str) -> str:
    return setting.partition("=")[0].strip().split(".")[0]
