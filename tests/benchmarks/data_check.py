"""How fast `check --data` reads, as a share of the loader's own speed on the same samples with the same workers.

    python -m tests.benchmarks.data_check
    python -m tests.benchmarks.data_check --count 2000 --workers 8 --json

Photographs of 500x375, made 224x224, and arrays of 64x64 pixels: decoding costs more than looking, copying less. Both
are read whole by turns, round after round; shares are taken within a round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from seqtrain.config import load_config
from seqtrain.config.load import LoadedConfig
from seqtrain.loading.order import validation_schedule
from seqtrain.loading.pipeline import open_data
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.workers import WorkerOptions
from seqtrain.reports.data_survey import Survey
from seqtrain.reports.sample_facts import FactSequence
from tests.benchmarks.data import photographs


def main(arguments: list[str] | None = None) -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kept = Path(tempfile.gettempdir(), "seqtrain-benchmarks")
    parser.add_argument("--data", type=Path, default=kept, help=f"where the files are kept; default: {kept}")
    parser.add_argument("--count", type=int, default=1000, help="photographs; arrays are ten times as many")
    parser.add_argument("--workers", type=int, default=2, help="threads")
    parser.add_argument("--rounds", type=int, default=3, help="by turns")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="seqtrain-check-") as folder:
        measured = [
            measure("photographs", of_photographs(asked.data, asked.count, Path(folder)), asked.workers, asked.rounds),
            measure("arrays", of_arrays(10 * asked.count, Path(folder)), asked.workers, asked.rounds),
        ]
    if asked.json:
        print(json.dumps(measured, indent=2))
    else:
        for each in measured:
            share = f"{each['share']:.0%} of the loader's speed"
            print(
                f"{each['kind']:12} check {each['check_per_s']:8.0f}/s  loader {each['loader_per_s']:8.0f}/s  {share}"
            )


def of_photographs(data: Path, count: int, folder: Path) -> LoadedConfig:
    """A run on JPEG files."""
    source = {"name": "image_folder", "path": str(photographs(data, count))}
    return _config(folder / "photographs.yaml", source, {"name": "image", "image_size": [224, 224]})


def of_arrays(count: int, folder: Path) -> LoadedConfig:
    """A run on two arrays."""
    generator = np.random.default_rng(count)
    np.save(folder / "x.npy", generator.integers(0, 256, (count, 64, 64, 3), np.uint8))
    np.save(folder / "y.npy", np.arange(count) % 10)
    return _config(folder / "arrays.yaml", {"name": "arrays", "x": "x.npy", "y": "y.npy"}, "arrays")


def measure(kind: str, loaded: LoadedConfig, num_workers: int, rounds: int) -> dict[str, Any]:
    """Samples a second of both, by the medians, and the median share."""
    data, workers = open_data(loaded), WorkerOptions(num_workers)
    sequence = data.sequence(np.arange(len(data.source)))
    speeds: dict[str, list[float]] = {"loader": [], "check": []}
    for _ in range(rounds):
        speeds["loader"].append(_speed(lambda: _load(sequence, workers), len(data.source)))
        survey = Survey(FactSequence(sequence))
        speeds["check"].append(_speed(lambda survey=survey: survey.read(workers, lambda count: None), len(data.source)))
    shares = [check / loader for check, loader in zip(speeds["check"], speeds["loader"], strict=True)]
    medians = {f"{name}_per_s": round(statistics.median(of), 1) for name, of in speeds.items()}
    return {"kind": kind, "samples": len(data.source), **medians, "share": round(statistics.median(shares), 3)}


def _load(sequence: Any, workers: WorkerOptions) -> None:
    with BatchStream(sequence, validation_schedule(len(sequence)), workers, end=len(sequence)) as stream:
        stream.reuse_memory()
        for position in range(len(sequence)):
            stream.take(position)


def _speed(action: Callable[[], None], count: int) -> float:
    began = time.perf_counter()
    action()
    return count / (time.perf_counter() - began)


def _config(path: Path, source: dict[str, Any], sequence: Any) -> LoadedConfig:
    document = {
        "version": 1,
        "source": source,
        "sequence": sequence,
        "batch_size": 64,
        "model": "cnn",
        "compile": {"loss": "sparse_categorical_crossentropy"},
    }
    path.write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
    return load_config(path)


if __name__ == "__main__":
    main()
