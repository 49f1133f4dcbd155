"""What a user typed is shown as typed, a share as it is; what leaves a page says what it is."""

import re

import plotly.graph_objects as go
import pytest

from pages.shared import requests, session
from pages.shared.layout import captioned, cut, escaped, percent, said_about_example
from pages.shared.requests import Request
from tests.builders import random_trace


@pytest.mark.parametrize("mark", list("\\`*_{}[]()<>#+-.!|~$:&"))
def test_every_mark_of_markdown_is_escaped(mark):
    """A backslash before each takes its meaning away."""
    assert escaped(f"a{mark}b") == f"a\\{mark}b"


@pytest.mark.parametrize(
    "text",
    ["see http://a.b/c.", "HTTPS://a.b", "www.a.org", "write to me.too@a.b", "https://www.a.b"],
)
def test_an_address_is_no_link(text):
    """What GitHub's Markdown looks for in a text is parted by a character that nobody sees."""
    found = escaped(text).replace("\\", "")

    assert found.replace("\N{WORD JOINER}", "") == text
    assert not re.search(r"https?://|www\.|[\w.+-]@\w", found, re.IGNORECASE)


def test_plain_words_stay_as_they_are():
    """Letters of any script, digits and blanks have no meaning in Markdown."""
    assert escaped("what color is it 12 ⭐ מה") == "what color is it 12 ⭐ מה"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a star", "a star"), ("a stars", "a sta…"), ("a st rs", "a st…"), ("", "")],
)
def test_a_text_that_is_too_long_is_cut_and_tells_so(text, shown):
    """No longer than is wanted, with no blank before the mark."""
    assert cut(text, 6) == shown


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (0, "0 %"),
        (1.7e-5, "<0.1 %"),
        (0.0123, "1.2 %"),
        (0.5, "50 %"),
        (0.997, "99.7 %"),
        (0.99996, ">99.9 %"),
        (1, "100 %"),
    ],
)
def test_a_share_is_never_rounded_to_nothing_or_to_all(share, written):
    """Only what is nothing or all says so."""
    assert percent(share) == written


@pytest.mark.parametrize(
    ("shown", "picture"),
    [
        (requests.worked_example(), "the star by the moon"),
        (Request("embedded", "scene", "10000007", "?"), "scene 10000007"),
        (Request("embedded", "upload", "0" * 64, "?"), "an uploaded picture"),
    ],
)
def test_what_leaves_a_page_names_picture_question_and_model(monkeypatch, shown, picture):
    """The question is the one that was analysed."""
    trace = random_trace()
    monkeypatch.setattr(session, "request", lambda: shown)
    monkeypatch.setattr(session, "trace", lambda: trace)

    assert said_about_example() == f"{picture} · {trace.example.text} · embedded model"


def test_a_caption_leaves_the_figure_on_the_page_alone():
    """All visitors share it; and a question that looks like HTML stays text."""
    figure = go.Figure(layout={"title": {"text": "Map"}, "height": 100})

    captioned_figure = captioned(figure, "<b>what</b>")

    assert captioned_figure.layout.title.subtitle.text == "&lt;b&gt;what&lt;/b&gt;"
    assert captioned_figure.layout.title.text == "Map"
    assert figure == go.Figure(layout={"title": {"text": "Map"}, "height": 100})
