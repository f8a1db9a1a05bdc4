"""Sequences built as a run builds them: from the run's own values and the flat arguments of a config."""

from typing import Any

from seqtrain.registry import Registry


def build(kind: Any, source: Any, indices: Any, batch_size: int, seed: int, training: bool, **arguments: Any) -> Any:
    """A sequence of a class, registered or not.

    Args:
        kind: The class.
        source: Of the samples.
        indices: Of the samples of this side.
        batch_size: Samples in a batch.
        seed: Of the run.
        training: Which side this is.
        **arguments: As they stand in a config; `training_indices` too, for a class that fits something.
    """
    supplied = {"source": source, "indices": indices, "batch_size": batch_size, "seed": seed, "training": training}
    registry = Registry("sequences", frozenset(supplied))
    registry.register("built")(kind)
    return registry.get("built").build(arguments, supplied)
