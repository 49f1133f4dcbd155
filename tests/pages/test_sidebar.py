"""What a browser tells of the sidebar's fields, and what is taken for a wish."""

import pytest

from pages.shared import sidebar


@pytest.mark.parametrize(("said", "asked"), [("star-by-moon", []), ("highest", ["highest"])])
def test_the_old_value_of_a_field_said_again_asks_for_nothing(monkeypatch, said, asked):
    """A browser that has not drawn the last run yet sends it once more; another value counts."""
    wanted = []
    state = {"entry": said, "shown_entry": "star-by-moon", "model": "embedded"}
    monkeypatch.setattr(sidebar.st, "session_state", state)
    monkeypatch.setattr(sidebar.question_form, "ask", lambda one: wanted.append(one.name))

    sidebar._show_gallery_entry()

    assert wanted == asked
