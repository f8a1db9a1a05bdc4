from pathlib import Path

import numpy as np
import pytest

from seqtrain.config.load import load_config
from seqtrain.errors import ConfigError
from seqtrain.inference.inspected_run import open_inspection
from seqtrain.inference.trained_run import TrainedRun
from seqtrain.training.options import FitOptions
from seqtrain.training.session import fit

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
def test_the_batches_of_fit_are_predicted_with_the_best_weights_of_a_run(tmp_path):
    loaded = load_config(CONFIGS / "digits.yaml", ["fit.epochs=1", "sequence.image_size=[16, 16]", "callbacks=[]"])
    run = tmp_path / "run"
    fit(loaded, FitOptions(run, "auto", "none", [], None))
    look = open_inspection(loaded, "val", 0, tmp_path / "out", "augmented", run)
    shown = next(look.batches(1))
    assert look.about[-1] == f"predicted by {run} with the best weights (epoch 1)"
    expected = TrainedRun(run).model.predict(shown.fields[0].array, verbose=0)
    document = shown.to_json()["predictions"]["y"]
    assert document["predicted"] == expected.argmax(axis=1).tolist()
    np.testing.assert_allclose(document["probability"], expected.max(axis=1), atol=1e-5)
    other = load_config(CONFIGS / "digits.yaml", ["sequence.image_size=[24, 24]"])
    with pytest.raises(ConfigError, match=r"other inputs or other classes(.|\n)*\(16, 16, 1\)(.|\n)*\(24, 24, 1\)"):
        open_inspection(other, "val", 0, tmp_path / "out", "augmented", run)
