"""A data set as its owner names it."""

import pytest

from vl_core.datasets.named import named


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("mine=photos", ("mine", "photos")),
        (" my photos = some/photos ", ("my photos", "some/photos")),
        ("photos", ("", "photos")),
        ("mine=seed=3/photos", ("mine", "seed=3/photos")),
        ("runs/seed=3", ("", "runs/seed=3")),
        ("=photos", ("", "=photos")),
        ("mine=", ("", "mine=")),
    ],
)
def test_a_name_ends_at_the_first_sign_and_has_no_folder(said, wanted):
    """Whatever comes after it is the path's own."""
    assert named(said) == wanted


def test_a_path_that_is_there_needs_no_name(tmp_path, monkeypatch):
    """Even if it looks like a name and a path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seed=3").mkdir()

    assert named("seed=3") == ("", "seed=3")
