"""Pillow is the independent decoder; what a mode should become is worked out by hand."""

import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from seqtrain.errors import DataError
from seqtrain.sequences.decoding import read_image
from seqtrain.sequences.orientation import exif_orientation, jpeg_orientation

PHOTOS = Path(__file__).parents[2] / "data_samples" / "photos"
PHOTO = PHOTOS / "china_3_5.jpg"


def saved(tmp_path: Path, image: Image.Image, name: str, **options) -> str:
    path = tmp_path / name
    image.save(path, **options)
    return str(path)


@pytest.mark.parametrize("name", ["china_3_5.jpg", "flower_2_4.jpg"])
def test_a_jpeg_in_rgb_is_within_rounding_of_pillow(name: str) -> None:
    expected = np.asarray(Image.open(PHOTOS / name)).astype(int)
    picture = read_image(str(PHOTOS / name), "rgb")
    assert picture.dtype == np.uint8
    assert np.abs(picture - expected).max() <= 1


def test_a_jpeg_in_gray_is_its_luminance() -> None:
    with Image.open(PHOTO) as image:
        image.draft("L", image.size)
        expected = np.asarray(image).astype(int)
    assert expected.shape == (64, 64)
    assert np.abs(read_image(str(PHOTO), "gray") - expected).max() <= 1


def test_a_jpeg_is_scaled_while_it_is_decoded_but_never_below_what_is_wanted(tmp_path: Path) -> None:
    whole = Image.open(PHOTO).resize((400, 320), Image.Resampling.BICUBIC)
    path = saved(tmp_path, whole, "large.jpg", quality=95)
    picture = read_image(path, "rgb", lambda size: (60, 60))
    assert 60 <= picture.shape[0] < 320
    assert 60 <= picture.shape[1] < 400
    expected = np.asarray(whole.resize(picture.shape[1::-1], Image.Resampling.BOX)).astype(int)
    assert np.abs(picture - expected).mean() < 2


def test_a_jpeg_that_could_only_be_scaled_by_less_than_half_is_decoded_whole(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGB", (400, 320)), "wide.jpg")
    assert read_image(path, "rgb", lambda size: (200, 200)).shape == (320, 400, 3)  # 5/8 would do, at a higher cost
    assert read_image(path, "rgb", lambda size: (160, 200)).shape == (160, 200, 3)


def test_wanted_is_asked_about_the_picture_as_it_is_seen(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, Image.new("RGB", (400, 100)), "turned.jpg", exif=exif)
    asked = []
    picture = read_image(path, "rgb", lambda size: asked.append(size) or (40, 10))
    assert asked == [(400, 100)]
    assert picture.shape == (50, 13, 3)  # scaled by 1/8, as far as the 10 allow


@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, kind: str, orientation: int) -> None:
    pixels = np.zeros((16, 24, 3), dtype=np.uint8)
    pixels[:8, :8], pixels[:8, 8:16], pixels[8:, 16:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}.get(kind, {})
    path = saved(tmp_path, Image.fromarray(pixels), f"x.{kind}", exif=exif, **options)
    with Image.open(path) as image:
        image.load()
        expected = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    picture = read_image(path, "rgb")
    assert picture.shape == expected.shape == ((16, 24, 3) if orientation < 5 else (24, 16, 3))
    assert np.abs(picture - expected).max() <= 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_read_in_both_byte_orders_and_behind_other_segments(order: str) -> None:
    mark = {"<": b"II", ">": b"MM"}[order]
    entries = struct.pack(order + "HHIHH", 0x0110, 2, 1, 0, 0) + struct.pack(order + "HHIHH", 0x0112, 3, 1, 8, 0)
    exif = b"Exif\0\0" + mark + struct.pack(order + "HIH", 42, 8, 2) + entries
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    other = b"\xff\xe1" + struct.pack(">H", 7) + b"http:" + b"\xff\xff\xe0" + struct.pack(">H", 4) + b"JF"
    assert jpeg_orientation(b"\xff\xd8" + other + segment + b"\xff\xda") == 8
    assert jpeg_orientation(b"\xff\xd8" + b"\xff\xda\x00\x02" + segment) == 1


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0II*\0", b"XX*\0\x08\0\0\0", b"II*\0\x08\0\0\0\xff\xff\0\0"])
def test_damaged_exif_counts_as_none(exif: bytes) -> None:
    assert exif_orientation(exif) == 1
    assert jpeg_orientation(b"\xff\xd8\xff\xe1\xff\xffExif\0\0" + exif) == 1


def test_16_bits_are_scaled_so_that_white_stays_white(tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 257, 32768, 65535]], dtype=np.uint16)
    for kind in ("png", "tif"):
        path = saved(tmp_path, Image.fromarray(values), f"x.{kind}")
        assert read_image(path, "gray").tolist() == [[0, 0, 1, 1, 128, 255]]
        assert read_image(path, "rgb").tolist() == [[[v, v, v] for v in (0, 0, 1, 1, 128, 255)]]
    (tmp_path / "x.pgm").write_bytes(b"P5 2 1 65535\n\x01\x01\xff\xff")
    assert read_image(str(tmp_path / "x.pgm"), "gray").tolist() == [[1, 255]]


def test_integers_beyond_16_bits_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(np.array([[0, 70000]], dtype=np.int32)), "x.tif")
    with pytest.raises(
        DataError, match=r"x.tif  the image has pixels .* 16 bits\n.*\n  received values from 0 to 70000"
    ):
        read_image(path, "gray")


