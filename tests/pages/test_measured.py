"""What is said of each head in words and numbers."""

import numpy as np
import pytest

from pages.shared.measured import Measured, Notes, written


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.12345, None, "0.123"),
        (-12.345, None, "−12.3"),
        (1234.5, None, "1234"),
        (-98765.4, None, "−98765"),
        (1.234e-5, None, "1.23e−05"),
        (0.0, None, "0"),
        (-0.0004, 2, "0.00"),
        (np.nan, None, "missing"),
        (np.nan, 1, "missing"),
    ],
)
def test_numbers_are_written_for_reading(value, decimals, text):
    """Three significant digits or so many decimals, true minus signs, none before zero."""
    assert written(value, decimals) == text


def test_a_note_is_a_sentence_with_numbers_filled_in():
    """Which sentence, and which numbers, is told by the head."""
    numbers = np.arange(6).reshape(2, 3) / 7
    notes = Notes(("low {0}", "high {1}"), np.array([[0, 1, 0], [1, 1, 0]]), (numbers, -numbers), 1)
    shown = Measured("Name", "unit", numbers, "What it is.", notes=notes)

    assert shown.notes_on(0, 2) == ["low 0.3"]
    assert shown.notes_on(1, 1) == ["high −0.6"]
    assert Measured("Name", "unit", numbers, "What it is.").notes_on(0, 0) == []


def test_one_sentence_serves_all_heads():
    """Where there is nothing to choose."""
    assert Notes(("always",)).on(4, 5) == "always"
