import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtrain.errors import ConfigError, DataError
from seqtrain.sequences.augmented_image import AugmentedImageSequence
from seqtrain.sequences.image_mask import ImageMaskSequence
from seqtrain.sources.base import Source
from seqtrain.sources.image_folder import ImageFolderSource
from seqtrain.sources.image_mask import ImageMaskSource
from seqtrain.sources.user_source import as_source
from tests.sequences.building import build

GEOMETRY = {
    "horizontal_flip": 0.5,
    "vertical_flip": 0.5,
    "rotation": 30.0,
    "shift": 0.1,
    "zoom": 0.2,
    "random_crop": 0.8,
}
NAMES = [str(number) for number in range(200)]


def shapes(number: int, size: tuple[int, int]) -> np.ndarray:
    """A disc of ones on zeros, with a corner cut off so that no flip or turn leaves it alike."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    disc = np.hypot(rows - size[0] / 2, columns - size[1] / 2 + number % 5) < min(size) / 3
    return (disc & (rows + columns > size[0] * 0.7)).astype(np.uint8)


def source(folder: Path, pictures: list[np.ndarray], masks: list[np.ndarray], **arguments) -> ImageMaskSource:
    for name, group in (("images", pictures), ("masks", masks)):
        (folder / name).mkdir(exist_ok=True)
        for number, pixels in enumerate(group):
            Image.fromarray(pixels).save(folder / name / f"{number:03}.png")
    return ImageMaskSource(folder / "images", folder / "masks", **{"classes": ["background", "thing"], **arguments})


def sequence(masks, **options) -> ImageMaskSequence:
    arguments = {"batch_size": 8, "seed": 7, "training": True, "image_size": (32, 32), "color": "gray", **options}
    return build(ImageMaskSequence, masks, np.arange(len(masks)), **arguments)


@pytest.fixture
def like(tmp_path):
    """Images whose pixels are their masks' ids, times 200."""
    ids = [shapes(number, (40, 40)) for number in range(8)]
    return source(tmp_path, [mask * np.uint8(200) for mask in ids], ids)


@pytest.fixture
def equal(tmp_path):
    """Images whose pixels equal their masks' ids, each pixel another."""
    ids = np.random.default_rng(0).integers(0, 200, (8, 32, 32), dtype=np.uint8)
    return source(tmp_path, list(ids), list(ids), classes=NAMES)


@pytest.mark.parametrize("option", [{}, {"horizontal_flip": 1.0}, {"vertical_flip": 0.5}])
@pytest.mark.parametrize("training", [True, False])
def test_where_no_pixel_is_interpolated_image_and_mask_stay_equal(equal, option, training) -> None:
    made = sequence(equal, training=training, **option)
    for epoch in range(3):
        x, y = made.batch(epoch, 0)
        assert np.array_equal(x[..., 0], y)


def test_a_random_window_is_the_same_of_image_and_mask(equal) -> None:
    made = sequence(equal, image_size=(16, 16), random_crop=0.5)  # of 32 x 32 pixels, as they are stored
    for epoch in range(3):
        x, y = made.batch(epoch, 0)
        assert np.array_equal(x[..., 0], y)


def test_flips_happen_in_training_alone_and_keep_pixels(equal) -> None:
    plain, flipped = sequence(equal)[0], sequence(equal, horizontal_flip=1.0)[0]
    assert np.array_equal(np.flip(plain[1], 2), flipped[1])
    assert np.array_equal(np.flip(plain[0], 2), flipped[0])
    unchanged = sequence(equal, training=False, horizontal_flip=1.0)[0]
    assert np.array_equal(unchanged[1][0], np.asarray(equal.read_mask(0)))


@pytest.mark.parametrize("option", [*({name: value} for name, value in GEOMETRY.items()), GEOMETRY], ids=str)
@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_under_every_transform_a_pixel_that_is_all_of_one_class_has_its_id(like, option, resize) -> None:
    made = sequence(like, image_size=(32, 40), resize=resize, **option)
    for epoch in range(4):
        x, y = made.batch(epoch, 0)
        assert (y[x[..., 0] == 200] == 1).all()
        assert (y[x[..., 0] == 0] == 0).all()
        assert np.isin(x, (0, 200)).mean() > 0.75  # so few lie on an edge
        assert 0.01 < y.mean() < 0.6
        assert set(np.unique(y)) == {0, 1}


def test_masks_change_with_the_epoch_in_training_and_never_in_validation(like) -> None:
    training = sequence(like, batch_size=1, **GEOMETRY)
    order = [int(training.sample_indices(epoch, 0)[0]) for epoch in (0, 1)]
    again = {training.sample_indices(1, position)[0]: position for position in range(8)}[order[0]]
    assert not np.array_equal(training.batch(0, 0)[1], training.batch(1, again)[1])
    validation = sequence(like, training=False, **GEOMETRY)
    assert np.array_equal(validation.batch(0, 0)[1], validation.batch(4, 0)[1])


