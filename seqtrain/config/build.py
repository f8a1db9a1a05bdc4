"""Builds the components that a config names; errors name the component's `file:line:column` in the config."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seqtrain.config.load import LoadedConfig
from seqtrain.config.node import Key
from seqtrain.config.schema import ComponentConfig
from seqtrain.errors import ConfigError, SeqtrainError
from seqtrain.registry import Registry


def build_component(
    loaded: LoadedConfig,
    registry: Registry,
    component: ComponentConfig,
    path: tuple[Key, ...],
    supplied: Mapping[str, Any],
) -> Any:
    """Calls a component with the arguments of the config and those that the run supplies.

    Args:
        loaded: The config.
        registry: The registry of the component.
        component: Its name and arguments.
        path: The keys that lead to the component in the config.
        supplied: The run's values by parameter name; those that the component does not declare are left out.

    Raises:
        SeqtrainError: raised by the component; any other exception becomes a ConfigError.
    """
    with errors_at(loaded, path):
        registered = registry.get(component.name)
        try:
            return registered.build(component.arguments, supplied)
        except SeqtrainError:
            raise
        except Exception as error:
            frame = _frame_in_component(error, registered.load())
            raise ConfigError(
                f"the {registry.singular} '{component.name}' cannot be built: {type(error).__name__}: {error}",
                received=f"an exception at {Path(frame.filename)}:{frame.lineno}, in {frame.name}",
                fix="mend that line, or the arguments in the config",
            ) from error


@contextlib.contextmanager
def errors_at(loaded: LoadedConfig, path: tuple[Key, ...]) -> Iterator[None]:
    """Adds the `file:line:column` of a config value to config errors without one."""
    try:
        yield
    except ConfigError as error:
        place = loaded.place(*path)
        raise ConfigError(dataclasses.replace(m, where=m.where or place) for m in error.mistakes) from error


def _frame_in_component(error: BaseException, target: Callable[..., Any]) -> traceback.FrameSummary:
    """The innermost traceback frame in the component's own file, or else the innermost of all."""
    frames = traceback.extract_tb(error.__traceback__)
    file = inspect.getsourcefile(inspect.unwrap(target))
    return next((frame for frame in reversed(frames) if frame.filename == file), frames[-1])
