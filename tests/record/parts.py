"""The parts of the record: each tells which commands it runs, and what it keeps of each."""

import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.record.broken import broken_cases
from tests.record.workplace import VOLATILE, Workplace, steady

Task = tuple[str, Callable[[], Any]]
"""The name of an entry, and what makes it."""

# What `predict` is given: by the name of the config.
NEW_SAMPLES = {
    "digits": ["data_samples/digits/3"],
    "csv_pixels": ["data_samples/csv_pixels/digits.csv"],
    "segmentation": ["data_samples/shapes/images"],
    "coco_masks": ["data_samples/cells"],
    "table": ["data_samples/flats/flats.csv"],
    "series": ["data_samples/power"],
    "volume_classification": ["data_samples/volumes/images"],
    "volume_patches": ["data_samples/volumes/images"],
    "volume_slices": ["data_samples/volumes/images"],
    "autoencoder": ["data_samples/digits/3"],
}


# Of which what people read is kept too.
FOR_PEOPLE = {"digits", "segmentation", "table", "series", "volume_classification"}


def made(task: Task) -> tuple[str, Any]:
    """Makes an entry."""
    name, make = task
    try:
        return name, make()
    except Exception as error:
        raise RuntimeError(f"{name} cannot be recorded") from error


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def of_document(value: Any) -> str:
    return digest(json.dumps(value, sort_keys=True).encode())


def helps(place: Workplace) -> Iterator[Task]:
    """The help of every command, as the help of the command above it lists them."""
    yield from _helps(place, ())


def _helps(place: Workplace, words: tuple[str, ...]) -> Iterator[Task]:
    text = place.seqtrain(*words, "--help", columns=100).out
    yield " ".join(("seqtrain", *words)), partial(str, text)
    _, _, commands = text.partition("\nCommands:\n")
    for name in re.findall(r"^  ([a-z-]+)  ", commands, re.MULTILINE):
        yield from _helps(place, (*words, name))


def lists(place: Workplace) -> Iterator[Task]:
    """What there is to name in a config."""
    yield "list", partial(_out, place, "list")
    yield "list --json", partial(_document, place, "list", "--json")
    yield "config schema", partial(_document, place, "config", "schema")
    yield "init --template list", partial(_out, place, "init", "--template", "list")


def _out(place: Workplace, *words: str) -> str:
    return place.seqtrain(*words).out


def _document(place: Workplace, *words: str) -> Any:
    return place.seqtrain(*words).document


def configs(place: Workplace) -> Iterator[Task]:
    """What each config means, and what `check` says of it and of its data."""
    for path in place.configs:
        yield path.stem, partial(_config, place, path)


def _config(place: Workplace, path: Path) -> dict[str, Any]:
    out = place.folder / "checked" / path.stem
    differing = place.seqtrain("config", "diff", path.with_name("digits.yaml"), path)
    return {
        "show": place.seqtrain("config", "show", path, "--json").document,
        "explain": place.seqtrain("config", "explain", path, "--json").document,
        "diff": [differing.code, differing.out],
        "check": place.seqtrain("check", path, "--json").document,
        "check --data": place.seqtrain("check", path, "--data", "--json", "--out", out).document,
        "check --data, for people": steady(place.seqtrain("check", path, "--data", "--out", out).out),
    }


def batches(place: Workplace) -> Iterator[Task]:
    """The batches of each config: the first whole, the others as digests."""
    for path in place.configs:
        for name, words in {
            "epoch 0": ["--all"],
            "epoch 1": ["--all", "--epoch", "1"],
            "val": ["--all", "--split", "val"],
            "raw": ["--stage", "raw", "-n", "2"],
        }.items():
            yield f"{path.stem}, {name}", partial(_batches, place, path, words)


def _batches(place: Workplace, path: Path, words: list[str]) -> Any:
    out = place.folder / "inspected" / f"{path.stem} {'_'.join(words)}"
    done = place.seqtrain("inspect-batches", path, *words, "--json", "--out", out)
    document = done.document
    if done.code:
        return [done.code, document]
    every = document.pop("batches")
    return {
        **document,
        "first batch": every[0],
        "batches": [
            {
                "samples": of_document(batch["sample_ids"]),
                "fields": {name: field.get("sha256", "")[:16] for name, field in batch["fields"].items()},
                "document": of_document(batch),
            }
            for batch in every
        ],
        "files": _files(out),
    }


