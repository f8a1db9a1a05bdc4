"""In which format predictions are written, and where: what the command line leaves open follows from the model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from seqtrain.errors import ConfigError
from seqtrain.sequences.resizing import scaled_size
from seqtrain.sources.base import Source, describe
from seqtrain.sources.matched_files import stem_and_extension
from seqtrain.sources.picture_size import picture_size
from seqtrain.training.outputs import Head
from seqtrain.training.prediction_files import ArrayWriter, PictureWriter, TableWriter, Writer
from seqtrain.training.trained_run import TrainedRun

OutFormat = Literal["csv", "jsonl", "npy", "png"]

_FORMATS: dict[str, OutFormat] = {".csv": "csv", ".jsonl": "jsonl", ".npy": "npy"}
_DRAWN = ("mask", "picture")


def writer_for(
    out: Path | TextIO | None,
    wanted: OutFormat | None,
    heads: Sequence[Head],
    run: TrainedRun,
    inputs: Sequence[Path],
    source: Source,
) -> tuple[Writer, OutFormat]:
    """What takes the predictions, and its format.

    Args:
        out: A file, a folder, or a stream. Default: `predictions` with what the format ends in.
        wanted: The format. Default: what `out` ends in; else PNG for pictures, CSV for rows, .npy for all else.
        heads: The outputs of the model.
        run: Whose model predicts.
        inputs: What was named on the command line.
        source: The samples.

    Raises:
        ConfigError: when the format cannot hold the outputs, or does not go to `out`.
    """
    chosen = wanted or (isinstance(out, Path) and _FORMATS.get(out.suffix.lower())) or _fitting(heads, out)
    _check(chosen, heads, out)
    first = "path" if Path(describe(source, 0)).is_file() else "row"
    if chosen == "png":
        folder = out if isinstance(out, Path) else Path("predictions")
        names = (describe(source, index) for index in range(len(source)))
        painter = _Painter(heads[0], run, are_files=first == "path")
        return PictureWriter(folder, heads[0], painter, _Places(inputs, names)), chosen
    if isinstance(out, Path) and out.is_dir():
        out = out / f"predictions.{chosen}"
    place = Path(f"predictions.{chosen}") if out is None else out
    if isinstance(place, Path) and chosen == "npy":
        return ArrayWriter(place.with_suffix(".npy"), heads, first), chosen
    return TableWriter(place, heads, first, as_json=chosen == "jsonl"), chosen


def _fitting(heads: Sequence[Head], out: Path | TextIO | None) -> OutFormat:
    if all(head.is_tabular for head in heads):
        return "csv"
    return "png" if len(heads) == 1 and heads[0].kind in _DRAWN else "npy"


def _check(chosen: OutFormat, heads: Sequence[Head], out: Path | TextIO | None) -> None:
    kinds = ", ".join(f"{head.name or 'the output'}: {head.kind}" for head in heads)
    if chosen in ("csv", "jsonl") and not all(head.is_tabular for head in heads):
        raise _misfit(chosen, kinds, "npy" if heads[0].kind not in _DRAWN else "png, or --format npy")
    if chosen == "png" and (len(heads) != 1 or heads[0].kind not in _DRAWN):
        raise _misfit(chosen, kinds, "csv" if all(head.is_tabular for head in heads) else "npy")
    if chosen in ("npy", "png") and out is not None and not isinstance(out, Path):
        raise ConfigError(f"{chosen} cannot go to stdout", where="--out -", fix="name a file or folder")
    if chosen == "png" and isinstance(out, Path) and out.is_file():
        raise ConfigError("png needs a folder, and this is a file", where=f"--out {out}", fix="name a folder")


def _misfit(chosen: OutFormat, kinds: str, fitting: str) -> ConfigError:
    return ConfigError(
        f"{chosen} cannot hold what this model puts out", where="--format", received=kinds, fix=f"--format {fitting}"
    )


class _Places:
    """Where the picture of each sample goes: the folders below the input, and the stem of the file.

    Args:
        inputs: Folders among them are what paths are relative to.
        names: Of all samples.

    Raises:
        ConfigError: when two pictures would go to one place.
    """

    def __init__(self, inputs: Sequence[Path], names: Iterable[str]) -> None:
        self._folders = [path for path in inputs if path.is_dir()]
        self._keeps_extension = False
        places = [(self(name), name) for name in names]
        if len({place for place, _ in places}) < len(places):
            self._keeps_extension = True  # cat.jpg and cat.png
            self._require_different([name for _, name in places])

    def __call__(self, name: str) -> Path:
        path = Path(name)
        folder = next((each for each in self._folders if path.is_relative_to(each)), path.parent)
        relative = path.relative_to(folder).as_posix()
        if relative.endswith("]"):  # a row of an array
            stem, _, row = relative.removesuffix("]").rpartition("[")
            return Path(f"{stem_and_extension(stem)[0]}_{int(row):06d}.png")
        return Path(f"{relative if self._keeps_extension else stem_and_extension(relative)[0]}.png")

    def _require_different(self, names: Sequence[str]) -> None:
        seen: dict[Path, str] = {}
        for name in names:
            other = seen.setdefault(self(name), name)
            if other is not name:
                raise ConfigError(
                    f"two pictures would be called {self(name)}",
                    where="INPUT",
                    received=f"{other} and {name}",
                    fix="predict them in two commands, with an --out each",
                )


class _Painter:
    """Makes the picture of a sample; a mask in the size that the sample's own picture has.

    Args:
        head: The output.
        run: Whose model predicts.
        are_files: Whether the samples are pictures in files, whose size can be looked up.
    """

    def __init__(self, head: Head, run: TrainedRun, are_files: bool) -> None:
        self._head = head
        self._channels_first = run.data.train.data_format == "channels_first"
        self._resize = run.loaded.config.sequence.arguments.get("resize", "stretch")
        self._sizes = are_files and head.kind == "mask"

    def __call__(self, name: str, output: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        if self._head.kind == "picture":
            return self._head.picture(output, self._channels_first)
        mask = self._head.mask(output, self._channels_first)
        return _unfitted(mask, picture_size(name), self._resize) if self._sizes else mask


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