def test_floats_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(np.array([[0, 0.5]], dtype=np.float32)), "x.tif")
    with pytest.raises(
        DataError, match=r"x.tif  the image has floating-point pixels.*\n.*\n  fix: save it with 16 bits"
    ):
        read_image(path, "gray")


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(np.array([[True, False]])), "x.png")
    assert read_image(path, "gray").tolist() == [[255, 0]]
    assert read_image(path, "rgb").tolist() == [[[255] * 3, [0] * 3]]


def test_a_palette_becomes_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8), mode=None).convert("P")
    image.putpalette([255, 0, 0, 10, 20, 30, 0, 0, 255])
    image.putdata([0, 1, 2])
    path = saved(tmp_path, image, "x.png")
    assert read_image(path, "rgb").tolist() == [[[255, 0, 0], [10, 20, 30], [0, 0, 255]]]
    assert read_image(path, "gray").tolist() == [[76, 18, 29]]  # ITU-R 601: 0.299 R + 0.587 G + 0.114 B
    path = saved(tmp_path, image, "clear.png", transparency=b"\xff\x00\xff")
    assert read_image(path, "rgb").tolist() == [[[255, 0, 0], [255, 255, 255], [0, 0, 255]]]


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    clear = np.array([[[200, 100, 0, 255], [200, 100, 0, 0], [200, 100, 0, 51]]], dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(clear), "rgba.png")
    assert read_image(path, "rgb").tolist() == [[[200, 100, 0], [255, 255, 255], [244, 224, 204]]]
    path = saved(tmp_path, Image.fromarray(clear[..., 2:]), "la.png")
    assert read_image(path, "gray").tolist() == [[0, 255, 204]]
    path = saved(tmp_path, Image.fromarray(clear[..., 0]), "l.png", transparency=200)
    assert read_image(path, "gray").tolist() == [[255, 255, 255]]


def test_cmyk_is_converted_with_black_ink_as_black(tmp_path: Path) -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # magenta and yellow: red
    image.paste((0, 0, 0, 255), (4, 0, 8, 8))
    for kind in ("jpg", "tif"):
        picture = read_image(saved(tmp_path, image, f"x.{kind}"), "rgb").astype(int)
        assert np.abs(picture[4, 1] - [255, 0, 0]).max() <= 3
        assert picture[4, 6].max() <= 3
        gray = read_image(saved(tmp_path, image, f"x.{kind}"), "gray").astype(int)
        assert np.abs(gray[4, [1, 6]] - [76, 0]).max() <= 3


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    path = saved(tmp_path, frames[0], "x.gif", save_all=True, append_images=frames[1:])
    assert read_image(path, "rgb")[0, 0].tolist() == [255, 0, 0]


def test_a_format_is_told_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGB", (4, 4), (1, 2, 3)), "x.jpg", format="PNG")
    assert read_image(path, "rgb")[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("color", ["gray", "rgb"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "bmp", "webp"])
def test_a_truncated_file_is_an_error(tmp_path: Path, kind: str, kept: float, color: str) -> None:
    path = Path(saved(tmp_path, Image.open(PHOTO), f"x.{kind}"))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DataError, match=rf"x\.{kind}  (the image is damaged or truncated|the file is not an image)"):
        read_image(str(path), color)


def test_a_jpeg_that_lacks_its_last_bytes_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(PHOTO.read_bytes()[:-2])
    with pytest.raises(DataError, match=r"x.jpg  the image is damaged or truncated: image file is truncated"):
        read_image(str(path), "rgb", lambda size: (8, 8))


def test_stray_bytes_that_harm_no_pixel_are_no_error(tmp_path: Path) -> None:
    content = PHOTO.read_bytes()
    path = tmp_path / "x.jpg"
    path.write_bytes(content[:-2] + bytes(20) + content[-2:])
    assert np.array_equal(read_image(str(path), "rgb"), np.asarray(Image.open(PHOTO)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the image file is empty\n  fix: fetch it again"),
        (
            b"hello, I am a text",
            r"not an image that can be read\n.*\n  received 18 bytes that start with b'hello, I am '",
        ),
        (b"\xff\xd8\xff\xe0 and no more", "the image is damaged or truncated"),
    ],
)
def test_a_file_that_is_no_image_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x.jpg  (the file is )?" + message):
        read_image(str(path), "rgb")


def test_a_missing_file_and_a_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.png  no such image file"):
        read_image(str(tmp_path / "none.png"), "rgb")
    with pytest.raises(DataError, match=r"cannot be read: Is a directory"):
        read_image(str(tmp_path), "rgb")


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has next to no data."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def jpeg_header(width: int, height: int) -> bytes:
    """A sound JPEG whose header claims another size."""
    content = bytearray(PHOTO.read_bytes())
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(content)


@pytest.mark.parametrize("make", [png_header, jpeg_header])
@pytest.mark.parametrize("side", [10_000, 20_000])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path, make, side: int) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(make(side, side))
    with pytest.raises(DataError, match=r"bomb  the picture has too many pixels\n  expected at most 89,478,485"):
        read_image(str(path), "rgb", lambda size: (8, 8))


def test_threads_decode_alike(tmp_path: Path) -> None:
    paths = [str(PHOTO), saved(tmp_path, Image.open(PHOTO), "x.png"), saved(tmp_path, Image.open(PHOTO), "x.webp")]
    alone = [read_image(path, "gray") for path in paths]
    together: list[bool] = []

    def decode() -> None:
        for _ in range(20):
            together.extend(np.array_equal(read_image(p, "gray"), a) for p, a in zip(paths, alone, strict=True))

    threads = [threading.Thread(target=decode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [True] * 240
