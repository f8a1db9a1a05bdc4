"""What the name of a metric says: whether less is better."""

from __future__ import annotations

import re

_LESS_IS_BETTER = re.compile(
    r"loss|error|(^|_)(mse|mae|mape|msle|rmse|kl)$|crossentropy|divergence|poisson|hinge|false_"
)


def larger_is_better(metric: str) -> bool:
    """Whether an epoch with a larger value is the better one."""
    return _LESS_IS_BETTER.search(metric) is None


def known_monitor(monitor: str, known: tuple[str, ...]) -> str | None:
    """The metric that a monitor means, `val_acc` being `val_accuracy`; None where nothing logs it."""
    return next((name for name in (monitor, monitor.replace("acc", "accuracy")) if name in known), None)
