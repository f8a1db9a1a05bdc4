import dataclasses
import unicodedata

import numpy as np
import pytest

from seqtrain.reports import contact_sheet as module
from seqtrain.reports import series_chart, sheet_layout, tiles
from seqtrain.reports.contact_sheet import Panel
from seqtrain.reports.fields import Field, fields_of
from seqtrain.reports.tiles import class_color
from seqtrain.structure import FieldSpec

TOP_LEFT = (12, 44)  # margin, and the title's height with a margin above and below


def sheet_of(batch, spec=None, num_classes=None, class_names=None, over=(), own_name="", panels=(), **options):
    """The sheet of a batch, and of what stands beside it."""
    own = Panel(own_name, fields_of(batch, spec, num_classes, class_names), over)
    return module.contact_sheet([own, *panels], **options)


def contact_sheet(x, y=None, **options):
    """The sheet of a batch of pictures with their labels."""
    return sheet_of((x,) if y is None else (x, y), **options)


def pixel(sheet, x=0, y=0):
    return sheet.getpixel((TOP_LEFT[0] + x, TOP_LEFT[1] + y))


@pytest.fixture
def texts(monkeypatch):
    """The texts that are written, as they are: reading them off the picture would test the font."""
    written = []
    original = sheet_layout.fitted_text

    def spy(text, *arguments):
        written.append(original(text, *arguments))
        return written[-1]

    monkeypatch.setattr(sheet_layout, "fitted_text", spy)
    return written


def test_small_pictures_are_enlarged_so_that_each_pixel_shows():
    images = np.zeros((1, 28, 28, 1), np.uint8)
    images[0, 0, 0, 0], images[0, 0, 1, 0] = 200, 100
    sheet = contact_sheet(images, title="t")
    # 28 pixels become 4 each, 112 in all
    assert [pixel(sheet, x)[0] for x in (0, 3, 4, 7, 8)] == [200, 200, 100, 100, 0]
    assert pixel(sheet, 111, 111) == (0, 0, 0)
    assert pixel(sheet, 114, 50) == (255, 255, 255)


def test_large_pictures_are_shrunk():
    sheet = contact_sheet(np.full((1, 1000, 2000, 3), 60, np.uint8), title="t")
    assert pixel(sheet, 278, 138) == (60, 60, 60)
    assert pixel(sheet, 50, 145) == (255, 255, 255)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_colors_are_kept_in_both_layouts(data_format):
    images = np.zeros((1, 32, 48, 3), np.uint8)
    images[...] = (250, 120, 10)
    if data_format == "channels_first":
        images = images.transpose(0, 3, 1, 2)
    assert pixel(contact_sheet(images, title="t", data_format=data_format), 10, 10) == (250, 120, 10)


def test_float_pictures_are_shown_over_their_own_range_and_the_title_says_so(texts):
    images = np.linspace(-1, 3, 32 * 32, dtype=np.float32).reshape(1, 32, 32, 1)
    sheet = contact_sheet(images, title="val, epoch 1, batch 0")
    assert pixel(sheet)[0] == 0
    assert pixel(sheet, 127, 127)[0] == 255  # 32 pixels become 4 each
    assert texts[0] == "val, epoch 1, batch 0  (float32, black = -1, white = 3)"


def test_what_is_drawn_beside_a_float_picture_has_its_black_and_white(texts):
    images = np.linspace(-1, 3, 32 * 32, dtype=np.float32).reshape(1, 32, 32, 1)
    brighter = [dataclasses.replace(field, array=field.array + 2) for field in fields_of((images,))]
    sheet = contact_sheet(images, title="t", panels=[Panel("after", brighter)], own_name="before")
    after = 128 + 9
    assert pixel(sheet)[0] == 0 and pixel(sheet, after)[0] in (127, 128)
    assert pixel(sheet, after + 64, 127)[0] == 255
    assert texts[0] == "t  (before | after)  (float32, black = -1, white = 3)"


def test_a_few_bright_values_do_not_blacken_the_rest(texts):
    images = np.linspace(-1, 3, 64 * 64, dtype=np.float32).reshape(1, 64, 64, 1)
    images[0, 5, 5] = 900
    sheet = contact_sheet(images, title="t")
    assert pixel(sheet, 127, 127)[0] > 250
    assert pixel(sheet, 11, 11)[0] == 255  # 64 pixels become 2 each


