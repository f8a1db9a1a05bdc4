from datetime import datetime, timedelta

from tests.init.places import found, sections, table

START = datetime(2024, 1, 1)


def days(path, number, step=timedelta(days=1), empty=()):
    rows = [[(START + step * n).isoformat(), n % 7, "" if n in empty else n * 0.5] for n in range(number)]
    table(path, ["date", "sales", "stock"], rows)


def test_daily_series_know_a_month_and_forecast_a_week(tmp_path):
    days(tmp_path / "shop.csv", 400)
    detection, config = sections(tmp_path)
    assert (
        detection.kind == "series"
        and detection.targets == ("sales", "stock")
        and "a row a day" in dict(detection.seen)["series"]
    )
    assert config["source"] == {
        "name": "series",
        "path": "shop.csv",
        "time": "date",
        "columns": ["sales", "stock"],
        "target": "sales",
        "window": 28,
        "horizon": 7,
    }
    assert config["split"]["by"] == "ordered"


def test_short_series_get_short_windows_and_empty_cells_are_drawn(tmp_path):
    days(tmp_path / "shop.csv", 50, empty=[20])
    source = sections(tmp_path)[1]["source"]
    assert (source["window"], source["horizon"]) == (10, 2)  # a fifth of the rows, and a quarter of that
    assert source["missing"] == "interpolate"


def test_files_of_one_form_are_taken_together(tmp_path):
    days(tmp_path / "a.csv", 60)
    days(tmp_path / "b.csv", 60)
    detection, config = sections(tmp_path)
    assert config["source"]["path"] == "."
    assert "2 of 60 rows" in dict(detection.seen)["series"]
    table(tmp_path / "shops.csv", ["shop", "town"], [["a", "x"], ["b", "y"]])
    assert sections(tmp_path)[1]["source"]["path"] == ["a.csv", "b.csv"]


def test_times_that_start_with_the_day_or_the_month_are_told(tmp_path):
    table(
        tmp_path / "shop.csv",
        ["date", "sales", "stock"],
        [[f"{1 + n % 28:02}/{1 + n // 28:02}/2024", n % 7, n] for n in range(80)],
    )
    (detection,) = found(tmp_path)
    assert detection.kind == "table"
    assert any("the times in 'date' may start with the day or the month" in note for note in detection.notes)


def test_times_that_do_not_ascend_are_no_series(tmp_path):
    table(tmp_path / "t.csv", ["time", "a", "price"], [[n % 9, n % 5, n / 3] for n in range(40)])
    assert [detection.kind for detection in found(tmp_path)] == ["table"]
