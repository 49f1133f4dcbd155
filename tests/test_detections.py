"""Regions of a detector are read from a file, and nothing else is."""

import io
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save as safetensors_bytes

import vl_core
from vl_core.detections import MOST_BYTES, Detections
from vl_core.errors import ImageError

FEATURES = np.arange(12, dtype=np.float32).reshape(3, 4)
BOXES = np.array([[0, 1, 5, 6], [2, 2, 9, 4], [1, 0, 2, 8]], float)


def npz(**arrays):
    """The bytes of a .npz file."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


@pytest.mark.parametrize("write", [npz, lambda **arrays: safetensors_bytes(arrays)])
def test_both_kinds_of_file_are_read(write, tmp_path):
    """From bytes and from a path, every number as it was."""
    content = write(features=FEATURES, boxes=BOXES)
    (tmp_path / "regions").write_bytes(content)

    for source in (content, tmp_path / "regions", str(tmp_path / "regions")):
        found = Detections.read(source)
        assert len(found) == 3
        np.testing.assert_array_equal(found.features, FEATURES)
        np.testing.assert_array_equal(found.boxes, BOXES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (b"hello, this is no file of arrays", "cannot be read"),
        (npz(features=FEATURES), "boxes"),
        (npz(features=FEATURES, boxes=BOXES[:2]), r"\(2, 4\)"),
        (npz(features=FEATURES[0], boxes=BOXES), "shape"),
        (npz(features=np.float64(3), boxes=BOXES), "shape"),
        (npz(features=FEATURES.astype(np.float64) * 1e300, boxes=BOXES), "not finite"),
        (npz(features=FEATURES + 1j, boxes=BOXES), "complex"),
        (npz(features=FEATURES * np.nan, boxes=BOXES), "not finite"),
        (npz(features=FEATURES, boxes=BOXES[:, ::-1].copy()), "without an area"),
        (npz(features=np.zeros((0, 4)), boxes=np.zeros((0, 4))), "1 to 1000"),
        (npz(features=np.array([{}], object), boxes=BOXES), "cannot be read"),
    ],
)
def test_anything_else_is_refused_with_a_sentence(content, message):
    """Pickled objects among it; what is wanted is always said."""
    with pytest.raises(ImageError, match=message) as error:
        Detections.read(content)
    assert "boxes" in str(error.value)


def test_a_missing_file_is_a_sentence(tmp_path):
    """And no traceback."""
    with pytest.raises(ImageError, match="nowhere"):
        Detections.read(tmp_path / "nowhere.npz")


def test_what_unpacks_to_too_much_is_not_unpacked():
    """A small file that claims to hold gigabytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features.npy", bytes(MOST_BYTES + 1))
    with pytest.raises(ImageError, match="unpack"):
        Detections.read(content.getvalue())


def test_any_other_number_is_another_digest():
    """What the store is keyed by."""
    digests = {
        Detections(features, boxes).digest
        for features in (FEATURES, FEATURES + 1)
        for boxes in (BOXES, BOXES + 1)
    }
    assert len(digests) == 4


def test_they_are_at_hand_with_the_core():
    """Who asks a model of regions needs no other import."""
    found = vl_core.Detections(np.ones((2, 7)), np.array([[0, 0, 5, 3], [1, 1, 4, 4]]))
    example = vl_core.Example(None, "what is this?", detections=found)

    assert example.detections is found
    assert "Detections" in vl_core.__all__
