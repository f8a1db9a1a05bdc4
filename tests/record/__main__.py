"""`python -m tests.record write FILE` and `python -m tests.record compare [FILE]`; see the package."""

import argparse
import difflib
import gzip
import json
import multiprocessing
import os
import platform
import re
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.record.parts import PARTS, made
from tests.record.workplace import Workplace

KEPT = Path(__file__).parent / "record.json.gz"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.record", description=__doc__)
    parser.add_argument("action", choices=["write", "compare"])
    parser.add_argument("file", type=Path, nargs="?", default=KEPT, help="the record; by default the one that is kept")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; repeatable")
    parser.add_argument("--match", default="", help="a pattern for the names of entries, such as digits")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many commands run at a time")
    options = parser.parse_args()
    parts, match = options.only or list(PARTS), re.compile(options.match)
    now = record(parts, match, options.jobs)
    if options.action == "write":
        text = json.dumps(now, ensure_ascii=False, separators=(",", ":")) + "\n"
        options.file.write_bytes(gzip.compress(text.encode(), mtime=0))
        return 0
    before = json.loads(gzip.decompress(options.file.read_bytes()))
    for key, was in before["head"].items():
        if was != now["head"].get(key):
            print(f"the record was made with {key} {was}, this is {now['head'].get(key)}: weights may differ")
    chosen = {part: {name: entry for name, entry in before[part].items() if match.search(name)} for part in parts}
    added: Counter[str] = Counter()
    told = [line for part in parts for line in differences(part, chosen[part], now[part], added)]
    told = [line for line in told if " > stderr:" not in line or not is_told(line, told)]
    print("\n".join([*told, *(f"added, which is no difference: {name}, {n} times" for name, n in added.items())]))
    print(f"{len(told)} differences" if told else "no difference")
    return bool(told)


def record(parts: list[str], match: re.Pattern[str], jobs: int) -> dict[str, Any]:
    """Runs the commands of some parts."""
    place = Workplace()
    document: dict[str, Any] = {"head": head()}
    try:
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
            for part in parts:
                tasks = [task for task in PARTS[part](place) if match.search(task[0])]
                print(f"{part}: {len(tasks)} entries", file=sys.stderr, flush=True)
                document[part] = dict(pool.map(made, tasks))
    finally:
        place.remove()
    return json.loads(json.dumps(document))


def head() -> dict[str, str]:
    """What weights depend on besides the code."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = {flag for line in lines if line.startswith("flags") for flag in line.partition(":")[2].split()}
    vectors = sorted(flag for flag in flags if re.match(r"avx|fma|amx", flag))
    packages = {name: version(name) for name in ("keras", "tensorflow", "numpy", "opencv-python-headless")}
    return {
        "python": platform.python_version(),
        **packages,
        "processor": models[0] if models else platform.processor(),
        "vectors": " ".join(vectors),
    }


def differences(path: str, was: Any, now: Any, added: Counter[str]) -> Iterator[str]:
    """Every place at which two documents differ, with what was there and what is; what is new is counted in `added`."""
    if isinstance(was, dict) and isinstance(now, dict):
        added.update(key for key in now if key not in was)
        for key, value in was.items():
            yield from differences(f"{path} > {key}", value, now.get(key, MISSING), added)
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for number, (one, other) in enumerate(zip(was, now, strict=True)):
            yield from differences(f"{path} > {number}", one, other, added)
    elif isinstance(was, str) and isinstance(now, str) and was != now and "\n" in was + now:
        lines = difflib.unified_diff(was.splitlines(), now.splitlines(), lineterm="", n=0)
        yield "\n".join([f"{path}:", *(f"    {line}" for line in list(lines)[2:40])])
    elif json.dumps(was, default=str) != json.dumps(now, default=str):  # NaN is not itself
        yield f"{path}:\n    was {shown(was)}\n    is  {shown(now)}"


def is_told(line: str, told: list[str]) -> bool:
    """Whether the words on stderr differ because the document does."""
    entry = line.partition(" > stderr:")[0]
    return any(other.startswith(f"{entry} > document") for other in told)


MISSING = object()


def shown(value: Any) -> str:
    text = "nothing" if value is MISSING else json.dumps(value, ensure_ascii=False)
    return text if len(text) < 600 else f"{text[:600]}..."


if __name__ == "__main__":
    sys.exit(main())
