"""What files say of themselves, as Pillow wrote them."""

import gzip
import hashlib

import numpy as np
import pytest
from PIL import Image

from seqtrain.reports.file_facts import FileFacts, look_at


@pytest.mark.parametrize(
    ("extension", "kind", "mode"),
    [
        (".jpg", "JPEG", "RGB"),
        (".jpeg", "JPEG", "L"),
        (".jpg", "JPEG", "CMYK"),
        (".png", "PNG", "P"),
        (".png", "PNG", "I;16"),
        (".gif", "GIF", "P"),
        (".bmp", "BMP", "RGB"),
        (".webp", "WEBP", "RGB"),
        (".tif", "TIFF", "L"),
    ],
)
def test_kind_mode_and_size_are_those_that_were_written(tmp_path, extension, kind, mode):
    path = tmp_path / f"picture{extension}"
    Image.new(mode, (31, 17)).save(path)
    assert look_at(str(path)) == FileFacts(kind, False, mode, 17, 31)


def test_a_name_that_does_not_fit_is_told_and_one_in_capitals_fits(tmp_path):
    wrong, right = tmp_path / "a.jpg", tmp_path / "b.PNG"
    Image.new("L", (9, 9)).save(wrong, "GIF")
    Image.new("L", (9, 9)).save(right, "PNG")
    assert look_at(str(wrong)).is_misnamed
    assert not look_at(str(right)).is_misnamed


def test_the_digest_is_that_of_the_whole_file(tmp_path):
    path = tmp_path / "large.gz"
    path.write_bytes(gzip.compress(np.random.default_rng(0).bytes(3_000_000)))
    digest = hashlib.sha256()
    assert look_at(str(path), digest).format == "GZIP"
    assert digest.hexdigest() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_missing_or_damaged_is_no_error_here(tmp_path):
    assert look_at(str(tmp_path / "nowhere.png")) == FileFacts()
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"\xff\xd8\xff\xe0nothing")
    assert look_at(str(damaged)) == FileFacts("JPEG")
