"""Decides by the name of a metric whether larger values are better, and which metric a run monitors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_LESS_IS_BETTER = re.compile(
    r"loss|error|(^|_)(mse|mae|mape|msle|rmse|kl)$|crossentropy|divergence|poisson|hinge|false_"
)


def larger_is_better(metric: str) -> bool:
    """Whether a larger value of the metric is better."""
    return _LESS_IS_BETTER.search(metric) is None


def known_monitor(monitor: str, known: tuple[str, ...]) -> str | None:
    """The name under which a monitor is logged, such as `val_accuracy` for `val_acc`; None if it is not logged."""
    return next((name for name in (monitor, monitor.replace("acc", "accuracy")) if name in known), None)


def watched_metric(stops: Iterable[Mapping[str, Any]], logged: tuple[str, ...]) -> tuple[str, str]:
    """The metric that decides which epoch is best, and its mode: those of early stopping, or else the loss.

    Args:
        stops: The arguments of each `early_stopping` in the config.
        logged: The names that an epoch logs.
    """
    for arguments in stops:
        monitor = known_monitor(str(arguments.get("monitor", "val_loss")), logged)
        if monitor is not None:
            return monitor, str(arguments.get("mode", "auto"))
    return ("val_loss" if "val_loss" in logged else "loss"), "min"