def test_pictures_that_are_constant_or_not_finite_are_drawn():
    for value in (np.nan, np.inf, 0.5):
        assert contact_sheet(np.full((2, 16, 16, 1), value, np.float32), title="t").size[0] > 0


def test_labels_and_sample_numbers_stand_under_the_pictures(texts):
    names = ["cat", "a class whose name is far too long for one cell"]
    contact_sheet(
        np.zeros((3, 64, 64, 1), np.uint8), np.array([0, 1, 2]), title="t", class_names=names, sample_ids=[7, 11, 13]
    )
    _, cat, first, long, second, outside, third = texts
    assert (cat, first, second, outside, third) == ("cat", "#7", "#11", "class 2", "#13")
    assert long.startswith("a class whose") and long.endswith("…e cell")


def test_a_cell_is_as_wide_as_what_is_said_and_a_share_is_never_cut_off(texts):
    pictures = np.zeros((1, 64, 64, 1), np.uint8)
    said = [[module.Remark("predicted Äpfel, 52 %")]]
    assert contact_sheet(pictures, np.zeros(1), title="t", remarks=said).size[0] > 64 * 2 + 2 * 12
    assert "predicted Äpfel, 52 %" in texts
    said = [[module.Remark("predicted something that has a very long name, 52 %")]]
    contact_sheet(pictures, np.zeros(1), title="t", remarks=said)
    assert any(text.startswith("predicted some") and text.endswith("…, 52 %") for text in texts)


@pytest.mark.parametrize("name", ["Äpfel", "Яблоко", "μήλο", "A\u0308pfel"])
def test_letters_of_other_alphabets_are_drawn(name):
    sheets = [
        np.asarray(contact_sheet(np.zeros((1, 64, 64, 1), np.uint8), np.zeros(1), title="t", class_names=[text]))
        for text in (name, "".join("\uffff" for _ in unicodedata.normalize("NFC", name)))  # boxes
    ]
    assert sheets[0].shape == sheets[1].shape and (sheets[0] != sheets[1]).any()


@pytest.mark.parametrize(
    ("y", "num_classes", "label"),
    [
        (np.array([3.14159265]), None, "3.14159"),
        (np.array([[0, 0, 1]], np.float32), 3, "class 2"),
        (np.array([[0.5, 0.25]]), None, "[0.5, 0.25]"),
        (np.array([4]), 10, "class 4"),
    ],
)
def test_targets_of_other_forms_have_labels(texts, y, num_classes, label):
    contact_sheet(np.zeros((1, 32, 32, 1), np.uint8), y, title="t", num_classes=num_classes)
    assert texts[1:] == [label, "row 0"]


def test_a_sheet_is_of_sensible_size_and_says_what_it_leaves_out(texts):
    sheet = contact_sheet(np.zeros((70, 28, 28, 1), np.uint8), title="train, epoch 1, batch 3")
    # 64 in 8 columns and 8 rows; a cell is 112 + 12 wide and 112 + 2 * 18 + 12 high
    assert sheet.size == (12 + 8 * 124, 44 + 8 * 160)
    assert texts[0] == "train, epoch 1, batch 3  (first 64 of 70)"


def test_no_sheet_is_wider_than_a_screen(texts):
    sheet = contact_sheet(np.zeros((64, 300, 900, 3), np.uint8), title="a long title " * 30)
    assert sheet.size[0] <= 1200
    assert texts[0].endswith("…")


def test_a_mask_is_an_outline_in_the_color_of_its_class_and_the_legend_names_it(texts):
    x = np.full((1, 120, 120, 1), 50, np.uint8)
    y = np.zeros((1, 120, 120), np.uint8)
    y[0, 40:80, 40:80] = 2
    spec = (
        FieldSpec((120, 120, 1), "uint8", kind="pixels"),
        FieldSpec((120, 120), "uint8", kind="mask", classes=("background", "cyst", "lesion")),
    )
    sheet = sheet_of((x, y), title="t", spec=spec, sample_ids=[3])
    color = tuple(bytes.fromhex(class_color(2).lstrip("#")))
    at = (12, 44 + 18)  # below the legend's line
    assert sheet.getpixel((at[0] + 40, at[1] + 60)) == color  # the inner edge
    assert sheet.getpixel((at[0] + 41, at[1] + 60)) == (50, 50, 50)
    assert sheet.getpixel((at[0] + 39, at[1] + 60)) == (50, 50, 50)
    assert sheet.getpixel((14, 44 + 4)) == color  # the legend
    assert texts[1:] == ["lesion 11.1 %", "#3"]


