"""The phases of a run: one, or with `fine_tune` two, the second of which trains more layers of the model.

Each phase calls `fit` with a new model, optimizer and callbacks. The weights, the seeds, the history and the state of
the callbacks are passed on to the next phase. So nothing is changed during a running `fit`, which no backend of Keras
allows.
"""

from __future__ import annotations

import dataclasses

from seqtrain.config.load import LoadedConfig
from seqtrain.config.schema import ComponentConfig, RunConfig


def phases_of(loaded: LoadedConfig) -> list[LoadedConfig]:
    """The config of each phase, with its trainable layers, learning rate and last epoch."""
    config = loaded.config
    later = config.fine_tune
    if later is None:
        return [loaded]
    until = min(later.after, config.fit.epochs)
    first = config.model_copy(update={"fit": config.fit.model_copy(update={"epochs": until})})
    changes: dict[str, object] = {"model": _with(config.model, trainable=later.trainable)}
    if config.compile is not None:
        optimizer = _with(config.compile.optimizer, learning_rate=later.learning_rate)
        changes["compile"] = config.compile.model_copy(update={"optimizer": optimizer})
    return [_of(loaded, first), _of(loaded, config.model_copy(update=changes))]


def _with(component: ComponentConfig, **arguments: object) -> ComponentConfig:
    return component.model_copy(update={"arguments": {**component.arguments, **arguments}})


def _of(loaded: LoadedConfig, config: RunConfig) -> LoadedConfig:
    return dataclasses.replace(loaded, config=config)
