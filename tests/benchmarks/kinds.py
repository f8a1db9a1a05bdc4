"""Each kind of data against the simplest Sequence that is written for it by hand, in one run.

    python -m tests.benchmarks.kinds
    python -m tests.benchmarks.kinds --only "one mask an image" --only pairs --rounds 7

Both have two threads and deliver the same number of the same batches; those written by hand decode with Pillow, nibabel
and h5py as tutorials do, and Keras runs them. Targets stand where decoding dominates. Install `.[bench,nifti]` first.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.kind_race import KINDS, Options, race_kind
from tests.benchmarks.report import as_json, table
from tests.benchmarks.stage import Stage


def main(arguments: list[str] | None = None) -> None:
    """Measures, and prints."""
    asked = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    rows = []
    data = asked.data.expanduser().absolute()
    data.mkdir(parents=True, exist_ok=True)
    with Stage() as stage:
        for name in asked.only or KINDS:
            rows += race_kind(KINDS[name], Options(stage, data, asked.rounds, quick=asked.quick))
            if not asked.json:
                print(table(row for row in rows if row.workload == name), end="\n\n", flush=True)
    for row in rows:
        if row.note:
            print(f"{row.workload}: {row.peer}: {row.note}", file=sys.stderr)
    print(json.dumps(as_json(rows), indent=2) if asked.json else table(rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.kinds", description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=KINDS, help="repeatable; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured; default: 5")
    kept = Path(tempfile.gettempdir()) / "seqtrain-benchmarks"
    parser.add_argument("--data", type=Path, default=kept, help=f"where the files are kept; default: {kept}")
    parser.add_argument("--quick", action="store_true", help="see that everything runs, not how fast")
    parser.add_argument("--json", action="store_true", help="print all that was measured")
    return parser


if __name__ == "__main__":
    main()
