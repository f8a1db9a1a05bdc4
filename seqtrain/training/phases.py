"""The phases of a run: one, or with `fine_tune:` a second, in which more of the model is trained.

Each is a `fit` of its own, with a model, an optimizer and callbacks of its own; what goes from one to the next are the
weights, the seeds, the history and what callbacks know. So nothing has to be changed under a running `fit`, which no
backend of Keras allows.
"""

from __future__ import annotations

import dataclasses

from seqtrain.config.load import LoadedConfig
from seqtrain.config.schema import ComponentConfig, RunConfig


def phases_of(loaded: LoadedConfig) -> list[LoadedConfig]:
    """The config of each phase: what is trained, how, and up to which epoch."""
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
