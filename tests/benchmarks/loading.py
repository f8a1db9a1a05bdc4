"""The loader against the limit of the machine and against every other loader, in one run.

    python -m tests.benchmarks.loading
    python -m tests.benchmarks.loading --workload jpeg --workload large_jpeg --rounds 7 --data ~/benchmarks

Install `.[bench]` first; what is not installed takes no part, and the table says so. KERAS_BACKEND=jax works too, with
or without TensorFlow. Ratios hold for the machine that they were measured on, while it did nothing else; where others
use it too, many short rounds (`--rounds 15 --seconds 0.5`) and the ratio of the best ones tell more.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.report import as_json, table
from tests.benchmarks.stage import Stage
from tests.benchmarks.workloads import WORKLOADS, Options


def main(arguments: list[str] | None = None) -> None:
    """Measures, and prints."""
    asked = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if importlib.util.find_spec("tensorflow") is None:
        os.environ.setdefault("KERAS_BACKEND", "jax")
    rows = []
    with Stage() as stage:
        data, seconds = asked.data.expanduser().absolute(), 0.1 if asked.quick else asked.seconds
        options = Options(stage, data, asked.rounds, asked.workers, seconds, asked.quick)
        for name in asked.workload or WORKLOADS:
            rows += WORKLOADS[name](options)
            if not asked.json:
                print(table(row for row in rows if row.workload == name), end="\n\n", flush=True)
    for row in rows:
        if row.note:
            print(f"{row.workload}: {row.peer}: {row.note}", file=sys.stderr)
    if asked.json:
        print(json.dumps(as_json(rows), indent=2))


def _parser() -> argparse.ArgumentParser:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.loading", description=__doc__.splitlines()[0])
    parser.add_argument("--workload", action="append", choices=WORKLOADS, help="repeatable; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured; default: 5")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a loader's turn in a round; default: 2")
    parser.add_argument("--workers", type=int, default=cores, help="of every loader; default: the cores")
    kept = Path(tempfile.gettempdir()) / "seqtrain-benchmarks"
    parser.add_argument("--data", type=Path, default=kept, help=f"where the files are kept; default: {kept}")
    parser.add_argument("--quick", action="store_true", help="see that everything runs, not how fast")
    parser.add_argument("--json", action="store_true", help="print all that was measured")
    return parser


if __name__ == "__main__":
    main()
