"""Chooses the format and the writer of predictions, by the command line or else by the model's outputs."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

from seqtrain.errors import ConfigError
from seqtrain.inference.output_paths import OutputPaths, require_not_data
from seqtrain.inference.prediction_files import (
    ArrayWriter,
    ImageWriter,
    TableWriter,
    Writer,
    array_files,
    inputs_file,
)
from seqtrain.inference.trained_run import TrainedRun
from seqtrain.inference.volume_masks import VolumeParts, VolumeWriter, volume_parts
from seqtrain.reports.output_spec import OutputSpec
from seqtrain.sources.base import Source

OutFormat = Literal["csv", "jsonl", "npy", "png", "volumes"]

_BY_EXTENSION: dict[str, OutFormat] = {".csv": "csv", ".jsonl": "jsonl", ".npy": "npy"}
_DRAWN = ("mask", "picture")
_FOLDERS = ("png", "volumes")
_MAX_CHECKED = 100


def writer_for(
    out: Path | TextIO | None,
    wanted: OutFormat | None,
    run: TrainedRun,
    inputs: Sequence[Path],
    sequence: Any,
    source: Source,
) -> tuple[Writer, OutFormat]:
    """The writer of the predictions, and its format.

    Args:
        out: A file, a folder, or a stream. Default: `predictions` with the extension of the format.
        wanted: The format. Default: by the extension of `out`; else see `fitting_format`.
        run: The run whose model predicts.
        inputs: The inputs on the command line.
        sequence: The model's input batches.
        source: The samples.

    Raises:
        ConfigError: when the format cannot hold the outputs, does not fit `out`, or would overwrite the data.
    """
    specs = list(run.output_specs.values())
    resize = run.loaded.config.sequence.arguments.get("resize", "stretch")
    parts = volume_parts(specs, sequence, source, resize)
    by_extension = _BY_EXTENSION.get(out.suffix.lower()) if isinstance(out, Path) else None
    chosen = wanted or by_extension or fitting_format(specs, parts)
    check_format(chosen, specs, parts, out)
    are_files = _are_files(source)
    data = itertools.chain(map(str, inputs), _data_files(run, source))
    if chosen in _FOLDERS:
        folder = out if isinstance(out, Path) else Path("predictions")
        if chosen == "volumes" and parts is not None:
            names = [parts.volumes.describe(index) for index in range(len(parts.volumes))]
            return VolumeWriter(folder, parts, OutputPaths(folder, inputs, names, data, as_png=False)), chosen
        names = [source.describe(index) for index in range(len(source))]
        return ImageWriter(
            folder, specs[0], OutputPaths(folder, inputs, names, data), resize if are_files else None
        ), chosen
    place = Path(f"predictions.{chosen}") if out is None else out
    if isinstance(place, Path) and place.is_dir():
        place = place / f"predictions.{chosen}"
    first = "path" if are_files else "row"
    if isinstance(place, Path) and chosen == "npy":
        require_not_data([*array_files(place, [spec.name for spec in specs]).values(), inputs_file(place)], data)
        return ArrayWriter(place, specs, first), chosen
    if isinstance(place, Path):
        require_not_data([place], data)
    return TableWriter(place, specs, first, as_json=chosen == "jsonl"), chosen


def fitting_format(specs: Sequence[OutputSpec], parts: VolumeParts | None) -> OutFormat:
    """PNG for images, volume masks for volumes, CSV for outputs that fit into rows, .npy for all others."""
    if parts is not None:
        return "volumes"
    if all(spec.is_tabular for spec in specs):
        return "csv"
    return "png" if len(specs) == 1 and specs[0].kind in _DRAWN else "npy"


def check_format(
    chosen: OutFormat, specs: Sequence[OutputSpec], parts: VolumeParts | None, out: Path | TextIO | None
) -> None:
    """Checks that the format can hold the outputs and fits `out`.

    Raises:
        ConfigError: when it does not.
    """
    fitting: str = fitting_format(specs, parts)
    can_hold = {
        "csv": all(spec.is_tabular for spec in specs),
        "png": len(specs) == 1 and specs[0].kind in _DRAWN,
        "volumes": parts is not None,
        "npy": True,
    }
    if not can_hold["csv" if chosen == "jsonl" else chosen]:
        if chosen in ("csv", "jsonl") and fitting != "npy":
            fitting += ", or --format npy"
        raise ConfigError(
            f"{chosen} cannot hold what this model puts out",
            where="--format",
            received=", ".join(f"{spec.name or 'the output'}: {spec.kind}" for spec in specs),
            fix=f"--format {fitting}",
        )
    if chosen in ("npy", *_FOLDERS) and out is not None and not isinstance(out, Path):
        raise ConfigError(f"{chosen} cannot go to stdout", where="--out -", fix="name a file or folder")
    if chosen in _FOLDERS and isinstance(out, Path) and out.is_file():
        raise ConfigError(f"{chosen} needs a folder, and this is a file", where=f"--out {out}", fix="name a folder")


def _are_files(source: Source) -> bool:
    """Whether each sample is a file (which may be missing)."""
    some = range(min(len(source), _MAX_CHECKED))
    return any(os.path.isfile(source.describe(index)) for index in some)  # noqa: PTH113 - texts of any length


def _data_files(run: TrainedRun, source: Source) -> Iterator[str]:
    """All files that the run's own source and the other source read."""
    yield from run.source_paths
    for each in (source, run.data.source):
        for paths in each.files or ():
            yield from paths
        if _are_files(each):
            yield from (each.describe(index) for index in range(len(each)))
