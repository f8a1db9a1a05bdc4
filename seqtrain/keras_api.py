"""Finds Keras's callbacks, optimizers, losses, metrics and schedules by name, without importing Keras.

The installed package's source is parsed (see `static_signatures`): everything under `keras/src` that is decorated with
`@keras_export("keras.losses....")` is public, and its signature gives its arguments. So a config is checked against
the installed version of Keras, in milliseconds.

Names may be written in several ways: `EarlyStopping`, `early_stopping` and `earlystopping` are the same, and Keras's
short forms (`mse`, `bce`, `acc`) are known. A class is preferred to the function of the same name, because it has
arguments; without arguments, `Offer.string` is passed to `compile` instead.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from seqtrain.signature import REQUIRED, Parameter, Signature
from seqtrain.static_signatures import SourceModules, module_path, read_once

Kind = Literal["callback", "optimizer", "loss", "metric", "schedule"]

_NAMESPACES: dict[Kind, str] = {
    "callback": "keras.callbacks",
    "optimizer": "keras.optimizers",
    "loss": "keras.losses",
    "metric": "keras.metrics",
    "schedule": "keras.optimizers.schedules",
}
_FOLDERS: dict[Kind, tuple[str, ...]] = {
    "callback": ("callbacks",),
    "optimizer": ("optimizers",),
    "loss": ("losses",),
    "metric": ("losses", "metrics"),  # metric functions are defined with the losses
    "schedule": ("optimizers/schedules",),
}
_NOT_FROM_A_CONFIG = {
    *("Callback", "Optimizer", "Loss", "Metric", "LearningRateSchedule"),  # bases
    *("CallbackList", "History", "ProgbarLogger"),  # created by `fit` itself
    *("LambdaCallback", "LearningRateScheduler", "MeanMetricWrapper"),  # take functions
    *("LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"),  # take optimizers; mixed precision adds the first
    *("Mean", "Sum"),  # of values, not of targets and predictions
    *("get", "serialize", "deserialize"),
}
_ANY_OUTPUT = {  # strings that `compile` resolves by the shape of the output
    "metric": {"accuracy": "accuracy", "acc": "accuracy", "crossentropy": "crossentropy", "ce": "crossentropy"},
    "loss": {"crossentropy": "crossentropy", "ce": "crossentropy"},
}
_SWALLOWS_KEYWORDS = {"ReduceLROnPlateau"}  # it ignores unknown arguments; we report them
_ONE_WORD = ("NaN", "IoU", "TensorBoard", "RMSprop", "AdamW")
_ANNOTATIONS = {
    "learning_rate": int | float | dict[str, Any],
    "verbose": bool | int,
    "mode": Literal["auto", "min", "max"],
    **dict.fromkeys(("filepath", "filename", "directory", "backup_dir", "log_dir"), Path),
}
_TAKES_MORE_THAN_A_NUMBER = re.compile(r"\b(lists?|tuples?|arrays?|str|strings?|vectors?)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Offer:
    """A callback, optimizer, loss, metric or schedule of Keras.

    Args:
        name: Its canonical name: `EarlyStopping`, `mean_squared_error`.
        target: "module:attribute" to import it from; empty for `accuracy` and `crossentropy`, which exist only as
            strings.
        signature: The arguments that a config may set; empty for functions, which are passed to Keras, not called.
        is_class: Whether it is a class, to be called with arguments.
        string: The string that `compile` accepts instead if there are no arguments, spelled as in the config if Keras
            accepts that spelling (it becomes the metric's name); None if Keras needs the object.
    """

    name: str
    target: str
    signature: Signature
    is_class: bool = True
    string: str | None = None


@dataclass(frozen=True)
class _Catalog:
    """All offers of a kind.

    Args:
        offers: Functions and classes by their canonical names.
        by_folded_name: The same by all accepted names, in lower case without underscores.
        strings: The strings that `compile` accepts, as spelled in Keras.
    """

    offers: Mapping[str, Offer]
    by_folded_name: Mapping[str, Offer]
    strings: frozenset[str]


def offered(kind: Kind) -> Mapping[str, Offer]:
    """All functions and classes of a kind by their canonical names."""
    return _catalog(kind).offers


def find(kind: Kind, name: str) -> Offer | None:
    """The offer called `name`, or None.

    Case and underscores are ignored, and Keras's aliases are known. `accuracy`, in any spelling, is the string for
    which Keras chooses the accuracy that fits the output.
    """
    offer = _catalog(kind).by_folded_name.get(_fold(name))
    if offer is None:
        return None
    understood = name in _catalog(kind).strings or (kind == "optimizer" and name.lower() == offer.string)
    return replace(offer, string=name) if understood else offer


def names(kind: Kind) -> list[str]:
    """The names of a kind in snake_case, for lists and suggestions."""
    return sorted({snake_case(name) for name in offered(kind)})


def spellings(kind: Kind, name: str) -> list[str]:
    """All accepted spellings of a name: `mean_squared_error`, `MeanSquaredError`, `mse`."""
    meant = find(kind, name)
    if meant is None:
        return [name]
    canonical = [offer.name for offer in offered(kind).values() if _fold(offer.name) == _fold(name)]
    folded = _catalog(kind).by_folded_name
    aliases = [alias for alias, offer in folded.items() if offer.target == meant.target and offer.target]
    any_output = [alias for alias, string in _ANY_OUTPUT.get(kind, {}).items() if string == meant.name]
    short = [alias for alias in aliases if alias not in map(_fold, canonical)]
    return sorted({name, *canonical, *short, *any_output})


def snake_case(name: str) -> str:
    """The name of a class as configs write it: `reduce_lr_on_plateau`, `tensorboard`, `iou`."""
    for word in _ONE_WORD:
        name = name.replace(word, word.capitalize())
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@functools.cache
def _catalog(kind: Kind) -> _Catalog:
    return _catalogs()[kind]


@functools.cache
def _catalogs() -> Mapping[Kind, _Catalog]:
    """The catalog of every kind, read once per version of Keras."""
    files = {kind: list(_files(kind)) for kind in _FOLDERS}
    read_again = [Path(__file__), *dict.fromkeys(path for paths in files.values() for path in paths)]
    return read_once(read_again, lambda: {kind: _read_catalog(kind, SourceModules(files[kind])) for kind in files})


def _files(kind: Kind) -> Iterator[Path]:
    for folder in _FOLDERS[kind]:
        paths = sorted((module_path("keras") / "src" / folder).glob("*.py"))
        yield from (path for path in paths if not path.stem.endswith("_test"))


def _read_catalog(kind: Kind, sources: SourceModules) -> _Catalog:
    offers = dict(sorted((offer.name, offer) for offer in _read(kind, sources)))
    for name in _ANY_OUTPUT.get(kind, {}).values():
        summary = f"Binary, categorical or sparse categorical {name}, by the shapes of targets and predictions."
        offers[name] = Offer(name, "", Signature({}, docstring=summary), is_class=False, string=name)
    return _Catalog(offers, _by_folded_name(kind, offers, sources), _strings(kind, offers, sources))


def _read(kind: Kind, sources: SourceModules) -> Iterator[Offer]:
    for attribute, node in sources.definitions.items():
        name = next((export for export in _exports(node) if export.rpartition(".")[0] == _NAMESPACES[kind]), None)
        if name is None or attribute in _NOT_FROM_A_CONFIG:
            continue
        signature = sources.signature(attribute)
        is_class = isinstance(node, ast.ClassDef)
        yield Offer(
            name=name.rpartition(".")[2],
            target=f"{_NAMESPACES[kind]}:{name.rpartition('.')[2]}",
            signature=Signature(
                {n: _inferred(p) for n, p in signature.parameters.items()} if is_class else {},
                is_class and signature.takes_any_keyword and attribute not in _SWALLOWS_KEYWORDS,
                signature.summary,
            ),
            is_class=is_class,
            string=_string(kind, attribute, sources),
        )


def _string(kind: Kind, name: str, sources: SourceModules) -> str | None:
    """The string by which `keras.<kind>s.get` finds `name`; for a class, this may be the name of the function."""
    needed = [p for p in sources.signature(name).parameters.values() if p.default is REQUIRED]
    known = set(_known_to_get(sources))
    if kind == "loss":
        functions = (n for n in sorted(known) if isinstance(sources.definitions.get(n), ast.FunctionDef))
        return next((n for n in functions if _fold(n) == _fold(name)), None)
    if name not in known or needed:
        return None
    if kind == "metric":
        return _keras_snake_case(name) if isinstance(sources.definitions[name], ast.ClassDef) else None
    return name.lower() if kind == "optimizer" else None


def _known_to_get(sources: SourceModules) -> Iterator[str]:
    """The names in the `ALL_OBJECTS` sets of Keras's source, which `keras.<kind>s.get` looks up."""
    for node in (node for module in sources.modules for node in module.body):
        match node:
            case ast.Assign(targets=[ast.Name(id="ALL_OBJECTS")], value=ast.Set(elts=members)):
                yield from (member.id for member in members if isinstance(member, ast.Name))


def _by_folded_name(kind: Kind, by_name: Mapping[str, Offer], sources: SourceModules) -> Mapping[str, Offer]:
    found = {_fold(name): offer for name, offer in by_name.items()}
    found |= {_fold(name): offer for name, offer in by_name.items() if offer.is_class}
    for name in by_name:
        for export in _exports(sources.definitions[name]) if name in sources.definitions else ():
            if export.startswith(_NAMESPACES[kind].replace("keras.", "keras._legacy.")):
                found.setdefault(_fold(export.rpartition(".")[2]), found[_fold(name)])
    for alias, name in _aliases(sources):
        if name in by_name:
            found.setdefault(_fold(alias), found[_fold(name)])
    return found | {alias: by_name[name] for alias, name in _ANY_OUTPUT.get(kind, {}).items()}


def _strings(kind: Kind, by_name: Mapping[str, Offer], sources: SourceModules) -> frozenset[str]:
    if kind not in ("loss", "metric"):
        return frozenset()
    offers = [offer for offer in by_name.values() if offer.string]
    objects = ast.ClassDef if kind == "metric" else ast.FunctionDef
    aliases = {alias for alias, name in _aliases(sources) if isinstance(sources.definitions.get(name), objects)}
    any_output = set(_ANY_OUTPUT[kind])
    return frozenset({offer.name for offer in offers} | {str(offer.string) for offer in offers} | aliases | any_output)


def _aliases(sources: SourceModules) -> Iterator[tuple[str, str]]:
    """The short names in calls such as `ALL_OBJECTS_DICT.update({"mse": MeanSquaredError})`."""
    for node in (node for module in sources.modules for node in module.body):
        match node:
            case ast.Expr(value=ast.Call(args=[ast.Dict(keys=keys, values=values)])):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(value, ast.Name):
                        yield str(key.value), value.id


def _exports(node: ast.ClassDef | ast.FunctionDef) -> list[str]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "keras_export":
            paths = ast.literal_eval(decorator.args[0])
            return [paths] if isinstance(paths, str) else list(paths)
    return []


def _inferred(parameter: Parameter) -> Parameter:
    """Adds a type to a parameter, since Keras has no annotations; the type accepts every valid value."""
    return replace(parameter, annotation=_ANNOTATIONS.get(parameter.name, _type_like(parameter)))


def _type_like(parameter: Parameter) -> Any:
    default = parameter.default
    if isinstance(default, bool):
        return bool | None
    if isinstance(default, str):
        return str | int | None  # save_freq: epoch, or 100
    if isinstance(default, (int, float)) and not _TAKES_MORE_THAN_A_NUMBER.search(parameter.meaning):
        return int | float | None
    return Any


def _fold(name: str) -> str:
    return name.replace("_", "").lower()


def _keras_snake_case(name: str) -> str:
    """Snake case as Keras makes it, such as `io_u` for `IoU`."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
