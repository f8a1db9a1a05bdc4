"""Fixtures that the tests of resuming share."""

import pytest

from seqtrain.registry import callbacks
from tests.training.resuming import moments, run


@pytest.fixture
def nothing_left():
    """Nothing of one test is left for the next, and nothing is drawn, which takes longer than to train."""
    import keras

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("seqtrain.training.run.draw_final_plots", lambda *arguments: None)
        yield
    keras.utils.clear_session()
    if "survivors_breaks_off" in callbacks:
        moments().clear()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Runs that nothing interrupted, by sequence."""
    runs = {}

    def get(sequence="survivors_plain"):
        if sequence not in runs:
            folder = tmp_path_factory.mktemp(sequence)
            runs[sequence] = folder, run(folder, sequence=sequence).result
        return runs[sequence]

    return get
