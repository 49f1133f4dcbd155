"""Labels of cells, against the exact masks of the objects."""

import numpy as np

from training.labels import BACKGROUND, IGNORED, Labelled
from vl_core.datasets.scenes import COLORS, SHAPES, SIZES, scene


def labelled():
    """Scenes of several sizes."""
    return [Labelled(scene(seed)) for seed in range(40)]


def test_an_object_lies_in_the_cells_that_show_most_of_it():
    """The cells an object is said to lie in hold nearly all of its pixels."""
    shares = []
    for one in labelled():
        rows, columns = one.grid
        masks = one.scene.masks().reshape(-1, rows, 16, columns, 16).sum(axis=(2, 4))
        for pixels, covers in zip(masks.reshape(len(masks), -1), one.covers, strict=True):
            shares.append(pixels[covers].sum() / pixels.sum())

    assert np.mean(shares) > 0.9
    assert min(shares) > 0.3  # a narrow one on the corner of four cells


def test_cells_carry_the_labels_of_the_object_they_show():
    """Shape, color and size of a cell are those of its owner, who lies in it; others are empty."""
    for one in labelled():
        for cell, owner in enumerate(one.owner):
            shape, color, size = one.cell_labels[:, cell]
            if owner < 0:
                assert (shape, color, size) == (BACKGROUND, BACKGROUND, IGNORED)
                assert not one.covers[:, cell].any()
                continue
            shown = one.scene.objects[owner]
            assert (SHAPES[shape], COLORS[color], SIZES[size]) == (
                shown.shape,
                shown.color,
                shown.size,
            )
            assert one.covers[owner, cell]


def test_an_object_knows_the_cell_of_its_centre():
    """Row and column of an object are those of a cell that it lies in."""
    for one in labelled():
        for labels, covers in zip(one.object_labels, one.covers, strict=False):
            row, column = labels[3:]
            assert covers[row * one.grid[1] + column]
