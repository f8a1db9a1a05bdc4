"""What the soak is compared with: the same model on the same pictures, by `model.fit` of arrays alone.

python -m tests.benchmarks.plain_fit CONFIG NOTES
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from seqtrain.config.load import load_config
from seqtrain.loading.pipeline import open_data
from tests.benchmarks.footprint import footprint_callback


def main(config: Path, notes: Path) -> None:
    """Trains as a config says, on the pictures of its first epoch."""
    loaded = load_config(config)
    data = open_data(loaded)
    from seqtrain.training.device import prepare_keras

    prepare_keras(loaded.config)
    from seqtrain.training.sanity_check import model_and_logs

    model, _ = model_and_logs(loaded, data)
    assert data.val is not None
    sides = [[data_side[index] for index in range(len(data_side))] for data_side in (data.train, data.val)]
    (x, y), validation = (tuple(map(np.concatenate, zip(*batches, strict=True))) for batches in sides)
    model.fit(
        x,
        y,
        batch_size=loaded.config.batch_size,
        epochs=loaded.config.fit.epochs,
        validation_data=validation,
        callbacks=[footprint_callback(notes)],
        verbose=0,
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
