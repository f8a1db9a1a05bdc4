"""`seqtrain profile`: measures whether loading or computing is the bottleneck, with the real loader and model.

Loading is measured alone with several numbers of workers; the model is trained alone on one repeated batch; a short
`fit` measures both together. The time per sample is broken down by profiling one thread.
"""

from __future__ import annotations

import cProfile
import dataclasses
import gc
import pstats
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqtrain import console
from seqtrain.config.load import LoadedConfig
from seqtrain.loading.pipeline import Data, open_data
from seqtrain.loading.tuning import Speed, choose, doubling, measure, num_cores

_SECONDS = 1.5
_MAX_STAGES = 6
_SLOW_LOADING = 0.2
_BUILT_IN = {  # the stages of built-in functions
    "read": ("read", "pread", "open", "stat", "fstat", "close"),
    "decode": ("decode_jpeg", "decode_jpeg_header", "decode", "tobytes", "setimage"),
    "resize": ("resize",),
    "augment": ("warpAffine", "flip", "convertScaleAbs", "LUT"),
}
_FILES = {  # the stages of files of this package and of Pillow
    "read": ("orientation", "cache", "packed_paths", "pathlib"),
    "decode": ("decoding", "Image", "ImageFile", "PngImagePlugin", "JpegImagePlugin", "digits_text"),
    "resize": ("resizing",),
    "augment": ("geometry", "augmented_image", "randomness", "bit_generator"),
    "collate": ("base", "structure", "image"),
}


def profile(loaded: LoadedConfig, counts: Sequence[int], data_only: bool) -> dict[str, Any]:
    """Profiles a config.

    Args:
        loaded: The config.
        counts: The numbers of workers to try. Default: 1, 2, 4 and so on, up to the number of cores.
        data_only: Measure only loading, without Keras.

    Returns:
        The document that `profile --json` prints.
    """
    data = open_data(loaded)
    with console.status("measuring the data alone"):
        speeds, stages_of_sample = _speeds(loaded, data, counts), stages(data)
    best = max(speeds, key=lambda speed: speed.samples_per_s)
    configured = next((s for s in speeds if s.workers.count == data.workers.count), best)
    document: dict[str, Any] = {
        "data": configured.to_json(),
        "table": [speed.to_json() for speed in speeds],
        "stages": stages_of_sample,
    }
    if data_only:
        return document
    with console.hidden_native_stderr():
        document |= _with_model(loaded, data)
    return {**document, **verdict(document, best)}


def verdict(document: dict[str, Any], best: Speed) -> dict[str, str]:
    """The bottleneck, and one line of advice.

    Args:
        document: The measured speeds of `data`, `model` and `fit`.
        best: The speed with the fastest workers.
    """
    model, data = document["model"]["samples_per_s"], document["data"]["samples_per_s"]
    if data >= model and document["fit"]["data_wait"] <= _SLOW_LOADING:
        return {
            "verdict": "compute-bound",
            "advice": "the data are fast enough; a larger batch_size, fit.mixed_precision or compile.jit_compile may "
            "speed up the model",
        }
    if best.samples_per_s > 1.1 * data:
        switch = " -s fit.use_multiprocessing=true" if best.workers.processes else ""
        return {"verdict": "input-bound", "advice": f"-s fit.workers={best.workers.count}{switch}"}
    slowest = max(document["stages"], key=lambda stage: stage["share"])["stage"] if document["stages"] else "read"
    return {
        "verdict": "input-bound",
        "advice": f"more workers do not help on {num_cores()} cores; {slowest} takes most of a sample's time: "
        "smaller images, a faster disk, or more cores",
    }


def stages(data: Data) -> list[dict[str, Any]]:
    """The share of each stage in the time per sample, largest first; for the user's own code, that of each function."""
    sequence = data.train
    profiler = cProfile.Profile()
    deadline = time.perf_counter() + _SECONDS
    for index in range(len(sequence)):
        profiler.runcall(sequence.batch, 0, index)
        if time.perf_counter() > deadline:
            break
    shares: dict[str, float] = {}
    for (file, line, name), (_, _, own, _, _) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        label = _stage(file, line, name)
        shares[label] = shares.get(label, 0.0) + own
    total = sum(shares.values()) or 1.0
    largest = sorted(shares.items(), key=lambda item: -item[1])[:_MAX_STAGES]
    return [{"stage": label, "share": round(seconds / total, 4)} for label, seconds in largest]


def _speeds(loaded: LoadedConfig, data: Data, counts: Sequence[int]) -> list[Speed]:
    like = dataclasses.replace(data.workers, count=1)
    if loaded.config.fit.workers == "auto":
        return choose(data.train, like, lambda _: None)[1]
    return [
        measure(data.train, dataclasses.replace(like, count=count), _SECONDS)
        for count in counts or doubling(num_cores())
    ]


def _stage(file: str, line: int, name: str) -> str:
    path = Path(file)
    if file == "~" or file.startswith("<"):
        bare = name.rstrip(">").replace("'", " ").replace(".", " ").split()
        return next((stage for stage, names in _BUILT_IN.items() if any(name in bare for name in names)), "collate")
    if {"seqtrain", "PIL", "numpy"} & set(path.parts) or path.is_relative_to(sysconfig.get_path("stdlib")):
        return next((stage for stage, stems in _FILES.items() if path.stem in stems), "collate")
    return f"{path.name}:{line} {name}"


def _with_model(loaded: LoadedConfig, data: Data) -> dict[str, Any]:
    from seqtrain.training.device import prepare_keras

    prepare_keras(loaded.config)  # before anything else imports Keras
    from seqtrain.loading.keras_dataset import TrainingDataset
    from seqtrain.training.model import build_model
    from seqtrain.training.stopwatch import SameBatch, timed_fit

    with data.training_stream() as stream:
        batch = stream.take(0).batch
        model = build_model(loaded, data, batch)
    with console.status("measuring the model alone"):
        alone = timed_fit(model, SameBatch(batch), _SECONDS)
    with console.status("measuring both"), data.training_stream() as stream:
        both = timed_fit(model, TrainingDataset(stream), 2 * _SECONDS)
    del model
    gc.collect()  # TensorFlow warns about iterators that still exist when the interpreter exits
    return {
        "model": {"samples_per_s": round(alone["samples_per_s"], 1)},
        "fit": {"samples_per_s": round(both["samples_per_s"], 1), "data_wait": both["data_wait"]},
    }


def profile_text(document: dict[str, Any]) -> str:
    """The document as text."""
    lines = ["data alone"]
    for speed in document["table"]:
        kind = "processes" if speed["use_multiprocessing"] else "threads"
        start = f"first batch after {speed['first_batch_s']:.2f} s"
        lines.append(f"  {speed['workers']:3} {kind:9}  {speed['samples_per_s']:>10,.0f} samples/s  {start}")
    lines.append("a sample's time in one thread")
    lines += [f"  {stage['share']:6.1%}  {stage['stage']}" for stage in document["stages"]]
    if "model" in document:
        fit = document["fit"]
        lines += [
            f"model alone      {document['model']['samples_per_s']:>10,.0f} samples/s",
            f"both, in fit     {fit['samples_per_s']:>10,.0f} samples/s  "
            f"the model waits for data {fit['data_wait']:.0%} of the time",
            f"verdict: {document['verdict']}",
            f"advice:  {document['advice']}",
        ]
    return "\n".join(lines)
