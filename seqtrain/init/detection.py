"""What a folder turns out to be: what was seen in it, what must be asked, and the config that fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seqtrain.init.recipe import Recipe, Size


@dataclass(frozen=True)
class Answers:
    """What cannot be seen.

    Args:
        target: The column to predict; None where nothing is asked.
        image_size: Height and width of the pictures in a batch; None where nothing is asked.
    """

    target: str | None = None
    image_size: Size | None = None


@dataclass(frozen=True)
class Detection:
    """One thing that a folder can be.

    Args:
        kind: The name of its recipe, such as "image_folder".
        seen: What was seen, for a person: name and words.
        recipe: The config, once all is answered.
        suggested: What is likely right.
        targets: The columns that the target may be; empty where nothing is asked.
        notes: What a person should know before training.
    """

    kind: str
    seen: tuple[tuple[str, str], ...]
    recipe: Callable[[Answers], Recipe]
    suggested: Answers = Answers()
    targets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        """What a model does with it, such as "classification"."""
        from seqtrain.init.kinds import KINDS

        return KINDS[self.kind].task

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        return {"kind": self.kind, "task": self.task, "seen": dict(self.seen), "notes": list(self.notes)}
