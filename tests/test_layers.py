"""Imports go downward only, and what need not load Keras does not."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "seqtrain"
LAYERS = [
    {
        "errors",
        "files",
        "global_random",
        "randomness",
        "structure",
        "types",
        "console",
        "user_files",
        "metric_names",
        "text",
        "extras",
    },
    {"registry", "signature", "static_signatures", "keras_api", "keras_private"},
    {"config"},
    {"sources", "splits"},
    {"sequences", "models", "losses", "metrics", "callbacks"},
    {"loading"},
    {"reports", "init"},
    {"training", "inference"},
    {"doctor"},
    {"cli", "__main__"},
]
LIGHT = [
    "config",
    "registry",
    "sources",
    "sequences",
    "loading.stream",
    "loading.pipeline",
    "loading.worker_process",
    "splits",
    "cli",
    "doctor.examination",
    "reports",
    "inference",
]


def rooms_imported_by(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module == "seqtrain":
            names = [f"seqtrain.{alias.name}" for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("seqtrain."))


def level(room):
    return next(number for number, layer in enumerate(LAYERS) if room in layer)


def test_every_room_has_a_layer():
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert rooms - {"__init__"} == set().union(*LAYERS)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downward_only(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room == "__init__":
        return
    for imported in rooms_imported_by(path):
        is_own = imported == room
        assert is_own or imported == "__version__" or level(imported) <= level(room), f"{room} imports {imported}"


def test_what_need_not_train_imports_neither_keras_nor_tensorflow():
    code = (
        "import importlib, json, sys\n"
        "heavy, loaded = {'keras', 'tensorflow', 'jax', 'matplotlib', 'pyarrow'}, {}\n"
        f"for module in {LIGHT}:\n"
        "    importlib.import_module(f'seqtrain.{module}')\n"
        "    loaded[module] = sorted(heavy & {*sys.modules})\n"
        "print(json.dumps(loaded))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {module: [] for module in LIGHT}
