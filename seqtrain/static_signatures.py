"""Reads the signatures of classes from source code, without importing their modules.

Callbacks derive from Keras's classes, and importing those takes seconds and hundreds of megabytes. `seqtrain check` and
`list` need only the signatures, so these are parsed: names, literal defaults, annotations if there are any, and the
`Args:` of the docstring. `**kwargs` that are passed to `super().__init__` stand for the arguments of the base class,
whose signature is read too. A file takes about a millisecond; results for many files are cached (`read_once`).
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import inspect
import logging
import os
import pathlib
import pickle
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import pydantic

from seqtrain import signature, types
from seqtrain.files import atomic_write
from seqtrain.signature import REQUIRED, Parameter, Signature, argument_meanings

T = TypeVar("T")
log = logging.getLogger("seqtrain")

_ANNOTATION_NAMES = {**vars(typing), **vars(types), "Path": pathlib.Path, "Field": pydantic.Field}


@dataclass
class SourceModules:
    """Parsed modules, and their top-level definitions by name; a later definition replaces an earlier one.

    Args:
        paths: The files to read.
    """

    paths: Iterable[Path]

    def __post_init__(self) -> None:
        self.modules = [ast.parse(path.read_text(encoding="utf-8")) for path in self.paths]
        self._texts = dict(_top_level_texts(self.modules))
        self.definitions: dict[str, ast.ClassDef | ast.FunctionDef] = {
            node.name: node
            for module in self.modules
            for node in module.body
            if isinstance(node, (ast.ClassDef, ast.FunctionDef))
        }

    def signature(self, name: str) -> Signature:
        """The signature of the class or function called `name`.

        Raises:
            KeyError: when no module defines it.
        """
        node = self.definitions[name]
        docstring = self._docstring(node)
        if isinstance(node, ast.FunctionDef):
            return Signature(_parameters(node, docstring), node.args.kwarg is not None, docstring)
        parameters, takes_any_keyword = self._of_class(node)
        return Signature(parameters, takes_any_keyword, docstring)

    def _of_class(self, node: ast.ClassDef) -> tuple[dict[str, Parameter], bool]:
        initializer = next((part for part in node.body if _is_initializer(part)), None)
        base = next(self._bases(node), None)
        if not isinstance(initializer, ast.FunctionDef):
            return self._of_class(base) if base else ({}, False)
        own = dict(list(_parameters(initializer, self._docstring(node)).items())[1:])  # without self
        if initializer.args.kwarg is None:
            return own, False
        call = _super_call_with_kwargs(initializer)
        if call is None or base is None:
            return own, not _rejects_kwargs(initializer)
        inherited, takes_any_keyword = self._of_class(base)
        given = [keyword.arg for keyword in call.keywords] + list(inherited)[: len(call.args)]
        return own | {n: p for n, p in inherited.items() if n not in given and n not in own}, takes_any_keyword

    def _bases(self, node: ast.ClassDef) -> Iterator[ast.ClassDef]:
        for base in node.bases:
            name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
            definition = self.definitions.get(name)
            if isinstance(definition, ast.ClassDef):
                yield definition

    def _docstring(self, node: ast.ClassDef | ast.FunctionDef) -> str:
        text = ast.get_docstring(node, clean=False) or ""
        for name, part in self._texts.items():  # Keras writes {{base_optimizer_keyword_args}}
            text = text.replace("{{" + name + "}}", part)
        return inspect.cleandoc(text)


def module_path(module: str) -> Path:
    """The file or folder of a module, found without importing anything but its topmost package.

    Raises:
        ModuleNotFoundError: when the topmost package is not installed.
    """
    package, *rest = module.split(".")
    specification = importlib.util.find_spec(package)
    if specification is None or not specification.submodule_search_locations:
        raise ModuleNotFoundError(f"no package '{package}'", name=package)
    path = Path(specification.submodule_search_locations[0], *rest)
    return path if path.is_dir() else path.with_suffix(".py")


def read_once(sources: Sequence[Path], read: Callable[[], T]) -> T:
    """Calls `read` on source files, or loads its cached result from the user's cache folder if the files are unchanged.

    If the cache folder cannot be used, the files are read each time.

    Args:
        sources: The files. If the size or the modification time of one has changed, all are read again.
        read: Reads the files; its result is pickled.
    """
    try:
        cached = _cache_file([Path(__file__), Path(signature.__file__), *sources], read.__qualname__)
    except RuntimeError:  # the user has no home folder
        return read()
    try:
        if cached.stat().st_uid == os.getuid():  # unpickling another user's file could run code
            return cast(T, pickle.loads(cached.read_bytes()))
    except FileNotFoundError:
        pass
    except Exception as error:  # a damaged pickle may raise anything
        log.debug("%s is not used: %s", cached, error)
    result = read()
    with contextlib.suppress(OSError):
        cached.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(cached, shared=True) as file:
            file.write(pickle.dumps(result))
    return result


def _cache_file(sources: Iterable[Path], what: str) -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    facts = [(str(path), (about := path.stat()).st_size, about.st_mtime_ns) for path in sources]
    digest = hashlib.sha256(repr((what, sys.version, facts)).encode()).hexdigest()[:16]
    return Path(folder, "seqtrain", f"signatures-{digest}.pickle")


def signature_of_class(module: str, class_name: str) -> Signature:
    """The signature of a class, such as one of our callbacks, without importing it.

    Example:
        signature_of_class("seqtrain.callbacks.tqdm_progress_bar", "TQDMProgressBar").parameters["progress"]
    """
    return SourceModules([module_path(module)]).signature(class_name)


def _top_level_texts(modules: Iterable[ast.Module]) -> Iterator[tuple[str, str]]:
    for node in (node for module in modules for node in module.body):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                yield name, text


def _is_initializer(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "__init__"


def _parameters(function: ast.FunctionDef, docstring: str) -> dict[str, Parameter]:
    meanings = argument_meanings(docstring)
    arguments = function.args.posonlyargs + function.args.args
    defaults: list[ast.expr | None] = [None] * (len(arguments) - len(function.args.defaults))
    defaults += [*function.args.defaults, *function.args.kw_defaults]
    return {
        argument.arg: Parameter(
            argument.arg, _annotation(argument.annotation), _value(default), meanings.get(argument.arg, "")
        )
        for argument, default in zip(arguments + function.args.kwonlyargs, defaults, strict=True)
    }


def _value(default: ast.expr | None) -> Any:
    if default is None:
        return REQUIRED
    # Evaluates arithmetic on literals such as `2.0**15`, without access to any names.
    return eval(compile(ast.Expression(default), "<default>", "eval"), {"__builtins__": {}})


def _annotation(annotation: ast.expr | None) -> Any:
    if annotation is None:
        return Any
    return eval(compile(ast.Expression(annotation), "<annotation>", "eval"), dict(_ANNOTATION_NAMES))


def _super_call_with_kwargs(initializer: ast.FunctionDef) -> ast.Call | None:
    """The call `super().__init__(..., **kwargs)` in a constructor, or None."""
    for node in ast.walk(initializer):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
            return node if any(keyword.arg is None for keyword in node.keywords) else None
    return None


def _rejects_kwargs(initializer: ast.FunctionDef) -> bool:
    """Whether the constructor contains `if kwargs: raise ...`."""
    assert initializer.args.kwarg is not None
    return any(
        isinstance(node, ast.If)
        and ast.unparse(node.test) == initializer.args.kwarg.arg
        and isinstance(node.body[-1], ast.Raise)
        for node in ast.walk(initializer)
    )
