"""Arrays of different lengths on disk."""

import numpy as np

from training.cache import Ragged, chunks, write_chunks
from training.group import Group


def arrays():
    """Seven arrays, no two of one shape."""
    return [np.full((number + 1, 3), number, np.uint8) for number in range(7)]


def test_arrays_come_back_in_their_shapes(tmp_path):
    """Two processes write half of the chunks each; every array is read as it was."""
    pieces = chunks(7, 3)
    for rank in range(2):
        write_chunks(
            tmp_path, pieces, Group(rank, 2), lambda piece: [arrays()[number] for number in piece]
        )
    ragged = Ragged(tmp_path, pieces, [array.shape for array in arrays()])

    for number, array in enumerate(arrays()):
        np.testing.assert_array_equal(ragged[number], array)


def test_a_second_run_makes_only_what_is_missing(tmp_path):
    """Files that are there are kept; one that was being written when the run stopped is not."""
    pieces, made = chunks(7, 3), []

    def make(piece):
        made.append(piece)
        return [arrays()[number] for number in piece]

    write_chunks(tmp_path, pieces, Group(0, 1), make)
    (tmp_path / "00001.npy").rename(tmp_path / "00001.partial")
    made.clear()
    write_chunks(tmp_path, pieces, Group(0, 1), make)

    assert made == [range(3, 6)]
