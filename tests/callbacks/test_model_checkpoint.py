import resource

import keras
import numpy as np
import pytest

from seqtrain.errors import ResourceError
from seqtrain.registry import callbacks

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")  # Keras's own


def trained(path, weights_only):
    """A model that was saved after an epoch, with the callback that saved it."""
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    arguments = {"filepath": str(path), "save_weights_only": weights_only, "monitor": "loss", "save_best_only": True}
    callback = callbacks.get("model_checkpoint").build(arguments, {})
    model.fit(np.ones((8, 4)), np.ones((8, 3)), callbacks=[callback], verbose=0)
    return model, callback


@pytest.mark.parametrize("name", ["best.weights.h5", "best.keras"])
def test_what_is_saved_is_read_by_keras(tmp_path, name):
    path = tmp_path / "models" / name
    model, _ = trained(path, name.endswith(".h5"))
    expected = model.get_weights()
    if name.endswith(".keras"):
        model = keras.saving.load_model(path)
    else:
        model.set_weights([weight + 1 for weight in expected])
        model.load_weights(path)
    assert all(np.array_equal(*pair) for pair in zip(model.get_weights(), expected, strict=True))
    assert [each.name for each in path.parent.iterdir()] == [name]


@pytest.mark.parametrize("name", ["best.weights.h5", "best.keras"])
def test_on_a_full_disk_the_former_file_stays(tmp_path, name):
    path = tmp_path / name
    _, callback = trained(path, name.endswith(".h5"))
    former = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(ResourceError, match="the model could not be saved: .*File too large") as raised:
            callback.on_epoch_end(1, {"loss": -1.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert raised.value.exit_code == 6
    assert path.read_bytes() == former
    assert list(tmp_path.iterdir()) == [path]
