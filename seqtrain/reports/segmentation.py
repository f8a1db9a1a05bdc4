"""How well masks are predicted: the IoU of each class, and the images with the worst masks.

Only the counts of pixels are kept, and the few images with the lowest IoU, so memory does not grow with the number of
masks.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from seqtrain.reports.class_table import ClassTable
from seqtrain.reports.matrix_plot import draw_matrix
from seqtrain.reports.style import TRAINING, saved_figure
from seqtrain.reports.tiles import NOT_COUNTED, as_bytes, beside, class_color, gray_or_rgb, image_tile
from seqtrain.text import shortened

_NUM_WORST = 8
_IN_A_ROW = 2
_MAX_IN_MATRIX = 20

Ids = npt.NDArray[np.integer[Any]]


class SegmentationResults:
    """How predicted masks compare with true ones, added batch by batch.

    Args:
        num_classes: The number of classes.
        class_names: The names by class id. Default: the ids.
    """

    kind = "segmentation"

    def __init__(self, num_classes: int, class_names: Sequence[str] | None = None) -> None:
        self.num_classes = num_classes
        self.class_names = tuple(class_names or map(str, range(num_classes)))
        self.counts = np.zeros((num_classes, num_classes), np.int64)
        self.worst: list[tuple[float, int, str, Any, Ids, Ids]] = []
        self._numbers = itertools.count()  # makes the entries of the heap different, so that no arrays are compared
        self._masks = 0

    def add(
        self,
        truth: Ids,
        predicted: Ids,
        weights: npt.NDArray[Any] | None,
        images: npt.NDArray[Any] | None,
        names: Sequence[str],
    ) -> None:
        """Adds masks.

        Args:
            truth: The true class ids, (samples, height, width), for volumes (samples, depth, height, width).
            predicted: The predicted class ids, with the same shape.
            weights: The weights of the pixels, with the same shape; pixels with weight 0 are not counted.
            images: The images of the masks, with channels last; None if the model's input is no image.
            names: The names of the samples; a second line names the part of the file.
        """
        for row, name in enumerate(names):
            ids = truth[row].astype(np.int32)
            counted = ids < self.num_classes if weights is None else (ids < self.num_classes) & (weights[row] > 0)
            if not counted.any():
                continue
            flat = ids[counted].astype(np.int64) * self.num_classes + predicted[row][counted]
            counts = np.bincount(flat, minlength=self.counts.size).reshape(self.counts.shape)
            self.counts += counts
            self._masks += 1
            image = None if images is None else images[row]
            self._keep(_mean_iou(counts), name, image, np.where(counted, ids, NOT_COUNTED), predicted[row])

    @property
    def table(self) -> ClassTable:
        """IoU, precision, recall, F1 and the number of pixels of each class."""
        return ClassTable(self.counts, self.class_names)

    def numbers(self) -> dict[str, float | int]:
        """The key figures, over all pixels of all masks."""
        accuracy = self.table.numbers()["accuracy"]
        return {"samples": self._masks, "mean_iou": _mean_iou(self.counts), "pixel_accuracy": accuracy}

    def draw(self, folder: Path, suffix: str = "") -> list[Path]:
        """Draws the IoU of each class, the worst cases, and the confusion matrix of the pixels.

        Args:
            folder: The output folder.
            suffix: Appended to the file names if a model has several outputs.
        """
        paths = [folder / f"{name}{suffix}.png" for name in ("iou_by_class", "worst_cases", "confusion_matrix")]
        self._draw_iou(paths[0])
        self._draw_worst(paths[1])
        if 2 < self.num_classes <= _MAX_IN_MATRIX:
            draw_matrix(self.counts, self.class_names, paths[2])
            return paths
        return paths[:2]

    def _keep(self, iou: float, name: str, image: Any, truth: Ids, predicted: Ids) -> None:
        """Keeps a sample if it is one of the worst."""
        case = (-iou, next(self._numbers), name, image, truth, predicted)
        if len(self.worst) < _NUM_WORST:
            heapq.heappush(self.worst, tuple(map(_copied, case)))
        elif case[:2] > self.worst[0][:2]:
            heapq.heapreplace(self.worst, tuple(map(_copied, case)))

    def _draw_iou(self, path: Path) -> None:
        iou = self.table.iou
        order = np.argsort(np.where(np.isfinite(iou), iou, -1), kind="stable")[-40:]
        with saved_figure(path, height=1.4 + 0.36 * max(2, len(order))) as figure:
            axes = figure.add_subplot()
            values = np.nan_to_num(iou[order])
            axes.barh(range(len(order)), values, color=TRAINING, height=0.7)
            for place, (value, is_there) in enumerate(zip(values, np.isfinite(iou[order]), strict=True)):
                axes.text(value + 0.01, place, f"{value:.3f}" if is_there else "not there", va="center", fontsize=10.5)
            axes.set_yticks(range(len(order)), [shortened(self.class_names[each]) for each in order])
            axes.tick_params(axis="y", length=0)
            axes.grid(visible=False, axis="y")
            axes.set(xlim=(0, 1.12), xticks=[0, 0.25, 0.5, 0.75, 1])
            axes.set_title(f"IoU of each class, mean {_mean_iou(self.counts):.3f}")

    def _draw_worst(self, path: Path) -> None:
        worst = sorted(self.worst, key=lambda case: (-case[0], case[1]))
        num_rows = math.ceil(len(worst) / _IN_A_ROW)
        is_of_parts = any("\n" in case[2] for case in worst)
        with saved_figure(path, 6.4, 0.9 + num_rows * (2.1 if is_of_parts else 1.9)) as figure:
            all_axes = list(figure.subplots(num_rows, min(_IN_A_ROW, len(worst)), squeeze=False).flat)
            for axes in all_axes:
                axes.set_axis_off()
            for axes, (iou, _, name, image, truth, predicted) in zip(all_axes, worst, strict=False):
                axes.imshow(np.asarray(_side_by_side(image, truth, predicted)), interpolation="nearest")
                file, *part = name.split("\n")
                title = "\n".join([f"{shortened(file, 14)}   IoU {-iou:.2f}", *part])
                axes.set_title(title, fontsize=11, fontweight="normal")
            sides = "true mask above, predicted below" if worst[0][4].ndim == 3 else "true mask left, predicted right"
            figure.suptitle(f"the worst cases: {sides}", fontsize=13, fontweight="bold")
            self._add_legend(figure)

    def _add_legend(self, figure: Any) -> None:
        from matplotlib.patches import Patch

        shown = [(class_color(each), self.class_names[each]) for each in range(1, min(self.num_classes, 13))]
        handles = [Patch(color=color, label=shortened(name)) for color, name in shown]
        figure.legend(handles=handles, loc="outside lower center", ncols=4)


def _mean_iou(counts: npt.NDArray[np.int64]) -> float:
    """The mean IoU of the classes that occur in the true or the predicted masks."""
    iou = ClassTable(counts, ()).iou
    return float(iou[np.isfinite(iou)].mean())


def _copied(value: Any) -> Any:
    """A copy of an array, since the memory of a batch is reused."""
    return value.copy() if isinstance(value, np.ndarray) else value


def _side_by_side(image: Any, truth: Ids, predicted: Ids) -> Image.Image:
    """The image with the true and with the predicted mask; for volumes, one below the other."""
    has_channels = image is not None and image.ndim > truth.ndim
    pixels = np.full(truth.shape, 255, np.uint8) if image is None else as_bytes(gray_or_rgb(image, has_channels))[0]
    is_volume = truth.ndim == 3
    left, right = (
        _planes(pixels, mask, truth) if is_volume else image_tile(pixels, mask) for mask in (truth, predicted)
    )
    size = (left.width, 2 * left.height + 4) if is_volume else (2 * left.width + 4, left.height)
    both = Image.new("RGB", size, "white")
    both.paste(left, (0, 0))
    both.paste(right, (0, left.height + 4) if is_volume else (left.width + 4, 0))
    return both


def _planes(voxels: npt.NDArray[np.uint8], mask: Ids, truth: Ids) -> Image.Image:
    """The planes of a volume with the most voxels of the rarest class, side by side, upright as in contact sheets."""
    ids, counts = np.unique(truth[truth > 0], return_counts=True)
    rarest = truth == ids[counts.argmin()] if ids.size else np.ones_like(truth, bool)
    places = [int(rarest.sum(axis=others).argmax()) for others in ((1, 2), (0, 2), (0, 1))]
    cuts = [(slice(None),) * axis + (place,) for axis, place in enumerate(places)]
    return beside([image_tile(voxels[cut][::-1], mask[cut][::-1], edge=max(truth.shape)) for cut in cuts])