def fits(place: Workplace) -> Iterator[Task]:
    """Two epochs of each config, and what the other commands make of the run."""
    for path in place.configs:
        yield path.stem, partial(_fit, place, path)


def _fit(place: Workplace, path: Path) -> dict[str, Any]:
    run = place.folder / "trained" / path.stem
    done = place.seqtrain("fit", path, "-s", "fit.epochs=2", "--json", "--run-dir", run)
    if done.code:
        return {"exit code": done.code, "document": done.document}
    result = {
        "document": done.document,
        "history": _table(run / "history.csv"),
        "files": [
            name for name in _files(run) if not name.startswith("plots/")
        ],  # which a slow run draws while it trains
        "config.yaml": place.plain((run / "config.yaml").read_text()),
        "split.json": digest((run / "split.json").read_bytes()),
        "meta.json": sorted(json.loads((run / "meta.json").read_text())),
        "metrics.jsonl": [sorted(json.loads(line)) for line in (run / "metrics.jsonl").read_text().splitlines()],
    }
    for name, words in {
        "evaluate": ["evaluate", run],
        "evaluate, last": ["evaluate", run, "--split", "all", "--checkpoint", "last"],
        "runs show": ["runs", "show", run],
        "report": ["report", run],
        "inspect-batches": ["inspect-batches", "--run", run, "--split", "val", "--out", run / "inspected"],
    }.items():
        done = place.seqtrain(*words, "--json")
        result[name] = [done.code, done.document]
    if path.stem in FOR_PEOPLE:
        result["evaluate, for people"] = steady(place.seqtrain("evaluate", run, "--split", "all").out)
        result["batches, for people"] = steady(place.seqtrain("inspect-batches", path, "--out", run / "seen").out)
    if path.stem in NEW_SAMPLES:
        result["predict"] = _predict(place, path.stem, run)
    return result


def _predict(place: Workplace, name: str, run: Path) -> Any:
    out = place.folder / "predicted" / name
    out.mkdir(parents=True)
    done = place.seqtrain("predict", run, *(place.folder / path for path in NEW_SAMPLES[name]), "--json", cwd=out)
    files = sorted(file for file in out.rglob("*") if file.is_file())
    written = {str(file.relative_to(out)): digest(place.plain_bytes(file.read_bytes())) for file in files}
    return {"exit code": done.code, "document": done.document, "files": written}


def _files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def _table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return [{name: cell for name, cell in row.items() if name not in VOLATILE} for row in csv.DictReader(file)]


def inits(place: Workplace) -> Iterator[Task]:
    """The configs that `init` writes for the sample data and for data to come."""
    for path in sorted((place.folder / "data_samples").iterdir()):
        if path.is_dir():
            yield path.name, partial(_init, place, [path, "--yes"], path.name)
    document = place.seqtrain("init", "--template", "list", "--json").document
    names = document if isinstance(document, list) else document.get("templates", document)
    for item in names:
        kind = item if isinstance(item, str) else item.get("name", item.get("kind"))
        yield f"template {kind}", partial(_init, place, ["--template", kind], f"template {kind}")


def _init(place: Workplace, words: list[object], name: str) -> dict[str, Any]:
    folder = place.folder / "begun" / name
    folder.mkdir(parents=True)
    done = place.seqtrain("init", *words, "--json", "--out", folder / "config.yaml", cwd=folder)
    config = folder / "config.yaml"
    return {
        "exit code": done.code,
        "document": done.document,
        "config": place.plain(config.read_text()) if config.exists() else None,
    }


def broken(place: Workplace) -> Iterator[Task]:
    """Configs and data that are wrong."""
    for case in broken_cases():
        yield case.name, partial(case.run, place)


PARTS = {
    "help": helps,
    "lists": lists,
    "configs": configs,
    "batches": batches,
    "fit": fits,
    "init": inits,
    "broken": broken,
}
