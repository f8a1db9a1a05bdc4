"""Epochs with a prepared cache: the first decodes and keeps, the second reads what was kept."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.data import Images


@dataclass(frozen=True)
class EpochSession:
    """One of the first epochs of a run, loaded as its config says, with a cache that begins empty.

    Args:
        images: What is loaded.
        epoch: Which is timed, 0 or 1.
    """

    images: Images
    epoch: int

    def speed(self) -> float:
        """Samples a second."""
        from seqtrain.config.load import load_config
        from seqtrain.loading.pipeline import open_data

        with tempfile.TemporaryDirectory(dir=self.images.folder.parent) as folder:
            config = Path(folder) / "cached.yaml"
            config.write_text(json.dumps(self._config(folder)))  # JSON is YAML
            data = open_data(load_config(config))
            with data.training_stream(end=(self.epoch + 1) * len(data.train)) as stream:
                stream.reuse_memory()
                for _ in range(self.epoch * len(data.train)):
                    stream.take()
                began = time.perf_counter()
                samples = sum(len(stream.take().batch[0]) for _ in range(len(data.train)))
                return samples / (time.perf_counter() - began)

    def sample(self) -> np.ndarray:
        """None is compared: that a cache gives what was decoded is for the tests."""
        return np.zeros(0)

    def _config(self, folder: str) -> dict[str, object]:
        return {
            "source": {"name": "image_folder", "path": str(self.images.folder)},
            "split": {"train": 1.0, "val": 0},
            "sequence": {"name": "image", "image_size": list(self.images.image_size)},
            "cache": {"path": folder, "after": "decode"},
            "batch_size": self.images.batch_size,
            "model": {"name": "cnn"},
            "fit": {"workers": self.images.workers},
        }
