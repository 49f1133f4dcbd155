"""Models that read a detector's regions: the visitor brings these beside the picture."""

import io

import numpy as np
import pytest
from safetensors.numpy import save as as_safetensors
from transformers import LxmertForQuestionAnswering

from pages.shared import models, requests
from pages.shared.requests import Request, Upload
from tests.builders import random_picture
from tests.families import test_lxmert
from tests.families.region_checks import detections
from tests.pages.serving import analyse, assert_sound, forget_all, is_ready, load, said, visitor
from vl_core.errors import ImageError

WIDTH, SIZE, OTHER = 23, (120, 90), 24
QUESTION = "what color is the star?"


@pytest.fixture(scope="module")
def name(tmp_path_factory):
    """The folder of a tiny LXMERT."""
    names = {0: "red", 1: "blue"}
    saved = tmp_path_factory.mktemp("lxmert")
    return str(test_lxmert.save(LxmertForQuestionAnswering, saved, id2label=names))


@pytest.fixture
def app(name, monkeypatch):
    """A visitor with that model loaded, about to upload something."""
    monkeypatch.setenv("VLINTERPRET_FOLDERS", "1")
    forget_all()
    opened = visitor().run()
    load(opened, name)
    opened.sidebar.selectbox(key="source").set_value("upload").run()
    yield opened
    forget_all()


def png(seed=0):
    """A picture as a file."""
    content = io.BytesIO()
    random_picture(SIZE, seed=seed).save(content, "PNG")
    return content.getvalue()


def file(width=WIDTH, seed=0, *, packed=True):
    """Nine regions as a file, of either kind."""
    found = detections(width, SIZE, seed=seed)
    arrays = {"features": found.features, "boxes": found.boxes}
    if not packed:
        return as_safetensors(arrays)
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def bring(app, picture=None, regions=None, ending="npz"):
    """Upload a picture, or regions, or both."""
    if picture is not None:
        app.sidebar.file_uploader(key="file").upload("picture.png", picture).run()
    if regions is not None:
        app.sidebar.file_uploader(key="regions_file").upload(f"found.{ending}", regions).run()


def ask(app):
    """Ask about what was uploaded."""
    app.sidebar.text_input(key="question").set_value(QUESTION)
    analyse(app)


@pytest.mark.parametrize("packed", [True, False])
def test_a_picture_with_regions_is_analysed_and_seen_on_all_pages(app, packed):
    """Both kinds of file; the link names both files, and they stay with the visitor."""
    picture, regions = png(), file(packed=packed)
    bring(app, picture, regions, "npz" if packed else "safetensors")
    ask(app)

    assert not app.error
    assert app.query_params["image"] == requests.digest(picture)
    assert app.query_params["regions"] == requests.digest(regions)
    assert_sound(app)
    link = "&".join(f"{name}={app.query_params[name]}" for name in ("image", "regions", "model"))
    other = visitor(f"{link}&question=what").run()
    assert "only its owner has" in said(other.main)


def test_other_regions_of_the_same_picture_are_another_analysis(app):
    """The trace on show is that of the file that was uploaded last."""
    bring(app, png(), file())
    ask(app)
    first = app.query_params["regions"]
    bring(app, regions=file(seed=1))
    analyse(app)

    assert not app.error
    assert app.query_params["regions"] == requests.digest(file(seed=1)) != first
    traces = app.session_state["private_traces"]._results
    answers = [found.prediction.top for _, found in traces.values()]
    assert len({found for found, _ in traces.values()}) == 2
    assert answers[0] != answers[1]


def test_without_regions_nothing_can_be_asked(app):
    """The file that is missing is named, once; with it the form can be sent."""
    bring(app, png())
    app.sidebar.text_input(key="question").set_value(QUESTION).run()

    assert not is_ready(app)
    assert said(app.sidebar).count("reads no pixels") == 1
    assert "Add the file with these above." in said(app.sidebar)
    bring(app, regions=file())
    assert is_ready(app)
    assert "reads no pixels" not in said(app.sidebar)


def test_regions_that_cannot_be_used_are_refused_once(app):
    """Not readable, or of another detector: nothing can be asked until there are others."""
    for content, sentence in (
        (b"neither", "These regions cannot be read"),
        (b"", "These regions cannot be read"),
        (file(OTHER), "this model reads 23 for each"),
    ):
        bring(app, png(), content)
        app.sidebar.text_input(key="question").set_value(QUESTION).run()

        assert not app.exception
        assert not is_ready(app)
        assert said(app.sidebar).count(sentence) == 1
        assert sentence not in said(app.main)
    bring(app, regions=file())
    assert is_ready(app)


@pytest.mark.parametrize("source", ["gallery", "scene"])
def test_generated_pictures_come_without_regions(app, source):
    """So nothing can be asked about them, and it is said where regions can be brought."""
    app.sidebar.selectbox(key="source").set_value(source).run()
    if source == "scene":
        next(one for one in app.sidebar.button if one.label == "Draw a new scene").click().run()
    else:
        app.sidebar.selectbox(key="entry").set_value("highest").run()

    assert not app.exception
    assert not is_ready(app)
    assert "reads no pixels" not in said(app.main)
    assert said(app.sidebar).count("reads no pixels") == 1
    assert "Choose *Upload* to bring both" in said(app.sidebar)
    assert app.query_params["model"] == "embedded"


def test_why_nothing_can_be_put_in_the_place_of_regions_is_told(app):
    """In the help of the field that cannot be used; of other models it says what it is for."""
    field = app.sidebar.selectbox(key="instead")
    assert field.disabled
    assert "reads no pixels" in field.help
    app.sidebar.selectbox(key="model").set_value("embedded").run()
    assert "what does not change was not about the picture" in app.sidebar.selectbox("instead").help


def test_only_such_models_ask_for_regions(app):
    """Another model's form has the picture alone, and its requests name no regions."""
    assert app.sidebar.file_uploader(key="regions_file").label.startswith("Regions")
    bring(app, png(), file())
    app.sidebar.selectbox(key="model").set_value("embedded").run()
    ask(app)

    assert [one.key for one in app.sidebar.file_uploader] == ["file"]
    assert app.query_params["model"] == "embedded"
    assert "regions" not in app.query_params


def test_regions_belong_to_the_request():
    """A request with other regions than were brought is refused, and never shared."""
    picture, regions = png(), file()
    wanted = Request(
        "a/b",
        "upload",
        requests.digest(picture),
        QUESTION,
        regions=requests.digest(regions),
    )

    assert wanted.is_private
    found = requests.example(wanted, Upload(picture, regions)).detections
    np.testing.assert_array_equal(found.boxes, detections(WIDTH, SIZE).boxes)
    for upload in (Upload(picture), Upload(picture, file(seed=1))):
        with pytest.raises(ImageError, match="file with its regions that only their owner has"):
            requests.example(wanted, upload)


def test_models_that_read_pixels_have_no_width():
    """Nor has one that is not loaded."""
    assert models.feature_width("embedded") is None
    assert models.feature_width("someone/not-loaded") is None
