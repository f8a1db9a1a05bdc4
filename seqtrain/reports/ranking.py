"""ROC and precision-recall curves, and the areas under them.

Samples with equal scores share a threshold. Average precision is the mean of the precisions at all thresholds, weighted
by the increase of recall, without interpolation.

Source: T. Fawcett, 2006, An introduction to ROC analysis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]


def roc(positive: Flags, scores: Floats) -> tuple[Floats, Floats]:
    """False and true positive rates, from the highest threshold (nothing is positive) to the lowest.

    Args:
        positive: Whether each sample is positive, (samples,); there must be positive and negative ones.
        scores: The scores, (samples,); higher for samples that are more likely positive.
    """
    true, decided = _cumulative_counts(positive, scores)
    false = decided - true
    return np.concatenate([[0.0], false / false[-1]]), np.concatenate([[0.0], true / true[-1]])


def roc_area(false_rate: Floats, true_rate: Floats) -> float:
    """The area under a ROC curve."""
    return float(np.trapezoid(true_rate, false_rate))


def precision_recall(positive: Flags, scores: Floats) -> tuple[Floats, Floats]:
    """Recall and precision, from recall 0 to 1."""
    true, decided = _cumulative_counts(positive, scores)
    precision = true / decided
    return np.concatenate([[0.0], true / true[-1]]), np.concatenate([precision[:1], precision])


def average_precision(positive: Flags, scores: Floats) -> float:
    """The area under the steps of a precision-recall curve."""
    recall, precision = precision_recall(positive, scores)
    return float(np.sum(np.diff(recall) * precision[1:]))


def _cumulative_counts(positive: Flags, scores: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each threshold, the numbers of positive samples and of all samples at or above it."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last_of_score = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    return np.cumsum(positive[order], dtype=np.int64)[last_of_score], last_of_score + 1
