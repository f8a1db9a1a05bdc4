import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtrain.errors import DataError
from seqtrain.sources.mask_file import read_ids

IDS = np.array([[0, 1, 2], [3, 2, 1]], dtype=np.uint8)


def saved(tmp_path: Path, image: Image.Image, name: str = "mask.png", **options) -> str:
    image.save(tmp_path / name, **options)
    return str(tmp_path / name)


def gray_png(ids: np.ndarray, bits: int) -> bytes:
    """A gray PNG of so many bits, by hand: Pillow spreads what it writes with fewer than eight."""
    rows = b""
    for row in ids.tolist():
        digits = "".join(f"{value:0{bits}b}" for value in row)
        digits += "0" * (-len(digits) % 8)
        rows += b"\0" + int(digits, 2).to_bytes(len(digits) // 8)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], bits, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_gray_ids_are_those_that_were_stored(tmp_path: Path, bits: int) -> None:
    (tmp_path / "mask.png").write_bytes(gray_png(IDS, bits))
    with Image.open(tmp_path / "mask.png") as image:
        assert np.array_equal(np.asarray(image), IDS * {2: 85, 4: 17, 8: 1}[bits])
    assert np.array_equal(read_ids(str(tmp_path / "mask.png")), IDS)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_keeps_its_indices_whatever_its_colours_are(tmp_path: Path, bits: int) -> None:
    ids = IDS if bits > 1 else IDS % 2
    image = Image.fromarray(ids)
    image.putpalette([200, 10, 10, 0, 0, 0, 255, 255, 255, 7, 8, 9])
    assert image.mode == "P"
    assert np.array_equal(read_ids(saved(tmp_path, image, bits=bits)), ids)


def test_one_bit_is_0_and_1(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(IDS % 2 == 1))
    with Image.open(path) as image:
        assert image.mode == "1"
    assert read_ids(path).tolist() == (IDS % 2).tolist()
    assert read_ids(path).dtype == np.uint8


@pytest.mark.parametrize("name", ["mask.png", "mask.tif"])
def test_16_bits_keep_large_ids(tmp_path: Path, name: str) -> None:
    ids = IDS.astype(np.uint16) * 1000
    assert read_ids(saved(tmp_path, Image.fromarray(ids), name)).tolist() == ids.tolist()


@pytest.mark.parametrize("mode", ["LA", "RGB", "RGBA"])
def test_gray_saved_as_colour_is_taken_as_gray(tmp_path: Path, mode: str) -> None:
    assert np.array_equal(read_ids(saved(tmp_path, Image.fromarray(IDS).convert(mode))), IDS)


def test_colours_are_no_ids(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(np.dstack([IDS, IDS, IDS * 2])))
    with pytest.raises(DataError, match="pixels of several colours") as refused:
        read_ids(path)
    assert refused.value.mistakes[0].where == path


def test_a_mask_that_is_in_the_opacity_is_refused(tmp_path: Path) -> None:
    image = Image.merge("LA", [Image.new("L", (3, 2)), Image.fromarray(IDS)])
    with pytest.raises(DataError, match="partly transparent"):
        read_ids(saved(tmp_path, image))


def test_floats_are_no_ids(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="mode F"):
        read_ids(saved(tmp_path, Image.fromarray(IDS.astype(np.float32)), "mask.tif"))


def test_what_is_damaged_or_missing_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(np.random.default_rng(0).integers(0, 9, (64, 64), dtype=np.uint8)))
    Path(path).write_bytes(Path(path).read_bytes()[:-300])
    with pytest.raises(DataError, match="the mask cannot be read"):
        read_ids(path)
    with pytest.raises(DataError, match="no such mask file"):
        read_ids(str(tmp_path / "other.png"))
