import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtrain.errors import ConfigError, DataError
from seqtrain.sequences.augmented_image import AugmentedImageSequence
from seqtrain.sequences.image import ImageSequence
from seqtrain.sequences.resizing import fit
from seqtrain.sources.base import Source
from seqtrain.sources.image_folder import ImageFolderSource
from seqtrain.sources.image_manifest import ImageManifestSource
from seqtrain.sources.volume_list import VolumeFiles
from seqtrain.sources.volume_slices import VolumeSlices
from tests.sequences.building import build

SAMPLES = Path(__file__).parents[2] / "data_samples"


def digits(**options) -> ImageSequence:
    arguments = {"indices": np.arange(1000), "batch_size": 64, "seed": 7, "training": True, "color": "gray"}
    arguments.update({"image_size": (64, 64)}, **options)
    return build(ImageSequence, ImageFolderSource(SAMPLES / "digits"), **arguments)


def photos(**options) -> ImageSequence:
    source = options.pop("source", None) or ImageManifestSource(SAMPLES / "photos" / "manifest.csv")
    arguments = {"indices": np.arange(len(source)), "batch_size": 8, "seed": 7, "training": False}
    arguments.update({"image_size": (64, 64)}, **options)
    return build(ImageSequence, source, **arguments)


def test_batches_are_the_files_pixels_and_class_indices() -> None:
    sequence = digits(training=False)
    x, y = sequence[3]
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((64, 64, 64, 1), np.uint8, (64,), np.int32)
    for row, index in enumerate(range(192, 256)):
        sample = sequence.source[index]
        assert np.array_equal(x[row, ..., 0], np.asarray(Image.open(sample["path"])))
        assert y[row] == int(Path(sample["path"]).parent.name)


def test_the_last_batch_is_smaller_or_left_out() -> None:
    assert len(digits()) == 16
    assert len(digits()[15][1]) == 40
    assert len(digits(drop_remainder=True)) == 15


def test_every_sample_comes_once_in_an_epoch_and_batches_repeat_exactly() -> None:
    sequence = digits(image_size=(8, 8))
    seen = np.concatenate([sequence.sample_indices(0, position) for position in range(len(sequence))])
    assert sorted(seen.tolist()) == list(range(1000))
    for first, second in zip(sequence[2], sequence[2], strict=True):
        assert np.array_equal(first, second)
    assert np.array_equal(sequence[0][1], [sequence.source[i]["label"] for i in seen[:64].tolist()])


def test_colour_batches_agree_with_pillow() -> None:
    sequence = photos(image_size=(32, 32))
    x, y = sequence[0]
    for row in range(8):
        with Image.open(sequence.source[row]["path"]) as image:
            expected = np.asarray(image.resize((32, 32), Image.Resampling.BOX)).astype(int)
        assert np.abs(x[row] - expected).mean() < 1.5
    assert y.tolist() == [0] * 8


def test_a_gray_file_in_rgb_repeats_its_channel() -> None:
    gray, colour = digits()[0][0], digits(color="rgb")[0][0]
    assert colour.shape == (64, 64, 64, 3)
    assert np.array_equal(colour, np.repeat(gray, 3, axis=-1))


@pytest.mark.parametrize("color", ["gray", "rgb"])
@pytest.mark.parametrize("image_size", [(64, 64), (20, 30)])
def test_channels_first_holds_the_same_pixels(color: str, image_size: tuple[int, int]) -> None:
    first = photos(color=color, image_size=image_size, data_format="channels_first")
    last = photos(color=color, image_size=image_size)
    assert first.data_format == "channels_first"
    assert first[1][0].shape == (8, {"gray": 1, "rgb": 3}[color], *image_size)
    assert np.array_equal(np.moveaxis(first[1][0], 1, -1), last[1][0])


def test_one_hot_labels_have_a_one_at_the_class_index() -> None:
    sequence = digits(labels="one_hot", training=False)
    y = sequence[3][1]
    assert (y.shape, y.dtype) == ((64, 10), np.float32)
    assert np.array_equal(y, np.eye(10)[sequence.source.labels[192:256]])
    assert sequence.num_classes == 10


@pytest.fixture
def numbers(tmp_path: Path) -> ImageManifestSource:
    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    (tmp_path / "manifest.csv").write_text("path,label\na.png,0.25\na.png,-3.5\n")
    return ImageManifestSource(tmp_path / "manifest.csv")


def test_numbers_to_predict_are_float32(numbers: ImageManifestSource) -> None:
    sequence = photos(source=numbers)
    assert sequence[0][1].tolist() == [0.25, -3.5]
    assert sequence[0][1].dtype == np.float32
    assert sequence.num_classes is None


def test_numbers_to_predict_cannot_be_one_hot(numbers: ImageManifestSource) -> None:
    with pytest.raises(ConfigError, match=r"labels: one_hot needs classes"):
        photos(source=numbers, labels="one_hot")


def slices() -> VolumeSlices:
    volumes = SAMPLES / "volumes"
    return VolumeSlices(VolumeFiles(volumes / "images", table=volumes / "patients.csv", label_column="diagnosis"))


@pytest.mark.parametrize("kind", [ImageSequence, AugmentedImageSequence])
@pytest.mark.parametrize("training", [False, True])
def test_slices_of_volumes_are_pictures_with_the_labels_of_their_volumes(kind, training: bool) -> None:
    pytest.importorskip("nibabel")
    source = slices()
    indices = np.arange(0, len(source), 29)
    sequence = build(kind, source, indices, batch_size=8, seed=7, training=training, image_size=(20, 22), color="gray")
    x, y = pickle.loads(pickle.dumps(sequence)).batch(0, 0)
    for row, index in enumerate(sequence.sample_indices(0, 0).tolist()):
        expected = np.empty((20, 22), np.uint8)
        fit(source.read_picture(index), expected, "stretch")
        assert np.array_equal(x[row, ..., 0], expected)
        assert y[row] == source.labels[index]


def test_slices_are_gray_in_every_channel_and_cannot_be_cached() -> None:
    pytest.importorskip("nibabel")
    sequence = photos(source=slices())
    x = sequence.batch(0, 1)[0]
    assert x.shape == (8, 64, 64, 3)
    assert np.array_equal(x[..., 0], x[..., 2])
    with pytest.raises(ConfigError, match="pictures of a VolumeSlices are no image files"):
        sequence.use_cache(object())


def test_a_source_without_image_files_is_refused() -> None:
    class Numbers(Source):
        labels = np.zeros(3)

        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> dict[str, float]:
            return {"x": 0.0}

    with pytest.raises(ConfigError, match=r"the source Numbers has no labelled pictures\n  expected a source with"):
        photos(source=Numbers())


def test_a_file_that_breaks_later_is_an_error_that_names_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("L", (9, 9)).save(tmp_path / name / "1.png")
    sequence = photos(source=ImageFolderSource(tmp_path))
    (tmp_path / "b" / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"b/1.png  the image file is empty"):
        sequence[0]


def test_a_pickled_sequence_gives_equal_batches() -> None:
    sequence = digits(image_size=(16, 16))
    copy = pickle.loads(pickle.dumps(sequence))
    assert np.array_equal(copy[4][0], sequence[4][0])


def test_importing_the_sequences_imports_neither_keras_nor_tensorflow() -> None:
    program = (
        "import sys, seqtrain.sequences, seqtrain.sources\n"
        "print(sorted({'keras', 'tensorflow', 'matplotlib'} & {name.split('.')[0] for name in sys.modules}))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
