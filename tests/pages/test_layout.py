"""What a user typed is shown as it was typed: Streamlit's labels and errors are Markdown."""

import pytest

from pages.shared.layout import escaped


@pytest.mark.parametrize("mark", list("\\`*_{}[]()<>#+-.!|~$:&"))
def test_every_mark_of_markdown_is_escaped(mark):
    """A backslash before each takes its meaning away."""
    assert escaped(f"a{mark}b") == f"a\\{mark}b"


def test_plain_words_stay_as_they_are():
    """Letters of any script, digits and blanks have no meaning in Markdown."""
    assert escaped("what color is it 12 ⭐ מה") == "what color is it 12 ⭐ מה"
