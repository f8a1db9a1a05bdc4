"""One-shot accuracy: how well classes that were not trained on are recognised from a single example each.

A trial has one image of each of `ways` classes and another image of one of them. The trial is correct when the
embedding of that image is nearest to the embedding of its own class. The trials are drawn once, from the seed, so all
epochs and all runs with the same seed are measured on the same trials. Only the images that occur in trials are read,
once, and kept as uint8. If the run skips bad samples, no trial contains one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError
from seqtrain.models.siamese import EMBEDDING
from seqtrain.sequences.class_members import ClassMembers
from seqtrain.sequences.image_pairs import lists_pairs
from seqtrain.types import Positive

Indices = npt.NDArray[np.integer]

_TRIALS = 100  # tag in the seed's entropy, different from the tags in `randomness`


@dataclass(frozen=True)
class Task:
    """Several classes with two samples each; each class gives one trial.

    Args:
        support: The example of each class, as indices of the source.
        query: The sample of each class that is to be classified, in the same order, as indices of the source.
    """

    support: Indices
    query: Indices


def draw_tasks(members: ClassMembers, ways: int, num_trials: int, seed: int) -> list[Task]:
    """Draws the fewest tasks that give `num_trials` trials; classes with a single sample are not used.

    Raises:
        ConfigError: when fewer than `ways` classes have two samples.
    """
    able = members.classes[members.counts > 1]
    if len(able) < ways:
        raise ConfigError(
            f"one_shot: {ways}-way trials need {ways} validation classes with two samples or more",
            received=f"{len(able)} such classes",
            fix=f"set `ways: {len(able)}`, or validate on more classes"
            if len(able) > 1
            else "validate on more classes",
        )
    tasks = []
    for number in range(-(-num_trials // ways)):
        generator = np.random.default_rng((_TRIALS, seed, number))
        chosen = generator.choice(able, ways, replace=False)
        pairs = [generator.choice(members.of_class(label), 2, replace=False) for label in chosen]
        support, query = np.array(pairs).T
        tasks.append(Task(support, query))
    return tasks


class OneShotAccuracy(keras.callbacks.Callback):
    """Logs `val_one_shot_accuracy`, for models with a layer `embedding`, such as `siamese`; chance is 1 / `ways`.

    To validate on classes that are not trained on, split by class: `split: {by: group, column: class}`.

    Args:
        ways: The number of classes in a trial.
        num_trials: The number of trials, rounded up to a multiple of `ways`.
        val_sequence: The validation sequence, whose samples are used; supplied by the run.

    Raises:
        ConfigError: when there is no validation, or it has fewer classes than `ways` with two samples each.

    Source:
        Lake, Salakhutdinov and Tenenbaum, 2015, "Human-level concept learning through probabilistic program induction":
        20 ways and 400 trials, in tasks with one query for each of 20 classes.

    Example:
        callbacks: [tqdm, one_shot, {early_stopping: {monitor: val_one_shot_accuracy, mode: max, patience: 5}}]
    """

    adds_logs = ("val_one_shot_accuracy",)

    def __init__(self, val_sequence: Any, ways: Positive = 20, num_trials: Positive = 400) -> None:
        super().__init__()
        if val_sequence is None:
            raise ConfigError("one_shot needs validation", fix="give `split` a validation part")
        if ways < 2:
            raise ConfigError("one_shot: ways must be at least 2", received=str(ways))
        if lists_pairs(val_sequence.source):
            raise ConfigError(
                "one_shot needs the class of each picture, and the source lists pairs",
                fix="remove it, and monitor val_pair_accuracy",
            )
        self._sequence = val_sequence
        self._ways, self._num_trials = ways, num_trials
        self._images: list[npt.NDArray[Any]] = []
        self._draw(val_sequence.indices)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Adds the accuracy to the logs of the validation."""
        if logs is not None:
            logs["one_shot_accuracy"] = self.accuracy()

    def accuracy(self) -> float:
        """The share of trials that the model in its current state gets right."""
        embeddings = self._embeddings()
        right = 0
        for task in self.tasks:
            support, query = (
                embeddings[np.searchsorted(self._shown, samples)] for samples in (task.support, task.query)
            )
            distances = np.square(query[:, None] - support[None]).sum(axis=-1)
            right += int(np.count_nonzero(distances.argmin(axis=1) == np.arange(len(query))))
        return right / sum(len(task.query) for task in self.tasks)

    def state_dict(self) -> dict[str, Any]:
        """An empty state: the trials follow from the config and the seed."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Does nothing: there is no state."""

    def _embeddings(self) -> npt.NDArray[np.float32]:
        """The embeddings of the samples in all trials, in the order of their indices."""
        try:
            embed = self.model.get_layer(EMBEDDING)
        except ValueError as error:
            raise ConfigError(
                f"one_shot needs a model with a layer '{EMBEDDING}', which embeds one picture",
                received=f"the model '{self.model.name}'",
                fix="use the model siamese, or name the layer so",
            ) from error
        self._images = self._images or self._read()
        batches = [keras.ops.convert_to_numpy(embed(batch, training=False)) for batch in self._images]
        return np.concatenate(batches)

    def _draw(self, indices: Indices) -> None:
        members = ClassMembers(self._sequence.source, indices)
        self.tasks = draw_tasks(members, self._ways, self._num_trials, self._sequence.seed)
        self._shown = np.unique([(task.support, task.query) for task in self.tasks])

    def _read(self) -> list[npt.NDArray[Any]]:
        """The images of all trials, in batches; draws the trials again without samples that are skipped."""
        readable = self._sequence.indices
        images: dict[int, npt.NDArray[Any]] = {}
        while bad := [sample for sample in self._shown.tolist() if not self._is_read(sample, images)]:
            readable = np.setdiff1d(readable, bad)
            self._draw(readable)
        size, shown = self._sequence.batch_size, [images[sample] for sample in self._shown.tolist()]
        return [np.concatenate(shown[start : start + size]) for start in range(0, len(shown), size)]

    def _is_read(self, sample: int, images: dict[int, npt.NDArray[Any]]) -> bool:
        """Whether a sample's image (the first field of its row) is in `images`, or could be read and added."""
        if sample in images:
            return True
        rows = self._sequence.allocate(1)
        try:
            self._sequence.write(np.array([sample]), 0, rows)
        except DataError:
            if not self._sequence.skips_bad_samples:
                raise
            return False  # the loader reports it
        images[sample] = next(iter(rows[0].values())) if isinstance(rows[0], Mapping) else rows[0]
        return True
