"""How much memory a model takes beside its weights."""

import pytest

from vl_core.checkpoints.sizes import needed


@pytest.mark.parametrize(
    ("weights", "beside"),
    [(7e6, 7e6), (299e6, 299e6), (1026e6, 300e6), (1500e6, 300e6), (14e9, 2.8e9)],
)
def test_a_model_needs_a_fifth_more_and_a_small_one_what_its_check_takes(weights, beside):
    """SmolVLM-256M, of 1026 MB in float32, took 257 MB more when it was loaded and checked."""
    assert needed(weights) == pytest.approx(weights + beside)