def masked(ids, *weights, classes=("background", "cyst", "lesion")):
    """The sheet of one black picture with a mask."""
    size = ids.shape
    spec = (
        FieldSpec((*size, 1), "uint8", kind="pixels"),
        FieldSpec(size, "uint8", kind="mask", classes=classes),
        *(FieldSpec(size, "float32") for _ in weights),
    )
    batch = (np.zeros((1, *size, 1), np.uint8), ids[None], *(array[None] for array in weights))
    return sheet_of(batch, title="t", spec=spec)


def test_pixels_of_weight_0_are_hatched_and_the_legend_says_what_that_means(monkeypatch):
    legend = []
    monkeypatch.setattr(sheet_layout, "write_legend", lambda sheet, line, y: legend.extend(line))
    ids, weights = np.zeros((2, 120, 120), np.float32)
    weights[:, 60:] = 2.5
    sheet = masked(ids.astype(np.uint8), weights)
    tile = np.asarray(sheet.crop((12, 62, 132, 182)))
    gray = (tile == 128).all(axis=-1)
    assert 0.25 < gray[:, :60].mean() < 0.5  # so that the picture still shows
    assert not gray[:, 60:].any()
    assert legend == [("#808080", "not counted")]
    assert not np.asarray(masked(ids.astype(np.uint8)).crop((12, 44, 132, 164))).any()  # without weights all black


def test_the_legend_names_the_lines_of_series(monkeypatch):
    legend = []
    monkeypatch.setattr(sheet_layout, "write_legend", lambda sheet, line, y: legend.extend(line))
    known = FieldSpec((6, 2), "float32", kind="series", columns=("load", "temperature"))
    follows = FieldSpec((3, 1), "float32", kind="series", columns=("load",))
    x, y = np.zeros((2, 6, 2), np.float32), np.zeros((2, 3, 1), np.float32)
    contact_sheet(x, y, title="t", spec=(known, follows))
    assert [name for _, name in legend] == ["load", "temperature", "load (target)"]
    assert len({color for color, _ in legend}) == 3


def test_twenty_classes_have_colors_of_their_own_in_a_legend_that_fits_the_sheet(monkeypatch):
    names = tuple(f"a long name {number}" for number in range(21))
    lines, draw = [], sheet_layout.write_legend

    def write(sheet, line, y):
        lines.append((line, y))
        before = np.asarray(sheet)[:, -10:].copy()
        draw(sheet, line, y)
        assert np.array_equal(np.asarray(sheet)[:, -10:], before)  # nothing reaches the right edge

    monkeypatch.setattr(sheet_layout, "write_legend", write)
    ids = np.repeat(np.repeat(np.arange(21, dtype=np.uint8), 6)[None, :120], 120, axis=0)
    ids[0, :21] = range(21)
    sheet = masked(ids, classes=names)
    told = [entry for line, _ in lines for entry in line]
    assert [name for _, name in told] == list(names[1:])
    assert len({color for color, _ in told}) == 20
    assert len({y for _, y in lines}) == len(lines) > 1
    assert sheet.getpixel((12, max(y for _, y in lines) + 22)) != (255, 255, 255)  # the picture begins below it


def test_what_belongs_to_one_sample_stands_side_by_side(texts):
    black, white = (np.full((1, 120, 120, 1), value, np.uint8) for value in (0, 255))
    sheet = sheet_of(({"a": black, "b": white}, np.array([1])), title="t", class_names=["other", "same"])
    assert pixel(sheet, 119, 60) == (0, 0, 0)
    assert pixel(sheet, 123, 60) == (255, 255, 255)
    assert texts[1:] == ["same", "row 0"]


