import pytest
from PIL import Image

from seqtrain.errors import DataError
from seqtrain.sequences.decoding import read_image
from seqtrain.sources.image_header import read_image_size


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.bmp", "a.webp"])
@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
def test_the_size_is_that_of_the_picture_as_it_is_read(tmp_path, name, orientation):
    image = Image.new("RGB", (20, 10))
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    image.save(tmp_path / name, **({} if name == "a.bmp" else {"exif": exif.tobytes()}))
    size = read_image_size(str(tmp_path / name))
    turned = orientation in (6, 8) and name != "a.bmp"
    assert size == ((20, 10) if turned else (10, 20))
    assert size == read_image(str(tmp_path / name), "rgb").shape[:2]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow says so on stderr, and opens the file
def test_damaged_exif_counts_as_none(tmp_path):
    Image.new("L", (20, 10)).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    assert read_image_size(str(tmp_path / "a.jpg")) == (10, 20)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such image file"),
        (b"", "not an image"),
        (b"no image", "not an image"),
        (b"\x89PNG\r\n", "image"),
    ],
)
def test_a_file_without_a_size_is_told(tmp_path, content, message):
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=f"a.png  .*{message}"):
        read_image_size(str(path))
