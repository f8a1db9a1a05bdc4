"""In which format predictions are written, and where: what the command line leaves open follows from the model."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from seqtrain.errors import ConfigError
from seqtrain.inference.prediction_files import (
    ArrayWriter,
    PictureWriter,
    TableWriter,
    Writer,
    array_files,
    inputs_file,
)
from seqtrain.inference.trained_run import TrainedRun
from seqtrain.inference.volume_masks import PatchCanvas, SliceCanvas, VolumeWriter
from seqtrain.reports.output_spec import OutputSpec
from seqtrain.sequences.resizing import scaled_size
from seqtrain.sequences.volume_patches import VolumePatchSequence
from seqtrain.sources.base import Source
from seqtrain.sources.file_listing import stem_and_extension
from seqtrain.sources.picture_size import picture_size
from seqtrain.sources.volume_slices import VolumeSlices
from seqtrain.sources.volumes import Volumes

OutFormat = Literal["csv", "jsonl", "npy", "png", "volumes"]

_FORMATS: dict[str, OutFormat] = {".csv": "csv", ".jsonl": "jsonl", ".npy": "npy"}
_DRAWN = ("mask", "picture")
_FOLDERS = ("png", "volumes")
_LOOKED_AT = 100


def writer_for(
    out: Path | TextIO | None,
    wanted: OutFormat | None,
    run: TrainedRun,
    inputs: Sequence[Path],
    sequence: Any,
    source: Source,
) -> tuple[Writer, OutFormat]:
    """What takes the predictions, and its format.

    Args:
        out: A file, a folder, or a stream. Default: `predictions` with what the format ends in.
        wanted: The format. Default: what `out` ends in; else PNG for pictures, masks of volumes for volumes, CSV for
            rows, .npy for all else.
        run: Whose model predicts.
        inputs: What was named on the command line.
        sequence: What the model is given.
        source: The samples.

    Raises:
        ConfigError: when the format cannot hold the outputs, does not go to `out`, or would write over the data.
    """
    specs = list(run.output_specs.values())
    volumes = _volumes(specs, sequence, source)
    chosen = wanted or (isinstance(out, Path) and _FORMATS.get(out.suffix.lower())) or _fitting(specs, volumes)
    _check(chosen, specs, volumes, out)
    first = "path" if _are_files(source) else "row"
    folder = out if isinstance(out, Path) else Path("predictions")
    listed = (paths for each in (source, run.data.source) for paths in each.files or ())
    data: list[Iterable[str]] = [run.source_paths, _files_of(run.data.source), *listed]
    if chosen == "volumes" and volumes is not None:
        files = [volumes.describe(index) for index in range(len(volumes))]
        return _volume_writer(
            folder, specs[0], run, sequence, source, _Places(folder, inputs, files, data, as_png=False)
        ), chosen
    if chosen == "png":
        names = (source.describe(index) for index in range(len(source)))
        painter = _Painter(specs[0], run, are_files=first == "path")
        return PictureWriter(folder, specs[0], painter, _Places(folder, inputs, names, data)), chosen
    if isinstance(out, Path) and out.is_dir():
        out = out / f"predictions.{chosen}"
    place = Path(f"predictions.{chosen}") if out is None else out
    kept = itertools.chain(map(str, inputs), _files_of(source), *data)
    if isinstance(place, Path) and chosen == "npy":
        arrays = array_files(place, [spec.name for spec in specs]).values()
        _require_no_data([*arrays, inputs_file(place)], kept)
        return ArrayWriter(place, specs, first), chosen
    if isinstance(place, Path):
        _require_no_data([place], kept)
    return TableWriter(place, specs, first, as_json=chosen == "jsonl"), chosen


def _are_files(source: Source) -> bool:
    """Whether each sample is a file; some may be missing."""
    some = range(min(len(source), _LOOKED_AT))
    return any(os.path.isfile(source.describe(index)) for index in some)  # noqa: PTH113 - texts of any length


def _files_of(source: Source) -> Iterator[str]:
    if _are_files(source):
        yield from (source.describe(index) for index in range(len(source)))


def _require_no_data(places: Iterable[Path], data: Iterable[str]) -> None:
    """Refuses to write over a file of the inputs or of the run's data.

    Raises:
        ConfigError: when one of the places is one of these.
    """
    there = [place for place in places if place.exists()]
    kept = set(map(os.path.realpath, data)) if there else set()
    for place in there:
        if os.path.realpath(place) in kept:
            raise ConfigError(
                "a prediction would be written over a file of the data",
                where="--out",
                received=str(place),
                fix="name another file or folder",
            )


def _volumes(specs: Sequence[OutputSpec], sequence: Any, source: Source) -> Volumes | None:
    """The volumes that the model makes masks of, patch by patch or slice by slice; None where it does not."""
    kinds = [spec.kind for spec in specs]
    if kinds == ["volume"] and isinstance(sequence, VolumePatchSequence) and isinstance(source, Volumes):
        return source
    return source.volumes if kinds == ["mask"] and isinstance(source, VolumeSlices) else None


def _volume_writer(
    folder: Path, spec: OutputSpec, run: TrainedRun, sequence: Any, source: Source, place: Callable[[str], Path]
) -> VolumeWriter:
    if isinstance(source, VolumeSlices):
        painter, volumes, slices = _Painter(spec, run, are_files=False), source.volumes, source
        return VolumeWriter(
            folder,
            spec.name,
            volumes,
            lambda item: slices.place(item)[0],
            lambda volume: SliceCanvas(slices, volumes.shape(volume), painter.sized),
            place,
        )
    return VolumeWriter(
        folder,
        spec.name,
        sequence.source,
        lambda item: int(sequence.place(item)[0]),
        lambda volume: PatchCanvas(sequence, volume, spec),
        place,
    )


def _fitting(specs: Sequence[OutputSpec], volumes: Volumes | None) -> OutFormat:
    if volumes is not None:
        return "volumes"
    if all(spec.is_tabular for spec in specs):
        return "csv"
    return "png" if len(specs) == 1 and specs[0].kind in _DRAWN else "npy"


def _check(chosen: OutFormat, specs: Sequence[OutputSpec], volumes: Volumes | None, out: Path | TextIO | None) -> None:
    kinds = ", ".join(f"{spec.name or 'the output'}: {spec.kind}" for spec in specs)
    fitting = _fitting(specs, volumes)
    if chosen in ("csv", "jsonl") and not all(spec.is_tabular for spec in specs):
        raise _misfit(chosen, kinds, fitting if fitting == "npy" else f"{fitting}, or --format npy")
    if chosen == "png" and (len(specs) != 1 or specs[0].kind not in _DRAWN):
        raise _misfit(chosen, kinds, fitting)
    if chosen == "volumes" and volumes is None:
        raise _misfit(chosen, kinds, fitting)
    if chosen in ("npy", *_FOLDERS) and out is not None and not isinstance(out, Path):
        raise ConfigError(f"{chosen} cannot go to stdout", where="--out -", fix="name a file or folder")
    if chosen in _FOLDERS and isinstance(out, Path) and out.is_file():
        raise ConfigError(f"{chosen} needs a folder, and this is a file", where=f"--out {out}", fix="name a folder")


def _misfit(chosen: OutFormat, kinds: str, fitting: str) -> ConfigError:
    return ConfigError(
        f"{chosen} cannot hold what this model puts out", where="--format", received=kinds, fix=f"--format {fitting}"
    )


class _Places:
    """Where the mask or picture of each sample goes: the folders below the input, and the name of the file.

    Args:
        out: The folder that it goes into.
        inputs: Folders among them are what paths are relative to; without any, the folder that all files are below.
        names: Of all samples.
        data: Other files that must not be written over.
        as_png: Whether each becomes a PNG; else it keeps its extension.

    Raises:
        ConfigError: when two would go to one place, one to that of a file of the inputs or of the data, or all into a
            folder of the inputs.
    """

    def __init__(
        self,
        out: Path,
        inputs: Sequence[Path],
        names: Iterable[str],
        data: Iterable[Iterable[str]] = (),
        as_png: bool = True,
    ) -> None:
        self._folders = [path for path in inputs if path.is_dir()]
        self._as_png = as_png
        self._keeps_extension = not as_png
        names = list(names)
        if not inputs:
            with contextlib.suppress(ValueError):  # where there is none
                self._folders = [Path(os.path.commonpath([os.path.dirname(name) for name in names]))]  # noqa: PTH120
        _require_once(names)
        if len({self(name) for name in names}) < len(names):
            self._keeps_extension = True  # cat.jpg and cat.png
            self._require_different(names)
        if out.is_dir():
            _require_no_data((out / self(name) for name in names), itertools.chain(names, *data))
        for folder in inputs:
            if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
                raise ConfigError(
                    "the predictions would lie among the inputs, and be taken for some the next time",
                    where=f"--out {out}",
                    received=f"the folder {folder} as INPUT",
                    fix="name a folder that is not below it",
                )

    def __call__(self, name: str) -> Path:
        path = Path(name)
        folder = next((each for each in self._folders if path.is_relative_to(each)), path.parent)
        relative = path.relative_to(folder).as_posix()
        if relative.endswith("]"):  # a row of an array
            stem, _, row = relative.removesuffix("]").rpartition("[")
            return Path(f"{stem_and_extension(stem)[0]}_{int(row):06d}.png")
        stem = relative if self._keeps_extension else stem_and_extension(relative)[0]
        return Path(f"{stem}.png" if self._as_png else stem)

    def _require_different(self, names: Sequence[str]) -> None:
        seen: dict[Path, str] = {}
        for name in names:
            other = seen.setdefault(self(name), name)
            if other != name:
                raise ConfigError(
                    f"two predictions would be called {self(name)}",
                    where="INPUT",
                    received=f"{other} and {name}",
                    fix="predict them in two commands, with an --out each",
                )


def _require_once(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        name, _ = Counter(names).most_common(1)[0]
        raise ConfigError("the same sample is named twice", where="INPUT", received=name, fix="name it once")


class _Painter:
    """Makes the picture of a sample; a mask in the size that the sample's own picture has.

    Args:
        spec: Of the output.
        run: Whose model predicts.
        are_files: Whether the samples are pictures in files, whose size can be looked up.
    """

    def __init__(self, spec: OutputSpec, run: TrainedRun, are_files: bool) -> None:
        self._spec = spec
        self._resize = run.loaded.config.sequence.arguments.get("resize", "stretch")
        self._sizes = are_files and spec.kind == "mask"

    def __call__(self, name: str, output: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        if self._spec.kind == "picture":
            return self._spec.picture(output)
        return self.sized(output, picture_size(name)) if self._sizes else self._mask(output)

    def sized(self, output: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """The mask of a picture of a size that was resized for the model."""
        return _unfitted(self._mask(output), size, self._resize)

    def _mask(self, output: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        return np.asarray(self._spec.class_ids(output[None])[0], np.uint8)


def _unfitted(mask: npt.NDArray[np.uint8], size: tuple[int, int], resize: str) -> npt.NDArray[np.uint8]:
    """A mask in the size of the picture that was resized for the model; what was cropped from that is background."""
    if resize == "crop":
        scale = max(mask.shape[0] / size[0], mask.shape[1] / size[1])
        seen = min(size[0], max(1, round(mask.shape[0] / scale))), min(size[1], max(1, round(mask.shape[1] / scale)))
        whole = np.zeros(size, dtype=np.uint8)
        _middle(whole, seen)[...] = _scaled(mask, seen)
        return whole
    shown = mask if resize == "stretch" else _middle(mask, scaled_size(size, (mask.shape[0], mask.shape[1]), "pad"))
    return _scaled(shown, size)


def _scaled(mask: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST))


def _middle(mask: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    top, left = (mask.shape[0] - size[0]) // 2, (mask.shape[1] - size[1]) // 2
    return mask[top : top + size[0], left : left + size[1]]