def test_floats_from_0_to_1_are_shown_as_black_to_white():
    x, y = np.zeros((1, 120, 120, 1), np.uint8), np.full((1, 120, 120, 1), 0.5, np.float32)
    sheet = contact_sheet(x, y, title="t")
    assert pixel(sheet, 129, 60) == (128, 128, 128)


def test_three_planes_of_a_volume_pass_through_the_most_of_its_mask(texts):
    x = np.zeros((1, 108, 108, 108, 1), np.float32)
    y = np.zeros((1, 108, 108, 108), np.uint8)
    y[0, 10:13, 20:30, 30:33], x[0, 10:13, 20:30, 30:33] = 1, 1
    y[0, 12, 20:30, 30:34] = 1
    spec = (FieldSpec(x.shape[1:], "float32", kind="pixels"), FieldSpec(y.shape[1:], "uint8", kind="mask"))
    sheet = sheet_of((x, y), title="t", spec=spec)
    # z 12 has most; the first of the y's with equal counts, and the first of the x's
    assert texts[1:] == ["class 1 0.0 %", "row 0  z 12, y 20, x 30"]
    color = tuple(bytes.fromhex(class_color(1).lstrip("#")))
    at = (12, 44 + 18)
    assert sheet.getpixel((at[0] + 30, at[1] + 107 - 20)) == color  # across the depth: height upwards, columns x
    assert sheet.getpixel((at[0] + 108 + 3 + 30, at[1] + 107 - 10)) == color  # across the height: depth upwards


def test_three_planes_of_a_volume_pass_through_its_rarest_class(texts):
    y = np.ones((1, 20, 20, 20), np.uint8)
    y[0, 3, 5, 7] = 2
    spec = (FieldSpec((20, 20, 20, 1), "uint8", kind="pixels"), FieldSpec(y.shape[1:], "uint8", kind="mask"))
    sheet_of((y[..., None], y), title="t", spec=spec)
    assert texts[-1] == "row 0  z 3, y 5, x 7"


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [
        ((12, 40, 60), [(120, 80), (120, 24), (80, 24)]),  # width and height of each plane, twice as large
        ((70, 280, 560), [(280, 140), (280, 35), (140, 35)]),  # half as large
    ],
)
def test_three_planes_of_a_volume_are_drawn_in_one_scale(monkeypatch, shape, sizes):
    drawn = []
    monkeypatch.setattr(tiles, "beside", lambda planes, gap: drawn.extend(plane.size for plane in planes))
    tiles.volume_tile(np.zeros(shape, np.uint8))
    assert drawn == sizes


def test_a_series_is_drawn_with_what_follows_it():
    x, y = np.zeros((2, 20, 1), np.float32), np.ones((2, 5, 1), np.float32)
    spec = (FieldSpec((20, 1), "float32", kind="series"), FieldSpec((5, 1), "float32", kind="series"))
    sheet = sheet_of((x, y), title="t", spec=spec)
    known, follows = pixel(sheet, 60, 114), pixel(sheet, 240, 6)
    assert max(known) - min(known) < 10 and known[0] < 150  # a gray line below
    assert max(follows) - min(follows) > 100  # a coloured one above


def test_a_predicted_series_is_laid_over_the_target_after_the_end_of_what_is_known(texts, monkeypatch):
    legend, drawn = [], []
    monkeypatch.setattr(sheet_layout, "write_legend", lambda sheet, line, y: legend.extend(line))
    monkeypatch.setattr(series_chart, "series_tile", lambda *lines: drawn.append(lines) or tiles.series_tile(*lines))
    x, y = np.arange(80, dtype=np.float32).reshape(2, 40, 1), np.ones((2, 5, 1), np.float32)
    known = FieldSpec((40, 1), "float32", kind="series", columns=("load",))
    follows = FieldSpec((5, 1), "float32", kind="series", columns=("load",))
    target = fields_of((x, y), (known, follows))[1]
    predicted = dataclasses.replace(target, array=y * 60)
    sheet = sheet_of((x, y), title="t", spec=(known, follows), over=[predicted])
    assert texts[0] == "t  (the last 15 of 40 steps that are known)"
    assert [name for _, name in legend] == ["load", "load (target)", "load (predicted)"]
    np.testing.assert_array_equal(drawn[1][0], x[1, -15:])
    assert sheet.width < 2 * (260 + 12) + 2 * 12  # one chart a sample
    (_, target_color), (_, predicted_color) = ((name, color) for color, name in legend[1:])
    for color in (target_color, predicted_color):
        off = np.abs(np.asarray(sheet).astype(int) - list(bytes.fromhex(color[1:]))).max(axis=-1)
        assert off.min() < 20


