"""A config in the making: its parts with a reason each, and the commented YAML that they become."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

_WIDTH = 110

_WHY = {
    "seed": "Of the split, the order, the augmentation and the initial weights: the same seed, the same run.",
    "source": "Which samples exist.",
    "sequence": "How samples become batches.",
    "batch_size": "Larger uses a GPU better; smaller where memory runs out.",
    "model": "What is trained; its input and output follow the data. `seqtrain list models` has others.",
    "compile": "Any optimizer, loss and metrics of Keras.",
    "fit": "At most so many epochs; four threads keep batches ready.",
    "callbacks": "Training stops when the validation no longer gets better, and keeps the best weights.",
}
_WHY_SPLIT = {
    "random": "Four in five samples train, the others validate.",
    "stratified": "Four in five samples of each class train, the others validate.",
    "group": "Whole groups train or validate: what belongs together is never on both sides.",
    "ordered": "The first four fifths train; what comes after them validates.",
}


@dataclass(frozen=True)
class Recipe:
    """What goes into a config.

    Args:
        about: A sentence or two, for the config's first lines.
        source: The source with its arguments; paths as the config will hold them.
        sequence: The sequence with its arguments.
        model: The model with its arguments.
        loss: Of Keras or of the project; a mapping for several targets.
        metrics: In the same form.
        monitor: What early stopping watches.
        by: How the samples are divided.
        column: Of the groups, for `by: group`.
        batch_size: Samples in a batch.
        epochs: At most.
        learning_rate: Of Adam.
        patience: Epochs without a better value.
        class_weight: `balanced`, where classes differ in size.
        callbacks: Besides tqdm and early stopping.
        why: Comments that replace the usual ones, by key.
    """

    about: str
    source: Mapping[str, Any]
    sequence: Mapping[str, Any]
    model: Mapping[str, Any]
    loss: Any
    metrics: Any
    monitor: str = "val_loss"
    by: str = "random"
    column: str | None = None
    batch_size: int = 32
    epochs: int = 50
    learning_rate: float = 1e-3
    patience: int = 8
    class_weight: str | None = None
    callbacks: tuple[Any, ...] = ()
    why: Mapping[str, str] = field(default_factory=dict)

    def to_yaml(self, origin: str) -> str:
        """The config as text.

        Args:
            origin: The command that writes it, for the first lines.
        """
        title = [*_comment(self.about), f"# Written by `{origin}`; every line may be changed.", "version: 1"]
        why = {**_WHY, "split": _WHY_SPLIT[self.by], **self.why}
        parts = [[*_comment(why[key]), *_written(key, value)] for key, value in self._sections().items()]
        return "\n\n".join("\n".join(lines) for lines in [title, *parts]) + "\n"

    def _sections(self) -> dict[str, Any]:
        optimizer = {"name": "adam", "learning_rate": self.learning_rate}
        fit = {"epochs": self.epochs, "workers": 4}
        watched = {"monitor": self.monitor, "mode": _mode(self.monitor), "patience": self.patience}
        stopping = {"early_stopping": {**watched, "restore_best_weights": True}}
        return {
            "seed": 7,
            "source": dict(self.source),
            "split": {"train": 0.8, "by": self.by} | ({"column": self.column} if self.column else {}),
            "sequence": dict(self.sequence),
            "batch_size": self.batch_size,
            "model": dict(self.model),
            "compile": {"optimizer": optimizer, "loss": self.loss, "metrics": self.metrics},
            "fit": fit | ({"class_weight": self.class_weight} if self.class_weight else {}),
            "callbacks": ["tqdm", *self.callbacks, stopping],
        }


def _mode(monitor: str) -> str:
    return "min" if monitor.endswith(("loss", "mae")) else "max"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH)]


def _written(key: str, value: Any) -> list[str]:
    """On one line where it fits, as the shipped configs have it; else a line for each part."""
    line = f"{key}: {_flow(value)}"
    if isinstance(value, list):
        return [f"{key}:", *(f"  - {_flow(item).removeprefix('{').removesuffix('}')}" for item in value)]
    if len(line) <= _WIDTH or not isinstance(value, dict):
        return [line]
    return [f"{key}:", *(f"  {_flow(name)}: {_flow(item)}" for name, item in value.items())]


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1_000_000)
    return text.removesuffix("...\n").rstrip("\n")
