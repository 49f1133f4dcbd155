"""Embeddings: the order of the sequence, and cells in the place where they lie."""

import pytest
import torch

from tests.families.kdvlp.small import small_config
from vl_core.families.kdvlp.embeddings import Cells, KDVLPEmbeddings, raster
from vl_core.families.kdvlp.modelling import KDVLPModel


def random_cells(n_pictures=2, n_rows=3, n_columns=5, channels=14):
    """All cells of pictures with noise for features."""
    return raster(torch.randn(n_pictures, channels, n_rows, n_columns), None, 16)


def test_raster_goes_row_by_row():
    """Cell k lies in row k // columns and column k % columns, with the features of that place."""
    feature_map = torch.randn(2, 14, 3, 5)
    cells = raster(feature_map, None, 16)

    for k in range(15):
        row, column = k // 5, k % 5
        assert cells.places[1, k].tolist() == [row, column]
        assert torch.equal(cells.features[1, k], feature_map[1, :, row, column])
    assert cells.grid.tolist() == [[3, 5], [3, 5]]
    assert cells.mask.all()


def test_raster_masks_the_cells_of_padding():
    """Cells without a pixel of the picture are masked and do not count for the grid."""
    mask = torch.zeros(2, 48, 80)
    mask[0, :32, :80], mask[1, :48, :48] = 1, 1
    cells = raster(torch.randn(2, 14, 3, 5), mask, 16)

    assert cells.grid.tolist() == [[2, 5], [3, 3]]
    assert cells.mask[0].tolist() == [True] * 10 + [False] * 5
    assert cells.mask[1].tolist() == ([True] * 3 + [False] * 2) * 3


@pytest.mark.parametrize("norm_order", ["pre", "post"])
def test_text_comes_before_the_cells(norm_order):
    """The first vectors depend on the words alone, the others on the cells alone."""
    model = KDVLPModel(small_config(norm_order=norm_order)).embeddings.eval()
    ids, types = torch.randint(0, 20, (2, 7)), torch.zeros(2, 7, dtype=torch.long)
    cells, others = random_cells(), random_cells()
    vectors = model(ids, types, cells)

    assert vectors.shape == (2, 7 + 15, 24)
    assert torch.equal(model(ids, types, None), vectors[:, :7])
    assert torch.equal(model(ids, types, others)[:, :7], vectors[:, :7])
    assert torch.equal(model(ids.flip(1), types, cells)[:, 7:], vectors[:, 7:])


def test_masked_cells_do_not_show_what_they_hold():
    """A masked cell's vector depends on its place, no longer on its features."""
    model = KDVLPEmbeddings(small_config())
    torch.nn.init.normal_(model.cells.mask_vector)
    ids, types = torch.randint(0, 20, (2, 7)), torch.zeros(2, 7, dtype=torch.long)
    masked = torch.zeros(2, 15, dtype=torch.bool)
    masked[:, 4] = True
    one, other = (model(ids, types, random_cells(), masked)[:, 7:] for _ in range(2))

    assert torch.equal(one[:, 4], other[:, 4])
    assert not torch.allclose(one[:, 3], other[:, 3])


def test_a_tag_is_added_to_the_cells_that_it_covers():
    """A tagged cell moves by the tag's vector, the others stay."""
    model = KDVLPEmbeddings(small_config())
    ids, types, cells = (
        torch.ones(2, 7, dtype=torch.long),
        torch.zeros(2, 7, dtype=torch.long),
        None,
    )
    cells = random_cells()
    tags = torch.zeros(2, 15, 7)
    tags[1, 6, 3] = 1
    moved = model(ids, types, cells, cell_tags=tags) - model(ids, types, cells)

    torch.testing.assert_close(moved[1, 7 + 6], model.cells.tag_embeddings.weight[3])
    assert moved.abs().sum(-1).nonzero().tolist() == [[1, 7 + 6]]


def test_a_selection_of_cells_has_the_vectors_of_the_whole():
    """Leaving cells out changes nothing in those that stay: their places travel with them."""
    model = KDVLPEmbeddings(small_config())
    ids, types, cells = (
        torch.ones(2, 7, dtype=torch.long),
        torch.zeros(2, 7, dtype=torch.long),
        None,
    )
    cells, kept = random_cells(), [11, 2, 7]
    some = Cells(cells.features[:, kept], cells.places[:, kept], cells.grid, cells.mask[:, kept])
    whole = model(ids, types, cells)[:, 7:]

    torch.testing.assert_close(model(ids, types, some)[:, 7:], whole[:, kept])
