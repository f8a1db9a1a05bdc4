"""The logs of an epoch as pieces of text; each piece has a rank that says which ones to keep on a narrow terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqtrain.callbacks.fitted_bar import Segment
from seqtrain.text import duration

_THROUGHPUT_RANK = 1.6  # after the loss and the first metric of training and validation, before the other metrics


def metric_parts(logs: Mapping[str, Any] | None, metrics_format: str, watched: str | None = None) -> list[Segment]:
    """The metrics as text: those of training before those of validation, and the loss before the others.

    Args:
        logs: The logs that Keras passes to callbacks; strings and arrays that other callbacks added are left out.
        metrics_format: The format string of one metric, with the fields `name` and `value`.
        watched: The metric that decides which epoch is best; it comes right after the loss.
    """
    first = "loss", (watched or "").removeprefix("val_")
    numbers = {name: float(value) for name, value in (logs or {}).items() if is_number(value)}
    metrics = [name for name in numbers if name not in ("samples_per_s", "data_wait")]
    bases = sorted({name.removeprefix("val_"): None for name in metrics}, key=lambda base: _order(base, metrics, first))
    sides = (("", 0), ("val_", 1))
    ranks = {f"{side}{base}": 2 * place + later for place, base in enumerate(bases) for side, later in sides}
    ordered = sorted(metrics, key=lambda name: (name == "learning_rate", name.startswith("val_"), ranks[name]))
    return [Segment(_metric(name, numbers[name], metrics_format), ranks[name] / 2) for name in ordered]


def throughput_parts(logs: Mapping[str, Any] | None, seconds: float | None = None) -> list[Segment]:
    """As text: samples per second, the share of the time that the model waited for data, and the epoch's duration."""
    logs = logs or {}
    texts = []
    if "samples_per_s" in logs:
        texts += [f"{float(logs['samples_per_s']):.0f} samples/s", f"data wait {float(logs['data_wait']):.0%}"]
    if seconds is not None:
        texts.append(duration(seconds))
    return [Segment(text, _THROUGHPUT_RANK + place / 10) for place, text in enumerate(texts)]


def is_number(value: Any) -> bool:
    """Whether a logged value is a number; callbacks may also log strings or arrays."""
    return not isinstance(value, str) and np.ndim(value) == 0


def _order(base: str, metrics: list[str], first: tuple[str, ...]) -> tuple[int, bool, int]:
    known = base if base in metrics else f"val_{base}"
    return first.index(base) if base in first else len(first), base == "learning_rate", metrics.index(known)


def _metric(name: str, value: float, metrics_format: str) -> str:
    if 0 < abs(value) < 5e-4 and metrics_format.endswith("{value:0.4f}"):
        # With four decimals, the value would be shown as 0.0000.
        return f"{metrics_format.removesuffix('{value:0.4f}').format(name=name)}{value:.1e}"
    return metrics_format.format(name=name, value=value)
