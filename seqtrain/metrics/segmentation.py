"""The metrics `mean_iou` and `dice_coefficient`, for targets with a class for each pixel of an image or a volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqtrain.errors import ConfigError
from seqtrain.registry import metrics


@metrics.register("mean_iou")
def mean_iou(
    num_classes: int | None,
    class_names: Sequence[str] | None,
    include_background: bool = True,
    per_class: bool = True,
    log_as: str = "mean_iou",
) -> Any:
    """Intersection over union of the pixels of each class over the whole epoch, and the mean over the classes.

    Logs `mean_iou` and `iou_<class>`. If masks have pixels to ignore, name it under `weighted_metrics`: only there,
    Keras passes the sample weights to metrics.

    Args:
        num_classes: The number of classes of the masks; supplied by the run.
        class_names: The names of the classes of the masks; supplied by the run.
        include_background: Whether the background counts in the mean.
        per_class: Whether to log each class besides the mean.
        log_as: The name of the mean in the logs; a name other than the default is also the prefix of the class values.

    Raises:
        ConfigError: when the targets are not classes.

    Example:
        compile: {optimizer: adam, loss: dice_cross_entropy, metrics: [mean_iou]}
    """
    names = _class_names("mean_iou", num_classes, class_names)
    from seqtrain.metrics.class_overlap import ClassOverlap

    return ClassOverlap("iou", names, include_background, per_class, name=log_as)


@metrics.register("dice_coefficient")
def dice_coefficient(
    num_classes: int | None,
    class_names: Sequence[str] | None,
    include_background: bool = False,
    per_class: bool = True,
    log_as: str = "dice_coefficient",
) -> Any:
    """Dice coefficient (F1) of the pixels of each class over the whole epoch, and the mean over the classes.

    Logs `dice_coefficient` and `dice_<class>`; see `mean_iou` for pixels to ignore.

    Args:
        num_classes: The number of classes of the masks; supplied by the run.
        class_names: The names of the classes of the masks; supplied by the run.
        include_background: Whether the background counts in the mean.
        per_class: Whether to log each class besides the mean.
        log_as: The name of the mean in the logs; a name other than the default is also the prefix of the class values.

    Raises:
        ConfigError: when the targets are not classes.
    """
    names = _class_names("dice_coefficient", num_classes, class_names)
    from seqtrain.metrics.class_overlap import ClassOverlap

    return ClassOverlap("dice", names, include_background, per_class, name=log_as)


def _class_names(metric: str, num_classes: int | None, class_names: Sequence[str] | None) -> tuple[str, ...]:
    if num_classes is None or num_classes < 2:
        raise ConfigError(
            f"the metric '{metric}' needs at least two classes",
            received="targets without classes" if num_classes is None else "one class",
            fix="use it with a sequence that gives masks, such as image_mask",
        )
    return tuple(class_names) if class_names else tuple(str(number) for number in range(num_classes))
