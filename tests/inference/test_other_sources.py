import logging
from pathlib import Path

import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.errors import ConfigError, DataError
from seqtrain.inference.other_sources import open_other_source, require_inputs, sequence_like_run, source_of_inputs
from seqtrain.loading.pipeline import open_data
from seqtrain.sources.file_listing import MaskNames
from tests.conftest import CONFIGS, DATA


def opened(name):
    loaded = load_config(CONFIGS / name)
    return loaded, open_data(loaded)


def test_volumes_are_read_as_validation_reads_them_without_a_table_of_labels():
    loaded, data = opened("volume_classification.yaml")
    source = source_of_inputs([DATA / "volumes" / "images"], loaded, data.source)
    assert len(source) == len(list((DATA / "volumes" / "images").iterdir()))
    index = int(data.split.val[0])
    other = next(each for each in range(len(source)) if source.describe(each) == data.source.describe(index))
    seen = sequence_like_run(data, source, np.array([other]))
    assert np.array_equal(seen[0][0][0], data.val[0][0][0])
    assert seen.class_names == data.val.class_names


def test_pictures_for_masks_need_no_masks():
    loaded, data = opened("segmentation.yaml")
    paths = [Path(data.source.describe(int(index))) for index in data.split.val[:3]]
    source = source_of_inputs(paths, loaded, data.source)
    x, _ = sequence_like_run(data, source, np.arange(3))[0]
    assert np.array_equal(x, data.val[0][0][:3])


def test_masks_in_a_folder_of_inputs_are_told_by_their_names_and_left_out(tmp_path, caplog):
    caplog.set_level(logging.INFO, "seqtrain")
    for config, folder in (
        ("mask_folders.yaml", "cells"),
        ("segmentation.yaml", "shapes"),
        ("volume_patches.yaml", "volumes"),
    ):
        loaded, data = opened(config)
        source = source_of_inputs([DATA / folder], loaded, data.source)
        named = sorted(source.describe(index) for index in range(len(source)))
        assert named == sorted(data.source.describe(index) for index in range(len(data.source)))
        assert f"{DATA / folder}: left out, as masks by their names" in caplog.messages[-1]
    names = MaskNames("", "_mask")
    assert names.images_of(tmp_path, ["a.png", "a_mask.png", "masks/b.png"]) == ["a.png", "masks/b.png"]
    assert names.images_of(tmp_path, ["a_mask.png"]) == ["a_mask.png"]
    assert names.images_of(tmp_path, ["images/a.png", "masks/a_mask.png", "face_mask.png"]) == [
        "images/a.png",
        "face_mask.png",
    ]


def test_patches_and_slices_come_of_the_files_that_are_named():
    scans = [DATA / "volumes" / "images" / name for name in ("scan_03.nii.gz", "scan_00.nii")]
    for name in ("volume_patches.yaml", "volume_slices.yaml"):
        loaded, data = opened(name)
        source = source_of_inputs(scans, loaded, data.source)
        sequence = sequence_like_run(data, source, np.arange(len(source)))
        volumes = getattr(source, "volumes", source)
        assert [volumes.describe(number) for number in (0, 1)] == list(map(str, scans))
        own = getattr(data.source, "volumes", data.source)
        assert np.array_equal(volumes.read(0), own.read(own.files[0].index(str(scans[0]))))
        x, y = sequence[0]
        assert len(x) == loaded.config.batch_size
        assert not y.any()


def test_a_series_is_forecast_to_beyond_its_end_and_needs_no_more_than_its_columns(tmp_path):
    rows = (DATA / "power" / "mill.csv").read_text().splitlines()
    loaded, data = opened("series.yaml")
    window, horizon = data.source.window, data.source.horizon
    (tmp_path / "past.csv").write_text("\n".join([rows[0], *rows[-window - 5 :]]) + "\n")
    source = source_of_inputs([tmp_path / "past.csv"], loaded, data.source)
    assert source.describe(len(source) - 1) == f"{tmp_path}/past.csv:{window + 6}"  # its last line
    begins = f"mill.csv:{len(rows) - window - horizon + 1}"
    last = next(index for index in range(len(data.source)) if data.source.describe(index).endswith(begins))
    earlier = tmp_path / "earlier.csv"
    earlier.write_text("\n".join([rows[0], *rows[-window - horizon : -horizon]]) + "\n")
    source = source_of_inputs([earlier], loaded, data.source)
    assert len(source) == 1
    x, y = sequence_like_run(data, source, np.arange(1))[0]
    assert np.array_equal(x[0], sequence_like_run(data, data.source, np.array([last]))[0][0][0])
    assert y.shape == (1, horizon, len(data.source.targets))
    earlier.write_text("\n".join(rows[:window]) + "\n")
    (tmp_path / "none.csv").write_text(rows[0] + "\n" + rows[1] + "\n")
    with pytest.raises(DataError, match=f"too short to be forecast: a window is {window} rows") as told:
        source_of_inputs([tmp_path / "past.csv", earlier, tmp_path / "none.csv"], loaded, data.source)
    assert [Path(mistake.where).name for mistake in told.value.mistakes] == ["earlier.csv", "none.csv"]


