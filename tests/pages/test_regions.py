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


def test_without_regions_analyse_says_what_is_wanted(app):
    """And below the form it is known before."""
    bring(app, png())
    app.sidebar.text_input(key="question").set_value(QUESTION)
    assert is_ready(app)
    analyse(app)

    assert "Give a file with the features (region x 23) and boxes" in said(app.main)
    assert "Give a file with the features" in said(app.sidebar)
    assert app.query_params["example"] == requests.worked_example().name


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"neither", "These regions cannot be read"),
        (b"", "These regions cannot be read"),
        (file(OTHER), "this model reads 23 for each"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(app, content, sentence):
    """Not readable, or of another detector; what was on show stays."""
    bring(app, png(), content)
    ask(app)

    assert not app.exception
    assert sentence in said(app.main)
    assert app.query_params["example"] == requests.worked_example().name


@pytest.mark.parametrize("source", ["gallery", "scene"])
def test_generated_pictures_come_without_regions(app, source):
    """The family's own sentence is said, and where regions can be brought."""
    app.sidebar.selectbox(key="source").set_value(source).run()
    if source == "scene":
        next(one for one in app.sidebar.button if one.label == "Draw a new scene").click().run()
    else:
        analyse(app)

    assert not app.exception
    assert "reads no pixels but the regions" in said(app.main)
    assert "Choose *Upload* to bring some" in said(app.sidebar)
    assert app.query_params["model"] == "embedded"


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
