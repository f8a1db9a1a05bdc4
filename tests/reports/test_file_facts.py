"""What files say of themselves, as Pillow wrote them."""

import gzip

import numpy as np
import pytest
import xxhash
from PIL import Image

from seqtrain.errors import DataError
from seqtrain.reports import file_facts
from seqtrain.reports.file_facts import FileFacts, ReadFiles, read_facts
from seqtrain.sequences.decoding import observing_files, read_image


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
    assert read_facts(str(path), with_digest=False) == FileFacts(kind, False, mode, 17, 31)


def test_a_name_that_does_not_fit_is_told_and_one_in_capitals_fits(tmp_path):
    wrong, right = tmp_path / "a.jpg", tmp_path / "b.PNG"
    Image.new("L", (9, 9)).save(wrong, "GIF")
    Image.new("L", (9, 9)).save(right, "PNG")
    assert read_facts(str(wrong)).is_misnamed
    assert not read_facts(str(right)).is_misnamed


def test_the_digest_is_that_of_the_whole_file(tmp_path):
    path = tmp_path / "large.gz"
    path.write_bytes(gzip.compress(np.random.default_rng(0).bytes(3_000_000)))
    facts = read_facts(str(path))
    assert facts.format == "GZIP"
    assert facts.digest == xxhash.xxh3_128_digest(path.read_bytes())


def test_a_file_that_a_sequence_reads_is_not_read_again_and_has_the_same_facts(tmp_path, monkeypatch):
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (31, 17)).save(path, "PNG")
    files = ReadFiles()
    with observing_files(files.note):
        read_image(str(path), "rgb")
    wanted = read_facts(str(path))
    monkeypatch.setattr(file_facts, "read_facts", None)
    assert files.facts(str(path), with_digest=True) == wanted
    assert wanted.is_misnamed


@pytest.mark.parametrize("extension", [".gif", ".bmp", ".webp", ".tif"])
def test_large_pictures_say_their_size_and_are_not_opened_again_where_they_were_read(tmp_path, extension):
    path = tmp_path / f"photo{extension}"
    Image.effect_noise((900, 700), 90).save(path)  # some have their header, or its end, beyond the first block
    assert read_facts(str(path), with_digest=False)[3:5] == (700, 900)
    files, content = ReadFiles(), path.read_bytes()
    path.unlink()
    files.note(str(path), content)
    assert files.facts(str(path), with_digest=True)[3:5] == (700, 900)


def test_files_are_shown_within_alone(tmp_path):
    path, seen = tmp_path / "empty.png", []
    path.write_bytes(b"")
    with observing_files(lambda *file: seen.append(file)), pytest.raises(DataError, match="empty"):
        read_image(str(path), "rgb")
    with pytest.raises(DataError):
        read_image(str(path), "rgb")
    assert seen == [(str(path), b"")]


def test_what_is_missing_or_damaged_is_no_error_here(tmp_path):
    assert read_facts(str(tmp_path / "nowhere.png")) == FileFacts()
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"\xff\xd8\xff\xe0nothing")
    assert read_facts(str(damaged), with_digest=False) == FileFacts("JPEG")
