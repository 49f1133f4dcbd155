"""How the heads page's numbers are written."""

import pytest

from pages.shared.head_numbers import decimals
from pages.shared.measured import written
from vl_core.figures.color_scale import ColorScale


@pytest.mark.parametrize(
    ("low", "high", "value", "text"),
    [
        (0.1, 0.9999, 0.9999, "1.000"),
        (0.9, 1.0, 0.9999, "0.9999"),
        (-3.0, 3.0, -1.23456, "\N{MINUS SIGN}1.23"),
        (0.0, 4000.0, 1234.56, "1234.6"),
        (0.0, 3e-9, 2e-9, "0.0000000"),
        (0.25, 0.25, 0.25, "0.250"),
    ],
)
def test_a_number_has_as_many_decimals_as_the_scale_asks_for(low, high, value, text):
    """What tells a thousandth of it apart, seven at most; three where all heads are equal."""
    assert written(value, decimals(ColorScale(low, high, ("#000000", "#ffffff")))) == text