def test_batches_are_the_same_however_they_are_made(like) -> None:
    made = sequence(like, **GEOMETRY)
    copy = pickle.loads(pickle.dumps(made))
    whole = made.batch(2, 0)
    rows = made.allocate(8)
    order = made.sample_indices(2, 0)
    for part in (slice(5, 8), slice(0, 5)):
        copy.write(order[part], 2, tuple(array[part] for array in rows))
    for one, other in zip(whole, rows, strict=True):
        assert np.array_equal(one, other)
    assert len(pickle.dumps(made)) < 4000


def test_images_are_those_of_augmented_image(tmp_path, like) -> None:
    options = {**GEOMETRY, "brightness": 0.3, "contrast": 0.3}
    source, arguments = ImageFolderSource(tmp_path, classes=["images"]), {"image_size": (32, 32), "color": "gray"}
    other = build(AugmentedImageSequence, source, np.arange(8), 8, 7, True, **arguments, **options)
    assert np.array_equal(sequence(like, **options)[0][0], other[0][0])


def test_light_leaves_the_mask_as_it_is(equal) -> None:
    plain, lit = sequence(equal)[0], sequence(equal, brightness=0.3, contrast=0.3)[0]
    assert np.array_equal(plain[1], lit[1])
    assert not np.array_equal(plain[0], lit[0])


def test_channels_first_turns_the_image_alone(tmp_path, like) -> None:
    last = sequence(like, color="rgb", **GEOMETRY)
    first = sequence(like, color="rgb", data_format="channels_first", **GEOMETRY)
    assert first.spec[0].shape == (3, 32, 32)
    assert first.spec[1].shape == (32, 32)
    assert np.array_equal(np.moveaxis(first[0][0], 1, -1), last[0][0])
    assert np.array_equal(first[0][1], last[0][1])


def test_the_spec_says_what_the_fields_are(like) -> None:
    made = sequence(like)
    assert [field.kind for field in made.spec] == ["pixels", "mask"]
    assert made.spec[1].classes == made.class_names == ("background", "thing")
    assert made.num_classes == 2


def test_ignored_pixels_get_weight_0_and_an_id_that_losses_know(tmp_path) -> None:
    mask = np.array([[0, 1, 9], [9, 1, 0]], dtype=np.uint8)
    x, y, weights = sequence(source(tmp_path, [mask], [mask], ignore=9), image_size=(2, 3))[0]
    assert y[0].tolist() == [[0, 1, 0], [0, 1, 0]]
    assert weights[0].tolist() == [[1, 1, 0], [0, 1, 1]]
    assert weights.dtype == np.float32
    assert x[0, ..., 0].tolist() == mask.tolist()


@pytest.mark.parametrize(("ignore", "weight_of_padding"), [(9, 0), (None, None)])
def test_padding_is_background_or_where_the_source_ignores_pixels_ignored(tmp_path, ignore, weight_of_padding) -> None:
    mask = np.ones((2, 4), dtype=np.uint8)
    batch = sequence(source(tmp_path, [mask], [mask], ignore=ignore), image_size=(4, 4), resize="pad")[0]
    assert batch[1][0].tolist() == [[0] * 4, [1] * 4, [1] * 4, [0] * 4]
    if ignore is not None:
        assert batch[2][0].tolist() == [[0] * 4, [1] * 4, [1] * 4, [0] * 4]
    assert len(batch) == (2 if ignore is None else 3)


def test_a_mask_of_another_size_is_told_with_both_sizes_and_files(tmp_path) -> None:
    pair = source(tmp_path, [np.zeros((20, 30), np.uint8)], [np.zeros((20, 31), np.uint8)])
    with pytest.raises(DataError, match="another size than its image") as refused:
        sequence(pair)[0]
    message = str(refused.value)
    for words in ("masks/000.png", "images/000.png", "20 x 30 pixels", "received 20 x 31"):
        assert words in message
    with pytest.raises(DataError):  # and again
        sequence(pair).batch(1, 0)


