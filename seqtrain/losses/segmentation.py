"""The losses `dice_cross_entropy` and `dice`, for targets with a class for each pixel of an image or a volume."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from seqtrain.errors import ConfigError
from seqtrain.registry import losses

TermWeight = Annotated[float, Field(gt=0)]


@losses.register("dice_cross_entropy")
def dice_cross_entropy(
    num_classes: int | None,
    cross_entropy_weight: TermWeight = 1.0,
    dice_weight: TermWeight = 1.0,
    include_background: bool = False,
) -> Any:
    """Cross-entropy of each pixel plus 1 - Dice of each class: the loss to start with for masks.

    Sample weights, one for each pixel or each image, apply to both terms.

    Args:
        num_classes: The number of classes of the masks; supplied by the run.
        cross_entropy_weight: The weight of the cross-entropy in the sum.
        dice_weight: The weight of 1 - Dice in the sum.
        include_background: Whether the background counts in Dice.

    Raises:
        ConfigError: when the targets are not classes.

    Example:
        compile: {optimizer: adam, loss: dice_cross_entropy, metrics: [mean_iou]}
    """
    _check_classes("dice_cross_entropy", num_classes)
    from seqtrain.losses.dice_cross_entropy import DiceCrossEntropy

    return DiceCrossEntropy(cross_entropy_weight, dice_weight, include_background)


@losses.register("dice")
def dice(num_classes: int | None, include_background: bool = False) -> Any:
    """1 - Dice over the pixels of a batch, averaged over the classes.

    Args:
        num_classes: The number of classes of the masks; supplied by the run.
        include_background: Whether the background counts.

    Raises:
        ConfigError: when the targets are not classes.
    """
    _check_classes("dice", num_classes)
    from seqtrain.losses.dice_cross_entropy import DiceCrossEntropy

    return DiceCrossEntropy(0.0, 1.0, include_background, name="dice")


def _check_classes(loss: str, num_classes: int | None) -> None:
    if num_classes is None or num_classes < 2:
        raise ConfigError(
            f"the loss '{loss}' needs at least two classes",
            received="targets without classes" if num_classes is None else "one class",
            fix="use it with a sequence that gives masks, such as image_mask",
        )
