"""Which cells are tagged with an object, against training's own labels and a plain count."""

import numpy as np
import pytest

from training.labels import Labelled
from vl_core.datasets.scenes import scene
from vl_core.example import Region
from vl_core.families.kdvlp.tags import cell_tags, covered


def region(box, number, span=None):
    """An object's place."""
    return Region(f"[{number}]", box, span, number=number)


def pixel_by_pixel(box, grid, size):
    """The same rule on a picture of whole pixels: a quarter of a cell's, or the middle in it."""
    width, height = size
    is_inside = np.zeros((height, width), bool)
    left, top, right, bottom = box
    is_inside[top:bottom, left:right] = True
    rows, columns = grid
    cells = is_inside.reshape(rows, height // rows, columns, width // columns)
    found = cells.mean(axis=(1, 3)) >= 0.25
    middle = (top + bottom) / 2 * rows / height, (left + right) / 2 * columns / width
    found[int(middle[0]), int(middle[1])] = True
    return found.ravel()


def test_cells_are_those_of_a_count_of_pixels():
    """Boxes of all sizes in a picture whose cells are 8 x 4 pixels: 4 rows of 7 cells."""
    rng = np.random.default_rng(2)
    size, grid = (56, 16), (4, 7)
    for _ in range(300):
        left, right = sorted(rng.choice(57, 2, replace=False).tolist())
        top, bottom = sorted(rng.choice(17, 2, replace=False).tolist())
        box = (float(left), float(top), float(right), float(bottom))
        tags = cell_tags([region(box, 2)], size, grid, 5)

        assert tags.shape == (1, 28, 5)
        wanted = pixel_by_pixel((left, top, right, bottom), grid, size)
        np.testing.assert_array_equal(tags[0, :, 3].numpy(), wanted)
        assert tags.sum() == wanted.sum()


@pytest.mark.parametrize("scale", [1, 2.5])
def test_a_scenes_tags_are_those_of_training(scale):
    """In a picture of any size, but for cells that only the drawn center of a shape lies in."""
    n_others = n_cells = 0
    for seed in range(10_000_000, 10_000_150):
        one = scene(seed)
        labelled = Labelled(one)
        size = (round(one.width * scale), round(one.height * scale))
        regions = [
            region(tuple(edge * scale for edge in shown.box), number)
            for number, shown in enumerate(one.objects)
        ]
        tags = cell_tags(regions, size, labelled.grid, 7)[0].numpy().astype(bool)
        own = tags[:, 1 : len(one.objects) + 1].T
        n_others += (own != labelled.covers).sum()
        n_cells += labelled.covers.sum()
        for shown, mine, theirs in zip(one.objects, own, labelled.covers, strict=True):
            row, column = int(shown.y // 16), int(shown.x // 16)
            is_center = np.arange(mine.size) == row * labelled.grid[1] + column
            assert not (theirs & ~mine & ~is_center).any()

    assert n_others <= 0.001 * n_cells


def test_an_object_that_is_named_twice_is_tagged_once():
    """And all numbered objects are, whether a text names them or not."""
    box, other = (0.0, 0.0, 40.0, 30.0), (60.0, 20.0, 80.0, 60.0)
    once = cell_tags([region(box, 0), region(other, 1)], (80, 60), (3, 4), 7)
    twice = cell_tags(
        [region(box, 0, (2, 5)), region(box, 0, (9, 12)), region(other, 1)], (80, 60), (3, 4), 7
    )

    assert np.array_equal(once, twice)
    assert set(np.unique(once)) == {0, 1}


def test_objects_beyond_the_models_tags_have_none():
    """Of 7 tags the first is unused: objects 0 to 5 have one."""
    box = (0.0, 0.0, 80.0, 60.0)
    tags = cell_tags([region(box, number) for number in (5, 6, 40, -1)], (80, 60), (3, 4), 7)

    assert tags.sum(dim=(0, 1)).tolist() == [0, 0, 0, 0, 0, 0, 12]


def test_regions_without_numbers_give_no_tags():
    """A box that is known is no tagged object."""
    assert cell_tags([Region("star", (0, 0, 9, 9))], (80, 60), (3, 4), 7) is None
    assert cell_tags([], (80, 60), (3, 4), 7) is None


def test_a_box_that_touches_the_edge_has_its_middle_inside():
    """As thin as boxes get, and a hundredth of a pixel beyond."""
    tags = cell_tags([region((79.999, 59.999, 80.01, 60.01), 0)], (80, 60), (3, 4), 7)

    assert tags[0, :, 1].tolist() == [0] * 11 + [1]
    assert covered((0, 0, 0.1, 0.1), (0, 0), (2, 3)).tolist() == [True] + [False] * 5
