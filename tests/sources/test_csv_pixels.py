from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from seqtrain.errors import MOST_LISTED, ConfigError, DataError
from seqtrain.sources.csv_pixels import CsvPixels

HEADER = "label,pixel0,pixel1,pixel2,pixel3,pixel4,pixel5\n"
SIZE = (2, 3)


def table(folder: Path, text: str) -> Path:
    path = folder / "digits.csv"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "first_row"),
    [
        (HEADER + "1,0,1,2,3,4,5\n0,10,20,30,40,50,255\n", 2),
        ("1,0,1,2,3,4,5\n0,10,20,30,40,50,255", 1),
        ("\ufeff1,0,1,2,3,4,5\r\n0,10,20,30,40,50,255\r\n\r\n\n", 1),
        ("\ufeff" + HEADER + "1,0,1,2,3,4,5\n0,10,20,30,40,50,255\n\n", 2),
        ("a,b,label,c,d,e,f\n0,1,1,2,3,4,5\n10,20,0,30,40,50,255\n", 2),
        ("a,b,c,d,e,f,label\r\n0,1,2,3,4,5,1\r\n10,20,30,40,50,255,0\r\n", 2),
        (HEADER + "1.0,0.0,1.0,2.0,3.0,4.0,5.0\n0, 10,20,30,40,50,255\n", 2),
    ],
)
def test_rows_become_pictures_and_labels(tmp_path: Path, text: str, first_row: int) -> None:
    source = CsvPixels(table(tmp_path, text), image_size=SIZE)
    assert len(source) == 2
    assert source.labels.tolist() == [1, 0]
    assert source.classes == ("0", "1")
    assert source[0]["x"][..., 0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert source[1]["x"][..., 0].tolist() == [[10, 20, 30], [40, 50, 255]]
    assert source[1]["y"] == 0
    assert source.describe(1) == f"{tmp_path / 'digits.csv'}:{first_row + 1}"


def test_channels_are_the_last_axis(tmp_path: Path) -> None:
    source = CsvPixels(table(tmp_path, "0,1,2,3,4,5,6\n"), image_size=(1, 2), channels=3)
    assert source[0]["x"].tolist() == [[[1, 2, 3], [4, 5, 6]]]


def sample_table(folder: Path, num_rows: int) -> tuple[Path, np.ndarray]:
    pixels = np.random.default_rng(4).integers(0, 256, (num_rows, 6))
    rows = [f"{number % 3}," + ",".join(map(str, row)) for number, row in enumerate(pixels)]
    return table(folder, HEADER + "\n".join(rows) + "\n"), pixels


def test_many_threads_read_the_same_rows(tmp_path: Path) -> None:
    path, pixels = sample_table(tmp_path, 300)
    source = CsvPixels(path, image_size=SIZE)

    def read(number: int) -> bool:
        indices = np.random.default_rng(number).integers(0, 300, 32)
        rows = {"x": np.empty((32, 2, 3, 1), np.uint8)}
        source.read_rows(indices, rows)
        return bool((rows["x"].reshape(32, 6) == pixels[indices]).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(100)))


def read_in_a_process(source: CsvPixels) -> list[int]:
    picture: list[int] = source[7]["x"].ravel().tolist()
    return picture


def test_a_new_process_opens_the_file_again(tmp_path: Path) -> None:
    path, pixels = sample_table(tmp_path, 10)
    source = CsvPixels(path, image_size=SIZE)
    assert pickle.loads(pickle.dumps(source))[3]["x"].ravel().tolist() == pixels[3].tolist()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(read_in_a_process, (source,)) == pixels[7].tolist()


def test_the_index_is_sixteen_bytes_a_row_however_wide_the_rows_are(tmp_path: Path) -> None:
    row = "0," + ",".join(["255"] * 784) + "\n"
    source = CsvPixels(table(tmp_path, row * 500))
    assert len(pickle.dumps(source)) < 16 * 500 + 2000


def test_a_column_reads_pictures_and_labels(tmp_path: Path) -> None:
    path, pixels = sample_table(tmp_path, 10)
    x_set, y_set = CsvPixels(path, image_size=SIZE).as_columns(np.array([9, 4]))
    assert x_set[0:2].reshape(2, 6).tolist() == pixels[[9, 4]].tolist()
    assert y_set[:].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,2,3", "the row has 3 columns\n  expected 7"),
        ("1,2,3,4,5,6,7,8", "the row has 8 columns\n  expected 7"),
        ("", "the row has 1 columns"),
        (",1,2,3,4,5,6", "the label is no whole number"),
        ("nan,1,2,3,4,5,6", "the label is no whole number"),
        ("1.5,1,2,3,4,5,6", "the label is no whole number"),
        ("three,1,2,3,4,5,6", "the label is no whole number(.|\n)*received 'three'"),
        ("99999999999999999999,1,2,3,4,5,6", "the label is no whole number"),
        ("-1,1,2,3,4,5,6", "the label -1 is no class index"),
    ],
)
def test_a_row_that_is_ragged_or_mislabelled_is_refused_before_training(tmp_path: Path, row: str, message: str) -> None:
    path = table(tmp_path, HEADER + f"0,1,2,3,4,5,6\n{row}\n0,1,2,3,4,5,6\n")
    with pytest.raises(DataError, match=rf"digits\.csv:3  {message}"):
        CsvPixels(path, image_size=SIZE)


