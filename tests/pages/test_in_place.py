"""A blank or another picture in place of the picture: what is asked, shown and said then."""

import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import vl_core
from pages.shared import requests, session
from pages.shared.layout import said_about_example
from pages.shared.requests import BLANK, Request
from tests.browser import ROOT
from tests.builders import random_picture, random_trace
from tests.packed import head_map_of
from vl_core import head_stats
from vl_core.errors import ImageError, TextError
from vl_core.findings import EMBEDDED

OWN = requests.worked_example()


@pytest.fixture
def app():
    """The app, not yet run."""
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=180)


@pytest.fixture(scope="module")
def model():
    """The embedded model, to know what the pages should show."""
    return vl_core.load("embedded")


def sent(app, name):
    """The message to a component."""
    messages = (component.proto for component in app.get("bidi_component"))
    return next(json.loads(m.json) for m in messages if m.component_name == f"vl_{name}")


def said(app):
    """All text on the page outside the sidebar, as a reader sees it."""
    kinds = ("markdown", "caption", "info", "error")
    parts = [element.value for kind in kinds for element in app.main.get(kind)]
    return " ".join(parts).replace("\\", "").replace("\N{NO-BREAK SPACE}", " ")


def put(app, name):
    """Choose in the sidebar what the model is shown."""
    app.sidebar.selectbox(key="instead").set_value(name).run()
    assert not app.exception


def press(app, label):
    """Press the button with this label."""
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


def png(picture):
    """A picture as a file."""
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def test_the_blank_picture_has_the_size_of_the_picture_and_the_gray_that_the_processor_expects():
    """Every pixel is the mean of what the processor takes away, so nothing is left of it."""
    own, blank = (requests.example(replace(OWN, instead=name), None) for name in ("", BLANK))
    processor = json.loads((EMBEDDED / "processor_config.json").read_text())["image_processor"]

    pixels = np.asarray(blank.image)
    assert blank.size == own.size
    assert (pixels == np.rint(255 * np.array(processor["image_mean"]))).all()


def test_regions_are_kept_in_a_blank_picture_alone_and_the_answer_in_none():
    """In another picture the boxes would lie around other things; the right answer is unknown."""
    own = requests.example(OWN, None)
    blank = requests.example(replace(OWN, instead=BLANK), None)
    other = requests.example(replace(OWN, instead="three-hearts"), None)

    assert blank.regions == own.regions != ()
    assert other.regions == ()
    assert (blank.answer, other.answer) == (None, None)
    assert blank.text == other.text == own.text
    assert other.size != own.size


def test_an_upload_stays_private_with_something_in_its_place():
    """Its size and question are its owner's; without the file nothing can be shown."""
    content = png(random_picture())
    wanted = Request("embedded", "upload", requests.digest(content), "what?", BLANK)

    assert wanted.is_private
    assert requests.example(wanted, requests.Upload(content)).size == random_picture().size
    with pytest.raises(ImageError, match="only its owner"):
        requests.example(wanted, None)


def test_a_blank_picture_has_no_color_that_belongs_to_another_model():
    """The embedded model's is its mean, as in its evaluation; others get a middle gray."""
    for name, gray in (("embedded", requests.GRAY), ("some/model", requests.MIDDLE_GRAY)):
        blank = requests.example(replace(OWN, model=name, instead=BLANK), None)
        assert blank.image.getcolors() == [(blank.image.width * blank.image.height, gray)]


def test_what_does_not_exist_cannot_be_put_in_place():
    """Like an example that the gallery does not have."""
    with pytest.raises(TextError, match="no example called"):
        requests.example(replace(OWN, instead="nobody"), None)


def test_a_picture_cannot_be_put_in_its_own_place():
    """Offered are the blank one and the gallery's other pictures."""
    offered = requests.replacements(OWN)

    assert next(iter(offered)) == BLANK
    assert OWN.name not in offered
    assert OWN.name in requests.replacements(Request("embedded", "scene", "10000007", "?"))


def test_a_blank_picture_is_shown_said_and_linked_on_every_page(app, model):
    """The picture that the model saw, its answer beside the one from before, and the address."""
    app.run()
    put(app, BLANK)

    traces = [
        model.trace(requests.example(replace(OWN, instead=name), None)) for name in (BLANK, "")
    ]
    answers = [trace.prediction.top[0][0] for trace in traces]
    card = sent(app, "summary")
    content = base64.b64decode(card["picture"].partition(",")[2])
    pixels = np.asarray(Image.open(io.BytesIO(content)), int)
    assert np.abs(pixels - np.array(requests.GRAY)).max() <= 2
    assert card["instead"] == "Shown to the model: a blank picture"
    assert card["truth"] == ""
    assert card["answers"][0]["text"] == answers[0]
    for page in ("overview", "heads", "attention", "hidden_states"):
        app.switch_page(f"pages/{page}.py").run()
        assert not app.exception
        assert not app.error
        assert app.query_params["instead"] == BLANK
        assert f"shown **a blank picture** and answers **{answers[0]}**" in said(app)
        assert f"with the picture itself **{answers[1]}**" in said(app)


