"""A block is split by pyarrow or by Python's `csv`, which must give the same rows on the same lines."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest

from seqtrain.errors import DataError, GatheredErrors
from seqtrain.sources import csv_file
from seqtrain.sources.csv_file import CsvFile
from seqtrain.sources.table_file import place_of

Row = tuple[int, int, list[str]]


def split(path: Path) -> tuple[list[Row], list[str]]:
    """The line, the first byte and the cells of each row; and what is wrong with others, by line."""
    rows: list[Row] = []
    mistakes: list[str] = []
    errors = GatheredErrors()
    try:
        file = CsvFile(path)
        for block in file.blocks(file.names, errors):
            columns = [[cell.strip() for cell in cells.to_pylist()] for cells in block.cells]
            cells = map(list, zip(*columns, strict=True))
            rows += zip(block.lines.tolist(), block.starts.tolist(), cells, strict=True)
        errors.raise_if_any()
    except DataError as error:
        mistakes += [f"{str(mistake.where).rpartition(':')[2]} {mistake.message}" for mistake in error.mistakes]
    return rows, mistakes


def split_by_hand(text: str, width: int) -> tuple[list[Row], list[str]]:
    lines = list(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    starts = [len(text.encode()) - len("".join(lines).encode())]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    reader = csv.reader(lines, skipinitialspace=True, strict=True)
    next(reader)
    rows: list[Row] = []
    mistakes, line = [], 1
    try:
        for row in reader:
            if len(row) == width:
                rows.append((reader.line_num, starts[line], [cell.strip() for cell in row]))
            elif row:
                mistakes.append(f"{reader.line_num} the row does not have one cell for each column")
            line = reader.line_num
    except csv.Error as error:
        mistakes.append(f"{line + 1} the row cannot be read: {error}")
    return rows, sorted(mistakes, key=lambda mistake: int(mistake.split()[0]))


CELLS = ["1", "x y", "", '"q"', '"a,b"', ' "s"', '"n\nl"', '"d""d"', "ä", " 5 ", "\x00", "\ufeff", '5" pipe', '"x"y']


@pytest.mark.parametrize("block_bytes", [10, 40, 1 << 22])
def test_rows_are_those_of_pythons_csv_wherever_a_block_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", block_bytes)
    generator = random.Random(block_bytes)
    path = tmp_path / "t.csv"
    for _ in range(300):
        width = generator.randint(1, 3)
        good = generator.sample(CELLS, 5)
        rows = [",".join(generator.choices(good, k=width)) for _ in range(generator.randint(0, 8))]
        rows += generator.choices(["", "1,2,3,4", '"x'], [8, 4, 1], k=2)
        generator.shuffle(rows)
        end = generator.choice(["\n", "\r\n"])
        text = end.join([",".join("abc"[:width]), *rows, *generator.choice([[], [""]])])
        text = generator.choice(["", "\ufeff"]) + text
        path.write_bytes(text.encode())
        assert split(path) == split_by_hand(text, width), repr(text)


def test_lines_may_end_in_carriage_returns_alone(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\r1,2\r\r3,4")
    assert split(tmp_path / "t.csv") == ([(2, 4, ["1", "2"]), (4, 9, ["3", "4"])], [])


def test_a_long_file_of_carriage_returns_is_cut_between_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 16)
    monkeypatch.setattr(csv_file, "LONGEST_LINE_BYTES", 16)
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\r" + b"".join(b"%d,%d\r" % (n, 2 * n) for n in range(1000)))
    rows, ragged = split(path)
    assert [cells for _, _, cells in rows] == [[str(n), str(2 * n)] for n in range(1000)] and not ragged


def test_the_header_is_the_first_row_that_is_not_blank(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'\n\r\n"a;b"; c\n1;2\n')
    file = CsvFile(tmp_path / "t.csv")
    assert (file.names, file.header) == (["a;b", "c"], f"{tmp_path}/t.csv:3")
    assert split(tmp_path / "t.csv")[0] == [(4, 12, ["1", "2"])]


def test_a_line_is_found_again_by_its_first_byte(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n1,2\n\n3,4\n")
    assert place_of(tmp_path / "t.csv", 9) == f"{tmp_path}/t.csv:4"


def test_quotes_that_are_never_closed_are_told_by_the_row_that_opens_them(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'a,b\n1,2\n3,"4\n' + b"5,6,7\n" * 10_000)
    assert split(path)[1] == ["3 the row cannot be read: unexpected end of data"]
    path.write_bytes(b'a,b\n1,2\n3,"4\n' + b"5,6,7\n" * 3_000_000)  # as long as no cell is
    assert split(path)[1] == ["3 the row cannot be read: field larger than field limit (16777216)"]
