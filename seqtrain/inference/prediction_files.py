"""Writes predictions batch by batch: to the rows of a CSV or JSONL, to .npy files, or to a folder of PNG files.

Each file has the extension `.partial` until it is complete, so an interrupted output cannot be mistaken for a complete
one; it holds every batch up to the interruption. Only one batch is kept in memory.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor

from seqtrain.files import partial
from seqtrain.inference.mask_size import in_image_size
from seqtrain.reports.output_spec import OutputSpec
from seqtrain.reports.tiles import class_color
from seqtrain.sources.image_header import read_image_size
from seqtrain.training.predictions import PredictedBatch

Array = npt.NDArray[Any]

_ERROR = "error"
_COLORS = 256


class Writer(Protocol):
    """Writes predictions."""

    def write(self, batch: PredictedBatch) -> None:
        """Writes the predictions for one batch."""
        ...

    def close(self, is_complete: bool) -> list[str]:
        """Closes the files.

        Args:
            is_complete: Whether all predictions were written; if so, `.partial` is removed from the file names.

        Returns:
            The paths that were written, the most important first.
        """
        ...


class TableWriter:
    """Writes a row for each sample, to a CSV or JSONL file.

    Args:
        place: The file, or a stream such as stdout.
        specs: The outputs, all of them tabular.
        first: The heading of the column of names.
        as_json: Whether to write JSONL instead of CSV.
    """

    def __init__(self, place: Path | TextIO, specs: Sequence[OutputSpec], first: str, as_json: bool) -> None:
        self._path = place if isinstance(place, Path) else None
        self._file: TextIO = _open_partial(place) if isinstance(place, Path) else place
        self._specs = specs
        self._as_json = as_json
        self._headings = _headings(first, [each for spec in specs for each in spec.headings()])
        if not as_json:
            self._file.write(_csv([self._headings]))

    def write(self, batch: PredictedBatch) -> None:
        """See `Writer`."""
        parts = [spec.cells(batch.outputs[spec.name]) for spec in self._specs]
        lines = []
        for position, name in enumerate(batch.names):
            error = batch.errors.get(position)
            cells = [cell if error is None else None for part in parts for cell in part[position]]
            lines.append([name, *cells, error])
        self._file.write("".join(map(self._line, lines)) if self._as_json else _csv(lines))
        self._file.flush()

    def close(self, is_complete: bool) -> list[str]:
        """See `Writer`."""
        self._file.flush()
        if self._path is None:
            return []
        self._file.close()
        return [str(_finish_file(self._path, is_complete))]

    def _line(self, cells: list[Any]) -> str:
        *known, error = zip(self._headings, cells, strict=True)
        document = dict(known if error[1] is None else (known[0], error))
        return json.dumps(document, ensure_ascii=False) + "\n"


class ArrayWriter:
    """Writes a .npy file for each output, and a CSV with the sample of each row; NaN for samples that cannot be read.

    Predicted values are in the unit of the data; other outputs are as the model returns them. NumPy leaves room in the
    header for more rows, so the header is rewritten in place with each batch.

    Args:
        path: See `array_files`.
        specs: The outputs.
        first: The heading of the column of names.
    """

    def __init__(self, path: Path, specs: Sequence[OutputSpec], first: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._specs = {spec.name: spec for spec in specs}
        self._paths = array_files(path, list(self._specs))
        self._files = {name: partial(each).open("w+b") for name, each in self._paths.items()}
        self._names = TableWriter(inputs_file(path), [], first, as_json=False)
        self._num_rows = 0

    def write(self, batch: PredictedBatch) -> None:
        """See `Writer`."""
        self._num_rows += len(batch.names)
        for name, file in self._files.items():
            output = self._specs[name].in_units(batch.outputs[name])
            if batch.errors:
                output = output.copy()
                output[list(batch.errors)] = np.nan if output.dtype.kind == "f" else 0
            file.seek(0)
            header = {"descr": np.lib.format.dtype_to_descr(output.dtype), "fortran_order": False}
            np.lib.format.write_array_header_1_0(file, {**header, "shape": (self._num_rows, *output.shape[1:])})
            file.seek(0, io.SEEK_END)
            file.write(np.ascontiguousarray(output).tobytes())
            file.flush()
        self._names.write(batch)

    def close(self, is_complete: bool) -> list[str]:
        """See `Writer`."""
        for file in self._files.values():
            file.close()
        return [
            *(str(_finish_file(path, is_complete)) for path in self._paths.values()),
            *self._names.close(is_complete),
        ]


class ImageWriter:
    """Writes a PNG for each sample, named after its file; a mask becomes a palette image of class ids, black for 0.

    Args:
        folder: The output folder.
        spec: The output's spec.
        place: Returns the file for a sample's name.
        resize: How images were resized for the model, to give masks the size of their images; None keeps their size.
    """

    def __init__(self, folder: Path, spec: OutputSpec, place: Callable[[str], Path], resize: str | None) -> None:
        self._folder = folder
        self._spec = spec
        self._place = place
        self._resize = resize
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, batch: PredictedBatch) -> None:
        """See `Writer`."""
        for position, name in enumerate(batch.names):
            path = self._place(name)
            if position in batch.errors:
                path.unlink(missing_ok=True)  # left by an earlier `predict`
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            self._image(name, batch.outputs[self._spec.name][position]).save(partial(path), format="PNG")
            _finish_file(path, is_complete=True)

    def _image(self, name: str, output: Array) -> Image.Image:
        if self._spec.kind == "picture":
            return Image.fromarray(self._spec.image(output))
        mask = self._spec.mask(output)
        image = Image.fromarray(
            mask if self._resize is None else in_image_size(mask, read_image_size(name), self._resize)
        )
        image.putpalette(palette())
        return image

    def close(self, is_complete: bool) -> list[str]:
        """See `Writer`."""
        return [str(self._folder)]


def array_files(path: Path, outputs: Sequence[str]) -> dict[str, Path]:
    """The .npy file of each output; with several outputs, their names come before the extension.

    Args:
        path: The path, with or without the extension.
        outputs: The names of the outputs, in which a slash becomes an underscore.
    """
    stem = _stem(path)
    return {name: Path(f"{stem}_{name.replace('/', '_')}.npy" if name else f"{stem}.npy") for name in outputs}


def inputs_file(path: Path) -> Path:
    """The CSV beside the .npy file that names the sample of each row."""
    return Path(f"{_stem(path)}.inputs.csv")


def _stem(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() == ".npy" else path


def _headings(first: str, of_outputs: Sequence[str]) -> list[str]:
    """The column names of a table; an output with the name of another column gets the prefix "predicted"."""
    taken = [first, _ERROR]
    for name in of_outputs:
        while name in taken:
            name = f"predicted_{name}"
        taken.insert(-1, name)
    return taken


def palette() -> list[int]:
    """The colours of the class ids, three numbers each: black, then the colours of the contact sheet."""
    colors = [(0, 0, 0), *(ImageColor.getrgb(class_color(number))[:3] for number in range(1, _COLORS))]
    return [part for color in colors for part in color]


def _finish_file(path: Path, is_complete: bool) -> Path:
    """Renames a complete file from its `.partial` name; returns the path."""
    return partial(path).replace(path) if is_complete else partial(path)


def _open_partial(path: Path) -> TextIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return partial(path).open("w", newline="", encoding="utf-8", errors="surrogateescape")


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
