"""Examples: what a visitor types or uploads, in the form that every model gets."""

import io
import unicodedata
from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.builders import random_picture
from vl_core.errors import ImageError, TextError
from vl_core.example import Example, Region, _check_parts, clean_text, joined_parts


def test_a_picture_becomes_upright_rgb():
    """Whatever mode it came in; size is width and height."""
    example = Example(random_picture((40, 24)).convert("L"), "what is it?")

    assert example.image.mode == "RGB"
    assert example.size == (40, 24)


def test_bytes_paths_and_strings_are_read(tmp_path):
    """The same picture, however it is handed over."""
    content = io.BytesIO()
    random_picture((40, 24)).save(content, "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(content.getvalue())
    for source in (content.getvalue(), path, str(path)):
        np.testing.assert_array_equal(
            np.asarray(Example(source, "what?").image), np.asarray(random_picture((40, 24)))
        )


def test_text_may_stand_alone():
    """An example without a picture has no size."""
    example = Example(None, "what is it?")

    assert example.image is None
    assert example.size is None


def test_a_bad_picture_is_refused_when_the_example_is_made():
    """Not later, in the model."""
    with pytest.raises(ImageError, match="not a picture"):
        Example(b"not an image", "what is it?")


@pytest.mark.parametrize(
    "text", ["", " ", "\t\n\r\x00", "\x1b\x07", "\u00a0\u2003", "\u200b\u200e\ufeff", "\ud800"]
)
def test_a_text_without_anything_to_read_is_refused(text):
    """Empty, blanks, control characters, invisible marks, half a surrogate pair."""
    with pytest.raises(TextError, match="The question is empty"):
        Example(None, text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("  what   is it? ", "what is it?"),
        ("what\nis\r\n\tit?", "what is it?"),
        ("what\x00is\x1bit?\x7f", "what is it?"),
        ("what\u2028is\u00a0it?", "what is it?"),
        ("cafe\u0301", "café"),
        ("is \ud83d half", "is half"),
    ],
)
def test_a_text_is_put_on_one_line(text, wanted):
    """Blanks and control characters part words, accents join their letters."""
    assert Example(None, text).text == wanted


@pytest.mark.parametrize(
    "text",
    [
        "is that a 🦜?",
        "👩\u200d👩\u200d👧 and 🏳\ufe0f\u200d🌈",
        "מה הצבע של הכוכב?",
        "ما لون \u200fالنجمة؟",
        "星は何色？",
        "<script>alert(1)</script> <b>bold</b> &amp; [link](javascript:alert(1)) $x^2$",
        "'; DROP TABLE examples; --",
    ],
)
def test_a_readable_text_stays_as_it_is(text):
    """Emoji, right-to-left and other scripts; HTML, Markdown and code are text, not commands."""
    assert Example(None, text).text == text


@given(st.text())
def test_a_clean_text_is_clean(text):
    """It is one line of printable UTF-8, and cleaning it again changes nothing."""
    try:
        cleaned = clean_text(text)
    except TextError:
        return

    assert clean_text(cleaned) == cleaned
    assert cleaned.encode("utf-8")
    assert cleaned == cleaned.strip()
    assert not any(unicodedata.category(character) == "Cc" for character in cleaned)


def test_regions_name_characters_of_the_text():
    """A span cuts the words out that name the region."""
    region = Region("star", (1, 2, 9, 8), (7, 11))

    example = Example(Image.new("RGB", (20, 16)), "is the star red?", (region,), "yes")

    assert example.regions == (region,)
    assert example.text[slice(*example.regions[0].span)] == "star"
    assert example.answer == "yes"


@pytest.mark.parametrize("span", [(-1, 3), (3, 3), (5, 3), (0, 17)])
def test_a_span_outside_the_text_is_refused(span):
    """The message names the region, its characters and the length of the text."""
    with pytest.raises(TextError, match=f"Region star .* {span[0]} to {span[1]} of a text of 16"):
        Example(None, "is the star red?", (Region("star", (1, 2, 9, 8), span),))


def test_spans_need_a_clean_text():
    """Taking out a blank would move them, and grounding would measure other words in silence."""
    region = Region("star", (1, 2, 9, 8), (8, 12))
    with pytest.raises(TextError, match="Pass the text through clean_text first"):
        Example(None, "is  the star red?", (region,))
    assert Example(None, "is  the star", (Region("star", (1, 2, 9, 8)),)).text == "is the star"


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((1, float("nan"), 9, 8), "four finite numbers are wanted"),
        ((9, 2, 1, 8), "which has no area"),
        ((1, 2, 21, 8), "not inside the picture of 20 x 16 pixels"),
        ((1, 2, 9, 17), "not inside the picture of 20 x 16 pixels"),
    ],
)
def test_a_box_that_is_no_place_in_the_picture_is_refused(box, message):
    """The message names the region, its box and the unit of boxes."""
    picture = Image.new("RGB", (20, 16))
    with pytest.raises(ImageError, match=f"Region star .*{message}.* pixels of the upright"):
        Example(picture, "is the star red?", (Region("star", box),))


def test_parts_are_joined_and_can_be_taken_apart_again():
    """Each is cleaned for itself, and breaks are where the later ones begin."""
    text, breaks = joined_parts([" what is\nthat?", "a  star", "it has five points"])

    example = Example(None, text, task="candidate", breaks=breaks)

    assert text == "what is that? a star it has five points"
    assert [text[place] for place in breaks] == ["a", "i"]
    assert example.parts == ("what is that?", "a star", "it has five points")
    assert Example(None, "what is that?").parts == ("what is that?",)


@pytest.mark.parametrize("question", [None, 5, ["what?"], b"what?"])
def test_a_question_is_a_text(question):
    """What is none is told so, in a sentence; nothing checks types where the app runs."""
    with pytest.raises(TextError, match=f"came as {type(question).__name__}, which is no text"):
        unwrap(clean_text)(question)


@pytest.mark.parametrize("breaks", [(0,), (4,), (5, 5), (3, 1), (9,), (-1,)])
def test_breaks_leave_no_part_empty(breaks):
    """At the ends, twice at one place, backwards and outside there is none."""
    with pytest.raises(TextError, match=r"parted at .* which leaves an empty part"):
        Example(None, "a bc", breaks=breaks)


def test_what_is_judged_needs_a_part_of_its_own():
    """A question alone is no candidate, and there is no other task than those that are named."""
    with pytest.raises(TextError, match="to be judged as a source"):
        Example(None, "is the star red?", task="source")
    with pytest.raises(TextError, match="there are answer, candidate, source"):
        unwrap(_check_parts)("is the star red?", (), "guess")  # without the types of the tests
