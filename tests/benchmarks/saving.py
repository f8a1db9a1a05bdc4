"""What it costs to save a run: a share of ten minutes, and a multiple of plain `model.save_weights`.

    python -m tests.benchmarks.saving
    python -m tests.benchmarks.saving --size 10 --size 1000 --folder /mnt/runs

The models are wide perceptrons with Adam, whose state `save_weights` writes too. A checkpoint is copied to memory,
hashed, checked for NaN, and synced to the disk, which `save_weights` leaves to the kernel: so it is measured as it is,
and with a sync after it. All are done in turn, round after round; ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_INTERVAL_S = 600
_AT_MOST = 0.01
_WIDEST = 1000
_CONFIG = Path(__file__).parents[2] / "configs" / "synthetic_sum.yaml"


@dataclass
class Cost:
    """What saving one model costs.

    Args:
        weights_mb: Of the model, without the optimizer.
        checkpoint_mb: On disk.
        save_s: Seconds of each `Checkpoints.save`.
        plain_s: Of each `model.save_weights`.
        synced_s: Of each `model.save_weights` with a sync of its file.
    """

    weights_mb: float
    checkpoint_mb: float
    save_s: list[float] = field(default_factory=list)
    plain_s: list[float] = field(default_factory=list)
    synced_s: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of ten minutes, by the slowest save."""
        return max(self.save_s) / _INTERVAL_S

    def ratio(self, others: list[float]) -> float:
        """The median over the rounds."""
        return statistics.median(ours / other for ours, other in zip(self.save_s, others, strict=True))


def main(arguments: list[str] | None = None) -> None:
    """Measures, and prints."""
    asked = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    costs = []
    for size_mb in asked.size or (1.0, 10.0, 100.0):
        with tempfile.TemporaryDirectory(prefix="seqtrain-saving-", dir=asked.folder) as folder:
            costs.append(cost(size_mb, asked.rounds, Path(folder)))
    if asked.json:
        print(json.dumps([{**asdict(each), "share": each.share} for each in costs], indent=2))
    else:
        print(table(costs))


def cost(size_mb: float, rounds: int, folder: Path) -> Cost:
    """Saves a model of some size by turns."""
    model = _trained(size_mb)
    save, checkpoints = _saver(model, folder), folder / "run" / "checkpoints"
    plain = folder / "plain.weights.h5"
    ways: dict[str, Callable[[], None]] = {
        "save_s": save,
        "plain_s": lambda: model.save_weights(plain, overwrite=True),
        "synced_s": lambda: _save_and_sync(model, plain),
    }
    for way in ways.values():
        way()  # the first time makes files and imports
    size = sum(file.stat().st_size for file in (checkpoints / "last").iterdir())
    found = Cost(sum(weight.nbytes for weight in model.get_weights()) / 1e6, size / 1e6)
    names = list(ways)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            getattr(found, name).append(_seconds(ways[name]))
    return found


def table(costs: Iterable[Cost]) -> str:
    """A line for each model."""
    lines = [("weights MB", "checkpoint MB", "seconds", "of 10 min", "/ save_weights", "/ with a sync", "")]
    for each in costs:
        lines.append(
            (
                f"{each.weights_mb:.0f}",
                f"{each.checkpoint_mb:.0f}",
                f"{statistics.median(each.save_s):.3f}",
                f"{each.share:.3%}",
                f"{each.ratio(each.plain_s):.2f}",
                f"{each.ratio(each.synced_s):.2f}",
                "below 1 %" if each.share < _AT_MOST else "falls short",
            )
        )
    return "\n".join("  ".join([*(cell.rjust(14) for cell in line[:-1]), line[-1]]).rstrip() for line in lines)


def _trained(size_mb: float) -> Any:
    """A model with about so many megabytes of float32 weights, after one step, so that Adam has its state."""
    import keras
    import numpy as np

    numbers = size_mb * 1e6 / 4
    depth = math.ceil(numbers / _WIDEST**2)
    width = round((numbers / depth) ** 0.5)
    layers = [keras.layers.Dense(width, activation="relu") for _ in range(depth)]
    model = keras.Sequential([keras.Input((width,)), *layers])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).random((8, width), dtype=np.float32)
    model.train_on_batch(x, x)
    return model


def _saver(model: Any, folder: Path) -> Callable[[], None]:
    """Saves as a run does."""
    from seqtrain.config import load_config
    from seqtrain.training.callback_state import CallbackStates
    from seqtrain.training.checkpoint_store import CheckpointStore
    from seqtrain.training.checkpoints import Checkpoints
    from seqtrain.training.progress import Progress
    from seqtrain.training.recorder import Recorder
    from seqtrain.training.run_folder import RunFolder
    from seqtrain.training.snapshot import RunObjects

    run = RunFolder(folder / "run")
    config = load_config(_CONFIG).config
    objects = RunObjects(model, Recorder(run, "loss", "min"), CallbackStates([], []), None, config, 0, Progress())
    checkpoints = Checkpoints(objects, CheckpointStore(run.checkpoints), 1, None)

    def save() -> None:
        checkpoints.save()
        if checkpoints.failure is not None:
            raise checkpoints.failure

    return save


def _save_and_sync(model: Any, path: Path) -> None:
    model.save_weights(path, overwrite=True)
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _seconds(way: Callable[[], None]) -> float:
    began = time.perf_counter()
    way()
    return time.perf_counter() - began


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.saving", description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=float, action="append", help="MB of weights; repeatable; default: 1, 10, 100")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured; default: 5")
    parser.add_argument("--folder", type=Path, help="on the disk that is meant; default: the system's for such files")
    parser.add_argument("--json", action="store_true", help="print all that was measured")
    return parser


if __name__ == "__main__":
    main()
