from pathlib import Path

import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.errors import ConfigError, DataError
from seqtrain.loading.pipeline import open_data
from seqtrain.training.inputs import require_inputs, source_of
from seqtrain.training.other_samples import as_the_run_sees
from tests.conftest import CONFIGS, DATA


def opened(name):
    loaded = load_config(CONFIGS / name)
    return loaded, open_data(loaded)


def test_volumes_are_read_as_validation_reads_them_without_a_table_of_labels():
    loaded, data = opened("volume_classification.yaml")
    source = source_of([DATA / "volumes" / "images"], loaded, data.source)
    assert len(source) == len(list((DATA / "volumes" / "images").iterdir()))
    index = int(data.split.val[0])
    other = next(each for each in range(len(source)) if source.describe(each) == data.source.describe(index))
    seen = as_the_run_sees(loaded, data, source, np.array([other]))
    assert np.array_equal(seen[0][0][0], data.val[0][0][0])
    assert seen.class_names == data.val.class_names


def test_pictures_for_masks_need_no_masks():
    loaded, data = opened("segmentation.yaml")
    paths = [Path(data.source.describe(int(index))) for index in data.split.val[:3]]
    source = source_of(paths, loaded, data.source)
    x, _ = as_the_run_sees(loaded, data, source, np.arange(3))[0]
    assert np.array_equal(x, data.val[0][0][:3])


def test_inputs_of_another_kind_are_refused_with_what_the_run_takes(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    loaded, data = opened("digits.yaml")
    with pytest.raises(DataError, match="an image, a folder of images, or a CSV"):
        source_of([tmp_path / "notes.txt"], loaded, data.source)
    with pytest.raises(DataError, match="did you mean 'notes.txt'"):
        require_inputs([tmp_path / "note.txt"])
    loaded, data = opened("siamese_triplets.yaml")
    with pytest.raises(ConfigError, match="leave INPUT out"):
        source_of([DATA / "digits"], loaded, data.source)
    loaded, data = opened("table.yaml")
    with pytest.raises(ConfigError, match="one table at a time"):
        source_of([tmp_path, tmp_path], loaded, data.source)