def test_each_series_target_has_a_chart_with_its_own_input_and_prediction(texts, monkeypatch):
    drawn = []
    monkeypatch.setattr(series_chart, "series_tile", lambda *lines: drawn.append(lines) or tiles.series_tile(*lines))
    x = {name: np.full((2, 6, 1), number, np.float32) for number, name in enumerate(["wind", "load", "rain"])}
    y = {name: np.full((2, 3, 1), 10 + number, np.float32) for number, name in enumerate(["load", "price"])}
    spec = tuple({name: FieldSpec((None, 1), "float32", kind="series") for name in each} for each in (x, y))
    fields = fields_of((x, y), spec)
    predicted = [dataclasses.replace(field, array=field.array + 100) for field in reversed(fields) if field.is_target]
    panel = module.Panel("after", fields, predicted[:1])
    sheet_of((x, y), title="t", spec=spec, own_name="before", panels=[panel], over=predicted[1:])
    names = "before load | before price | before rain | after load | after price | after rain"
    assert texts[0] == f"t  ({names})"
    charts = [tuple(None if line is None else line[0, 0] for line in lines) for lines in drawn[: len(drawn) // 2]]
    assert charts == [(1, 10, 110), (0, 11, None), (2, None, None), (1, 10, None), (0, 11, 111), (2, None, None)]


def test_predicted_lines_have_the_colours_that_the_legend_says():
    columns = ("a", "b")
    fields = [Field("y", np.zeros((1, 5, 2), np.float32), "series", columns=columns)]
    predicted = dataclasses.replace(fields[0], array=np.ones((1, 5, 2), np.float32))
    colors = dict((name, color) for color, name in module.legend_of([module.Panel("", fields, [predicted])]))
    assert list(colors) == ["a (target)", "b (target)", "a (predicted)", "b (predicted)"]
    assert len(set(colors.values())) == 4
    lines = [np.full((5, 2), (0.0, 1.0)), np.full((5, 2), (2.0, 3.0))]
    tile = np.asarray(tiles.series_tile(None, *lines)).astype(int)
    for value, color in enumerate(colors.values()):
        middle = round((0.95 - 0.9 * value / 3) * (len(tile) - 1))
        near = tile[middle - 3 : middle + 4, 100]  # of a line that is drawn smoothly
        assert np.abs(near - list(bytes.fromhex(color[1:]))).max(axis=-1).min() < 40


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_float_picture_and_its_reconstruction_have_one_black_and_white(texts, dtype):
    y = np.full((1, 32, 32, 1), 3, dtype)
    y[0, 0, 0] = -1
    field = Field("y", y, "pixels")
    predicted = Panel("predicted", [dataclasses.replace(field, array=np.full((1, 32, 32, 1), 9, np.float32))])
    spec = (FieldSpec((4,), "float32"), FieldSpec((32, 32, 1), dtype, kind="pixels"))
    sheet_of((np.zeros((1, 4), np.float32), y), title="t", spec=spec, panels=[predicted])
    assert texts[0].count("black") == texts[0].count("black = -1, white = 3")


def test_several_targets_are_named_under_the_picture(texts):
    y = {"kind": np.array([1]), "price": np.array([2.5], np.float32)}
    spec = (
        FieldSpec((32, 32, 1), "uint8"),
        {"kind": FieldSpec((), "int32", classes=("flat", "house")), "price": FieldSpec((), "float32")},
    )
    sheet_of((np.zeros((1, 32, 32, 1), np.uint8), y), title="t", spec=spec)
    assert texts[1:] == ["kind house", "price 2.5", "row 0"]


def test_there_is_no_sheet_of_plain_numbers():
    assert contact_sheet(np.zeros((3, 4), np.float32), np.zeros(3), title="t") is None
