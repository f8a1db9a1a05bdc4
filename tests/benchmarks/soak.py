"""A long run with validation and checkpoints holds as much at its end as after its first epochs.

    python -m tests.benchmarks.soak
    python -m tests.benchmarks.soak --epochs 1000 --workers threads

Trains on the digits, in small pictures and short epochs, with a checkpoint every five batches and after each epoch;
once with threads and once with processes. Memory may differ by 1 %, measured over the first and the last ten epochs
after the warm-up; open files, threads and processes may not differ at all. Exits with 1 where they do. Linux only.

`--plain` trains the same model on the same pictures with nothing but Keras's own `fit`, to tell its growth from ours.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import footprint
from tests.benchmarks.footprint import Footprint

ROOT = Path(__file__).parents[2]
_WARM_UP, _WINDOW = 20, 10
_WITHIN = 0.01
_COLUMNS = ("epoch", "memory MB", "workers MB", "descriptors", "threads", "children")
_WORKERS = {"threads": False, "processes": True}
_PLAIN = "plain fit"


def main(arguments: list[str] | None = None) -> None:
    """Runs, and prints."""
    asked = _parser().parse_args(arguments)
    kinds = [*(asked.workers or _WORKERS), *([_PLAIN] if asked.plain else [])]
    grown = []
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="seqtrain-soak-") as folder:
            samples = soaked(Path(folder), kind, asked.epochs)
        print(f"{kind}: {asked.epochs} epochs\n{table(samples)}", flush=True)
        growths = list(growth(samples, min(_WARM_UP, asked.epochs // 2)))
        print(*(f"  {text}" for _, text in growths), sep="\n", end="\n\n", flush=True)
        grown += [f"{kind}: {text}" for grows, text in growths if grows and kind != _PLAIN]
    sys.exit("\n".join(["it grows:", *grown]) if grown else 0)


def soaked(folder: Path, kind: str, epochs: int) -> list[Footprint]:
    """What a run held after each of its epochs."""
    notes, config = folder / "footprint.jsonl", folder / "soak.yaml"
    config.write_text(json.dumps(_config(notes, epochs, _WORKERS.get(kind, False))))  # JSON is YAML
    command = [sys.executable, "-m", "seqtrain", "fit", str(config), "--run-dir", str(folder / "run")]
    if kind == _PLAIN:
        command = [sys.executable, "-m", "tests.benchmarks.plain_fit", str(config), str(notes)]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the run ended with {done.returncode}:\n{done.stderr}")
    return footprint.read(notes)


def growth(samples: Sequence[Footprint], warm_up: int) -> Iterator[tuple[bool, str]]:
    """For each thing that is held whether it grew after the warm-up, and by how much, in words."""
    steady = samples[warm_up - 1 :]
    width = min(_WINDOW, -(-len(steady) // 2))
    for name, unit in (("memory_mb", "memory"), ("workers_mb", "memory of workers")):
        values = [getattr(sample, name) for sample in steady]
        before, after = statistics.median(values[:width]), statistics.median(values[-width:])
        if before:
            share = after / before - 1
            spread = f"lowest {min(values):.1f}, highest {max(values):.1f} MB"
            yield share > _WITHIN, f"{unit}: {share:+.2%} from {before:.1f} to {after:.1f} MB; {spread}"
    for name in ("descriptors", "threads", "children"):
        values = [getattr(sample, name) for sample in steady]
        more = min(values[-width:]) - min(values[:width])
        yield more > 0, f"{name}: {more:+d}; lowest {min(values)}, highest {max(values)}"


def table(samples: Sequence[Footprint]) -> str:
    """Some of the epochs."""
    step = max(1, len(samples) // 4)
    numbers = [_WARM_UP, *range(step, len(samples), step), len(samples)]
    lines = [_COLUMNS]
    for number in sorted({number for number in numbers if number <= len(samples)}):
        held = samples[number - 1]
        memory = f"{held.memory_mb:.1f}", f"{held.workers_mb:.1f}"
        lines.append((str(number), *memory, str(held.descriptors), str(held.threads), str(held.children)))
    return "\n".join("  ".join(cell.rjust(11) for cell in line) for line in lines)


def _config(notes: Path, epochs: int, use_multiprocessing: bool) -> dict[str, Any]:
    return {
        "seed": 7,
        "imports": [str(Path(footprint.__file__))],
        "source": {"name": "image_folder", "path": str(ROOT / "data_samples" / "digits")},
        "split": {"train": 0.8, "by": "stratified"},
        "sequence": {"name": "augmented_image", "image_size": [16, 16], "color": "gray", "rotation": 10},
        "batch_size": 32,
        "model": {"name": "cnn", "filters": [8, 16]},
        "compile": {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]},
        "fit": {"epochs": epochs, "workers": 2, "use_multiprocessing": use_multiprocessing},
        "checkpoint": {"every": 5},
        "callbacks": ["tqdm", {"footprint": {"path": str(notes)}}],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=200, help="default: 200")
    parser.add_argument("--workers", action="append", choices=_WORKERS, help="repeatable; default: both")
    parser.add_argument("--plain", action="store_true", help="also plain `fit` of Keras, for comparison")
    return parser


if __name__ == "__main__":
    main()