@pytest.mark.parametrize(("pixel", "message"), [("256", "is 256"), ("x", "is no number"), ("", "is no number")])
def test_a_bad_pixel_is_named_when_its_batch_is_read(tmp_path: Path, pixel: str, message: str) -> None:
    source = CsvPixels(table(tmp_path, HEADER + f"0,1,2,3,4,5,6\n0,1,2,3,{pixel},5,6\n"), image_size=SIZE)
    rows = {"x": np.empty((2, 2, 3, 1), np.uint8)}
    with pytest.raises(DataError, match=rf"digits\.csv:3  pixel 3 {message}\n  expected whole numbers from 0 to 255"):
        source.read_rows(np.array([1, 0]), rows)


def test_a_file_that_is_cut_off_after_the_start_is_refused_with_the_row(tmp_path: Path) -> None:
    path, _ = sample_table(tmp_path, 10)
    source = CsvPixels(path, image_size=SIZE)
    with path.open("r+b") as file:
        file.truncate(len(HEADER) + 20)
    with pytest.raises(DataError, match=r"digits\.csv:11  the row has \d columns"):
        source[9]


def test_files_that_hold_no_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"digits\.csv  no such file"):
        CsvPixels(tmp_path / "digits.csv")
    with pytest.raises(DataError, match=r"digits\.csv  is empty"):
        CsvPixels(table(tmp_path, ""))
    with pytest.raises(DataError, match=r"digits\.csv  holds no rows"):
        CsvPixels(table(tmp_path, HEADER), image_size=SIZE)
    with pytest.raises(DataError, match="cannot be read"):
        CsvPixels(tmp_path)


def test_a_missing_label_column_is_answered_with_those_that_exist(tmp_path: Path) -> None:
    path = table(tmp_path, HEADER + "0,1,2,3,4,5,6\n")
    with pytest.raises(DataError, match=r"digits\.csv:1  there is no column 'lable'(.|\n)*did you mean 'label'"):
        CsvPixels(path, label_column="lable", image_size=SIZE)


def test_other_separators_than_commas_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"digits\.csv:1  is separated by ';'\n  expected commas"):
        CsvPixels(table(tmp_path, HEADER.replace(",", ";")), image_size=SIZE)


def test_a_label_column_for_a_table_without_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="label_column: 'digit' cannot be found"):
        CsvPixels(table(tmp_path, "0,1,2,3,4,5,6\n"), label_column="digit", image_size=SIZE)


def test_a_file_without_line_ends_is_refused_without_reading_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "digits.csv"
    path.write_bytes(HEADER.encode())
    with path.open("r+b") as file:
        file.truncate(2 * 1024**3)  # sparse: 2 GB of zero bytes
    with pytest.raises(DataError, match=r"digits\.csv:2  the row has more than 448 bytes"):
        CsvPixels(path, image_size=SIZE)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("1,0,0\nx,0,0\n1,0,0\n1,0\n", ["2", "4"]),
        ("label,a,b\nx,0,0\n1,0,0\ny,0,0\n", ["2", "4"]),
        ("1,0\n" * 50 + "1,0,0,0\n" + "1,0\n" * 50, ["1", "51"]),  # no row is right: what most have, once
        ("label,a,b\ncat,0,0\ndog,0,0\ncat,0,0\n", ["2"]),
        ("1,0,0\n1," + "0," * 400 + "0\nx,0,0\n", ["2"]),  # a row that is far too long, after which none is counted
    ],
)
def test_all_wrong_rows_are_told_in_one_go_but_not_what_all_have(tmp_path: Path, text: str, lines: list[str]) -> None:
    path = table(tmp_path, text)
    with pytest.raises(DataError) as caught:
        CsvPixels(path, image_size=(1, 2))
    assert [str(mistake.where).rpartition(":")[2] for mistake in caught.value.mistakes] == lines


def test_what_is_wrong_everywhere_is_not_read_to_the_end(tmp_path: Path) -> None:
    path = table(tmp_path, "1,0\n0,x,0\n" * (MOST_LISTED + 100))
    with pytest.raises(DataError) as caught:
        CsvPixels(path, image_size=(1, 2))
    assert [str(mistake.where).rpartition(":")[2] for mistake in caught.value.mistakes][-1] == str(2 * MOST_LISTED - 1)
