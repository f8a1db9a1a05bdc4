import numpy as np

from seqtrain.sources.object_masks import MaskedObject, paint

SQUARE = np.ones((2, 2), dtype=bool)


def test_the_last_object_wins_and_what_it_hides_is_counted():
    objects = [MaskedObject(1, SQUARE), MaskedObject(7, SQUARE, top=1, left=1), MaskedObject(2, SQUARE, top=1)]
    mask, overlaps = paint(objects, (3, 4))
    assert mask.tolist() == [[1, 1, 0, 0], [2, 2, 7, 0], [2, 2, 7, 0]]
    assert mask.dtype == np.uint8
    assert overlaps == 1 + 4 - 1  # the second hides one pixel of the first; the third, one of the first and two others


def test_pixels_outside_of_an_object_stay():
    ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=bool)
    assert paint([MaskedObject(1, np.ones((3, 3), dtype=bool)), MaskedObject(2, ring)], (3, 3))[0][1, 1] == 1


def test_no_objects_are_all_background():
    mask, overlaps = paint([], (2, 3))
    assert mask.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert overlaps == 0


def test_regions_that_lie_column_after_column_are_painted_alike():
    generator = np.random.default_rng(0)
    objects = []
    for number in range(1, 30):
        height, width, top, left = generator.integers(1, 9, 4).tolist()
        objects.append(MaskedObject(number, generator.random((height, width)) < 0.6, top, left))
    by_columns = [MaskedObject(o.class_id, np.asfortranarray(o.region), o.top, o.left) for o in objects]
    one, other = paint(objects, (17, 19)), paint(by_columns, (17, 19), column_major=True)
    assert np.array_equal(one[0], other[0])
    assert one[1] == other[1]
    assert other[0].flags.c_contiguous