def test_one_button_shows_the_picture_itself_again(app):
    """The note goes, and the address names nothing in the picture's place any more."""
    app.query_params["instead"] = BLANK
    app.run()
    assert app.sidebar.selectbox(key="instead").value == BLANK

    press(app, "Show the picture itself")

    assert "is shown" not in said(app)
    assert "instead" not in app.query_params
    app.run()
    assert app.sidebar.selectbox(key="instead").value == ""


def test_the_same_head_and_words_stay_selected(app):
    """Also where the blank picture alone would suggest others."""
    app.run()
    before = dict(app.query_params)

    put(app, BLANK)

    after = dict(app.query_params)
    assert after.pop("instead") == BLANK
    assert after == before


def test_another_picture_or_none_comes_with_what_is_chosen_next(app):
    """A suggested question is asked about what is on show; another example about its picture."""
    app.run()
    put(app, "three-hearts")
    suggestion = next(b for b in app.sidebar.button if b.key == "suggestion_1")
    suggestion.click().run()
    assert app.query_params["instead"] == "three-hearts"
    assert app.query_params["question"] == suggestion.label.replace("\\", "")

    app.sidebar.selectbox(key="entry").set_value("red-star").run()
    assert "instead" not in app.query_params


@pytest.mark.parametrize("name", ["nobody", "/etc/passwd", "<b>"])
def test_a_link_with_nonsense_in_the_pictures_place_is_refused_in_a_sentence(app, name):
    """The last good result stays, and the link can still be copied."""
    app.query_params.update({"example": OWN.name, "question": OWN.question, "instead": name})
    app.run()

    assert not app.exception
    assert "no example called" in said(app)
    assert app.query_params["instead"] == name
    assert "is shown" not in said(app)


def test_a_link_that_puts_a_picture_in_its_own_place_shows_the_picture_itself(app):
    """There is nothing to compare."""
    app.query_params.update({"example": "red-star", "instead": "red-star"})
    app.run()

    assert "is shown" not in said(app)
    assert app.query_params["example"] == "red-star"
    assert "instead" not in app.query_params


def test_an_upload_can_be_compared_also_when_its_field_is_gone(app):
    """The file stays with the visit, for the way back."""
    app.run()
    app.sidebar.selectbox(key="source").set_value("upload").run()
    assert app.sidebar.selectbox(key="instead").disabled
    app.sidebar.file_uploader(key="file").upload("a.png", png(random_picture((96, 64)))).run()
    press(app, "Analyse")
    put(app, BLANK)
    assert app.query_params["instead"] == BLANK
    assert "mean nothing" in said(app)

    app.sidebar.selectbox(key="source").set_value("gallery").run()
    assert app.query_params["instead"] == BLANK
    press(app, "Show the picture itself")
    assert not app.error
    assert "image" in app.query_params
    assert "instead" not in app.query_params


def test_the_change_is_the_pictures_number_minus_the_other_and_picks_a_blank_one(app, model):
    """Layer x head, in the statistic's unit, with colors around 0 and both numbers beside it."""
    app.query_params["statistic"] = "grounding"
    app.run()
    app.switch_page("pages/heads.py").run()
    app.segmented_control(key="heads_view").set_value("change").run()

    own, blank = (
        head_stats.GROUNDING.of(
            model.trace(requests.example(replace(OWN, instead=name), None)).stacks["encoder"]
        )
        for name in ("", BLANK)
    )
    shown = head_map_of(app)
    assert not app.exception
    assert shown["values"] == pytest.approx(own - blank, abs=1e-3)
    assert shown["low"] == -shown["high"]
    assert shown["unit"] == "share of image attention, own picture − blank"
    assert (app.query_params["view"], app.query_params["instead"]) == ("change", BLANK)
    assert shown["sentences"] == ["{0} own, {1} in its place"]
    assert shown["notes"] == pytest.approx(np.stack([own, blank]), abs=1e-3)

    press(app, "Show the picture itself")
    assert app.query_params["view"] == "raw"


def test_a_change_that_has_no_meaning_says_why(app):
    """Boxes of one picture say nothing about another."""
    app.query_params.update({"statistic": "grounding", "view": "change", "instead": "red-star"})
    app.run()
    app.switch_page("pages/heads.py").run()

    assert np.isnan(head_map_of(app)["values"]).all()
    assert "no value on the picture of “Looking for a red star”" in said(app)


def test_what_leaves_a_page_says_what_was_in_the_pictures_place(monkeypatch):
    """A figure in somebody's paper must not pass for one of the picture itself."""
    monkeypatch.setattr(session, "request", lambda: replace(OWN, instead=BLANK))
    monkeypatch.setattr(session, "trace", random_trace)

    assert said_about_example().startswith(
        "the star by the moon (in its place: a blank picture) · "
    )
