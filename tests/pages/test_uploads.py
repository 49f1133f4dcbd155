"""What a visitor uploads or types gives the right picture or one sentence, no traceback."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

APP = str(Path(__file__).parents[2] / "streamlit_app.py")


@pytest.fixture
def app():
    """The app, ready for an upload."""
    app = AppTest.from_file(APP, default_timeout=180).run()
    app.sidebar.selectbox(key="source").set_value("upload").run()
    return app


def encoded(picture, kind="PNG", **options):
    """The bytes of a picture file."""
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


def photograph(width=96, height=64, mode="RGB"):
    """A picture that is no scene: random pixels."""
    rng = np.random.default_rng(width)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).convert(mode)


def upload(app, content, name="picture.png", question="what color is the star?"):
    """Upload a file and, if it is accepted, ask the question."""
    app.sidebar.file_uploader(key="file").upload(name, content).run()
    ask = next(button for button in app.sidebar.button if button.label == "Analyse")
    if not ask.disabled:
        app.sidebar.text_input(key="question").set_value(question)
        ask.click().run()
    return app


def said(app):
    """The error sentences on the page, as a reader sees them."""
    return [error.value.replace("\\", "") for error in app.error]


GOOD = {
    "photograph": encoded(photograph(), "JPEG"),
    "animated GIF": encoded(
        photograph(), "GIF", save_all=True, append_images=[photograph(mode="L").convert("RGB")]
    ),
    "CMYK": encoded(photograph(mode="CMYK"), "JPEG"),
    "16 bits": encoded(
        Image.fromarray(np.linspace(0, 65535, 96 * 64).reshape(64, 96).astype(np.uint16))
    ),
    "palette": encoded(photograph(mode="P")),
    "RGBA": encoded(photograph(mode="RGBA")),
}
BAD = {
    "not a picture": (b"hello", "not a picture"),
    "empty": (b"", "empty"),
    "truncated": (encoded(photograph(400, 300))[:2000], "damaged or cut short"),
    "one pixel": (encoded(Image.new("RGB", (1, 1))), "1 x 1"),
    "a strip": (encoded(Image.new("RGB", (20000, 10))), "20000 x 10"),
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(64), "HEIC"),
    "a bomb": (encoded(Image.new("1", (30000, 30000))), "million"),
}


@pytest.mark.parametrize("name", GOOD)
def test_unusual_but_sound_pictures_are_analysed(app, name):
    """Each is shown as its owner sees it, and the page moves on to it."""
    upload(app, GOOD[name])

    assert not app.exception
    assert said(app) == []
    assert "image" in app.query_params


@pytest.mark.parametrize("name", BAD)
def test_pictures_that_cannot_be_used_are_refused_in_one_sentence(app, name):
    """The sentence says what came; the last good result stays."""
    content, part = BAD[name]

    upload(app, content)

    assert not app.exception
    assert len(said(app)) == 1
    assert part in said(app)[0]
    assert app.query_params["example"] == "star-by-moon"


@pytest.mark.parametrize(
    ("question", "part"),
    [
        ("", "empty"),
        ("  \t ", "empty"),
        ("what " * 90, "at most 62"),
    ],
)
def test_questions_that_cannot_be_asked_are_refused_in_one_sentence(app, question, part):
    """Too long says how many tokens fit; the last good result stays."""
    upload(app, GOOD["photograph"], question=question)

    assert not app.exception
    assert len(said(app)) == 1
    assert part in said(app)[0]
    assert app.query_params["example"] == "star-by-moon"


@pytest.mark.parametrize(
    "question",
    [
        "where is the axolotl?",
        "what color is the ⭐?",
        "מה צבע הכוכב?",
        "what\x00color\x1bis it?",
        "<script>alert(1)</script> <b>bold</b>",
        "$x$ **bold** :red[color] [link](http://example.org)",
    ],
)
def test_strange_questions_are_asked_as_they_are(app, question):
    """Unknown words, emoji, right-to-left text, control characters and markup are just text."""
    upload(app, GOOD["photograph"], question=question)

    assert not app.exception
    assert said(app) == []
    assert "image" in app.query_params


def test_a_file_name_is_never_shown_as_markup(app):
    """What looks like a script in a name does nothing and breaks nothing."""
    upload(app, GOOD["photograph"], name="<img src=x onerror=alert(1)>.png")

    assert not app.exception
    assert said(app) == []


def test_after_a_bad_upload_the_next_good_one_works(app):
    """A refusal leaves nothing behind."""
    upload(app, BAD["empty"][0])
    upload(app, GOOD["photograph"])

    assert not app.exception
    assert said(app) == []
    assert "image" in app.query_params


def test_every_page_shows_an_upload(app):
    """The four pages open on a picture that is no scene."""
    upload(app, GOOD["photograph"])

    for page in ("pages/heads.py", "pages/attention.py", "pages/hidden_states.py"):
        app.switch_page(page).run()
        assert not app.exception, page
        assert said(app) == [], page
