"""What the runs are made of, and where faults get in: a run reads from its environment which one it has.

Worker processes load this file too, so Keras is imported by the callback alone.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

from seqtrain.registry import callbacks, sequences, sources
from seqtrain.sequences.base import SampleSequence
from seqtrain.structure import FieldSpec
from tests.faults import faulty_store
from tests.faults.environment import fault

_WIDTH = 8

faulty_store.install()


@sources.register("noisy_labels")
class NoisyLabels:
    """Points on both sides of a plane, some of them with the wrong label, so that a model soon fits them too well."""

    def __init__(self) -> None:
        generator = np.random.default_rng(3)
        self.x = generator.standard_normal((200, _WIDTH)).astype("float32")
        self.labels = ((self.x.sum(axis=1) > 0) ^ (generator.random(200) < 0.1)).astype("int64")
        self.classes = ("below", "above")

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"x": self.x[index], "y": self.labels[index]}


@sequences.register("noisy")
class Noisy(SampleSequence):
    """Adds noise to each sample, other noise in each epoch; and in one batch, NaN or a long wait."""

    def __init__(self, source: Any, indices: Any, batch_size: int, seed: int, training: bool) -> None:
        super().__init__(source, indices, batch_size, seed, training)
        self.spec = (FieldSpec((_WIDTH,), "float32"), FieldSpec((), "int32"))

    def write(self, indices: Any, epoch: int, rows: tuple[Any, ...]) -> None:
        super().write(indices, epoch, rows)
        if self._is_in(fault("slow_batch"), indices, epoch):
            Path(fault("slow_batch")["marker"]).touch()
            time.sleep(fault("slow_batch").get("seconds", 30))
        if self._is_in(fault("nan"), indices, epoch):
            rows[0][...] = np.nan

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        x, y = rows
        x[0] = self.source[index]["x"] + (0.3 * generator.standard_normal(_WIDTH) if self.training else 0)
        y[0] = self.source[index]["y"]

    def _is_in(self, where: Any, indices: Any, epoch: int) -> bool:
        """Whether rows belong to the batch that a fault names."""
        if not where or not self.training or where["epoch"] != epoch:
            return False
        return bool(np.isin(indices, self.sample_indices(epoch, where["batch"])).all())


@callbacks.register("faulty")
def faulty() -> Any:
    """Slows training down, and does what a fault says at its moment."""
    from tests.faults.faulty_callback import FaultyCallback

    return FaultyCallback()