def test_ratings_are_asked_for_by_the_ids_that_the_run_knows(tmp_path):
    loaded, data = opened("ratings.yaml")
    own = data.source
    chosen = [7, 4000, 12]
    pairs = [(own.user_ids[own.users[row]], own.item_ids[own.items[row]]) for row in chosen]
    table = tmp_path / "asked.csv"
    table.write_text("".join(f"{user},{item}\n" for user, item in [("userId", "movieId"), *pairs]))
    source = source_of_inputs([table], loaded, own)
    x, _ = sequence_like_run(data, source, np.arange(3))[0]
    assert x["user"].tolist() == own.users[chosen].tolist()
    assert x["item"].tolist() == own.items[chosen].tolist()
    table.write_text(f"userId,movieId\n{pairs[0][0]},{pairs[0][1]}\n{pairs[0][0]},987654321\n")
    source = source_of_inputs([table], loaded, own)
    with pytest.raises(DataError, match="does not know the item") as told:
        sequence_like_run(data, source, np.arange(2))[0]
    assert f"{table}:3" in str(told.value)


def test_ratings_of_another_table_are_counted_by_the_ids_of_the_run(tmp_path):
    loaded, data = opened("ratings.yaml")
    rows = (DATA / "ratings" / "ratings.csv").read_text().splitlines()
    (tmp_path / "some.csv").write_text("\n".join([rows[0], *rows[500:520]]) + "\n")
    named = load_config(CONFIGS / "ratings.yaml", [f"source.path={tmp_path}/some.csv"])
    source = open_other_source(named, data, "-s source.path")
    assert source.users.tolist() == data.source.users[499:519].tolist()
    assert source.items.tolist() == data.source.items[499:519].tolist()
    assert (source.num_users, source.num_items) == (data.source.num_users, data.source.num_items)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("labels", [True, False])
def test_pixels_are_read_with_and_without_labels(tmp_path, header, labels):
    loaded, data = opened("csv_pixels.yaml")
    rows = (DATA / "csv_pixels" / "digits.csv").read_text().splitlines()
    rows = rows[:4] if header else rows[1:4]
    (tmp_path / "some.csv").write_text("".join(f"{row if labels else row.split(',', 1)[1]}\n" for row in rows))
    source = source_of_inputs([tmp_path / "some.csv"], loaded, data.source)
    assert (len(source), source.describe(0)) == (3, f"{tmp_path}/some.csv:{1 + header}")
    wanted, found = (np.empty((3, *data.source.fields["x"].shape), np.uint8) for _ in range(2))
    data.source.read_rows(np.arange(3), {"x": wanted})
    source.read_rows(np.arange(3), {"x": found})
    assert np.array_equal(found, wanted)
    assert len(data.source) > 3  # the run's own is as it was
    (tmp_path / "some.csv").write_text("1,2,3\n")
    with pytest.raises(DataError, match="the row has 3 columns"):
        source_of_inputs([tmp_path / "some.csv"], loaded, data.source)


def test_data_sets_of_hdf5_are_rows_like_those_of_arrays():
    loaded, data = opened("hdf5.yaml")
    source = source_of_inputs([DATA / "hdf5" / "digits.h5"], loaded, data.source)
    assert len(source) == len(data.source)
    seen = sequence_like_run(data, source, data.split.val[:4])
    assert np.array_equal(seen[0][0][:4], data.val[0][0][:4])


@pytest.mark.parametrize("name", ["pair_manifest.yaml", "siamese_pairs.yaml"])
def test_pairs_are_those_of_a_table_without_labels(tmp_path, name):
    loaded, data = opened(name)
    pictures = [str(DATA / "glyphs" / f"character_0{number}" / "0.png") for number in (0, 1, 2)]
    table = tmp_path / "pairs.csv"
    table.write_text(f"path_a,path_b\n{pictures[0]},{pictures[1]}\n{pictures[1]},{pictures[2]}\n")
    source = source_of_inputs([table], loaded, data.source)
    x, _ = sequence_like_run(data, source, np.arange(2))[0]
    assert np.array_equal(x["b"][0], x["a"][1])
    assert not np.array_equal(x["a"][0], x["b"][0])
    assert source.describe(1) == f"{table}:3"


def test_a_folder_is_no_table_of_pairs(tmp_path):
    loaded, data = opened("pair_manifest.yaml")
    with pytest.raises(DataError, match="the file cannot be read: Is a directory(.|\n)*expected a CSV file"):
        source_of_inputs([tmp_path], loaded, data.source)


def test_inputs_of_another_kind_are_refused_with_what_the_run_takes(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    loaded, data = opened("digits.yaml")
    with pytest.raises(DataError, match="an image, a folder of images, or a CSV"):
        source_of_inputs([tmp_path / "notes.txt"], loaded, data.source)
    with pytest.raises(DataError, match="did you mean 'notes.txt'"):
        require_inputs([tmp_path / "note.txt"])
    loaded, data = opened("volume_patches.yaml")
    (tmp_path / "scan.mgz").write_bytes(b"nothing")
    with pytest.raises(DataError, match="is no volume that can be read"):
        source_of_inputs([tmp_path / "scan.mgz"], loaded, data.source)
    loaded, data = opened("siamese_triplets.yaml")
    with pytest.raises(ConfigError, match="leave INPUT out"):
        source_of_inputs([DATA / "digits"], loaded, data.source)
    loaded, data = opened("table.yaml")
    with pytest.raises(ConfigError, match="one table at a time"):
        source_of_inputs([tmp_path, tmp_path], loaded, data.source)