def test_a_mask_fits_the_picture_as_the_camera_held_it(tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "images").mkdir()
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "images" / "000.jpg", exif=exif)
    assert sequence(source(tmp_path, [], [np.ones((30, 20), np.uint8)]))[0][1].all()


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize(("size", "row"), [((1017, 1025), (127, 128)), ((1545, 1033), (112, 128))])
def test_a_jpeg_that_may_be_shrunk_while_it_is_decoded_stays_on_its_mask(tmp_path, size, row, resize) -> None:
    rows, columns = np.mgrid[: size[0], : size[1]]
    mask = (((columns // (size[1] // 7)) + (rows // (size[0] // 7))) % 2).astype(np.uint8)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    Image.fromarray(mask).save(tmp_path / "masks" / "000.png")
    Image.fromarray(mask * np.uint8(255)).save(tmp_path / "images" / "000.jpg", quality=95)
    pair = ImageMaskSource(tmp_path / "images", tmp_path / "masks", ["background", "thing"])
    x, y = sequence(pair, image_size=row, resize=resize, training=False)[0]
    assert y[x[..., 0] >= 224].all()
    assert np.abs(x[..., 0] / 255 - y).mean() < 0.036  # half a pixel of each edge is 0.03


class Drawn(Source):
    """Pictures that are no files."""

    classes = ("background", "thing")

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return {"path": "volume.nii", "slice": index}

    def read_picture(self, index):
        picture = shapes(index, (40, 40)) * np.uint8(200)
        return picture if index % 2 else np.dstack([picture] * 3)

    def read_mask(self, index):
        return shapes(index, (40, 40))

    def describe(self, index):
        return f"volume.nii, slice {index}"


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_pictures_may_be_no_files(color) -> None:
    made = sequence(Drawn(), color=color, **GEOMETRY)
    x, y = made.batch(1, 0)
    assert (y[x[..., 0] == 200] == 1).all()
    assert (y[x[..., 0] == 0] == 0).all()
    with pytest.raises(ConfigError, match="are no image files"):
        made.use_cache(None)


def test_a_source_without_masks_is_refused(tmp_path, like) -> None:
    with pytest.raises(ConfigError, match="the sequence 'image_mask' cannot read from a ImageFolderSource"):
        sequence(ImageFolderSource(tmp_path))


def test_the_unaugmented_sample_can_be_had_beside_the_augmented(equal) -> None:
    plain = sequence(equal, **GEOMETRY).without_augmentation()
    x, y = plain.batch(2, 0)
    for row, index in enumerate(plain.sample_indices(2, 0).tolist()):
        assert np.array_equal(y[row], equal.read_mask(index))
        assert np.array_equal(x[row, ..., 0], equal.read_mask(index))


@pytest.mark.parametrize("option", [{}, GEOMETRY, {"training": False}, {"resize": "pad"}], ids=str)
@pytest.mark.parametrize("ignore", [None, 9])
def test_batches_are_the_same_with_masks_kept_and_without(tmp_path, option, ignore) -> None:
    ids = [shapes(number, (40, 50)) for number in range(8)]
    for mask in ids if ignore else []:
        mask[:5] = ignore
    pairs = source(tmp_path, ids, ids, ignore=ignore)
    with_kept, without = sequence(pairs, **option), sequence(pairs, kept_masks_mb=0, **option)
    for epoch in (0, 0, 1, 2):
        for one, other in zip(with_kept.batch(epoch, 0), without.batch(epoch, 0), strict=True):
            assert np.array_equal(one, other)


class CountedReads:
    """A source that counts how often each mask is read, and cannot read one of them."""

    def __init__(self, source, bad=None):
        self._source, self._bad, self.reads = source, bad, []

    def __getattr__(self, name):
        return getattr(self._source, name)

    def __len__(self):
        return len(self._source)

    def __getitem__(self, index):
        return self._source[index]

    def read_mask(self, index):
        self.reads.append(index)
        if index == self._bad:
            raise DataError("the mask cannot be read")
        return self._source.read_mask(index)


def test_each_mask_is_read_in_the_first_epoch_alone(like) -> None:
    counted = as_source(CountedReads(like))
    made = sequence(counted, batch_size=3, **GEOMETRY)
    for epoch in range(3):
        for position in range(len(made)):
            made.batch(epoch, position)
    assert sorted(counted.reads) == list(range(8))
    for _ in range(2):
        made.without_augmentation().write(np.array([4]), 0, made.allocate(1))  # at another size
    assert counted.reads[8:] == [4]


def test_a_mask_that_cannot_be_read_is_told_of_each_time(like) -> None:
    counted = as_source(CountedReads(like, bad=2))
    made = sequence(counted)
    for _ in range(3):
        with pytest.raises(DataError, match="the mask cannot be read"):
            made.write(np.array([2]), 0, made.allocate(1))
    assert counted.reads == [2] * 3


def test_a_copy_in_another_process_reads_masks_itself(like) -> None:
    made = sequence(like)
    empty = len(pickle.dumps(made))
    batch = made.batch(0, 0)
    copy = pickle.loads(pickle.dumps(made))
    assert len(pickle.dumps(made)) < empty + 100  # the order of an epoch aside
    assert np.array_equal(copy.batch(0, 0)[1], batch[1])
