"""The hidden states page: its map's data, its switches, its background work, its words."""

import json
import threading

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import session
from pages.shared.background import FAILED
from tests.browser import ROOT
from tests.builders import random_trace
from tests.packed import unpacked
from vl_core import projection
from vl_core.errors import ProjectionError

PADDING = 2
PATIENCE = 20  # seconds: only a job that hangs takes them


@pytest.fixture
def trace():
    """4 states of 12 tokens, with padding behind them."""
    return random_trace(padding=PADDING)


@pytest.fixture
def app(trace, monkeypatch):
    """The page, opened on that trace; the model is left alone and nothing is remembered."""
    monkeypatch.setattr(session, "_worked_example", lambda: ("random", trace))
    monkeypatch.setattr("pages.shared.models.warm_up", lambda: None)
    session._results.clear()
    opened = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    opened.switch_page("pages/hidden_states.py")
    yield opened
    session._results.clear()


def shown(trace):
    """The hidden states without padding."""
    return trace.streams["encoder"].hidden_states[:, :-PADDING]


def components(app):
    """What the page's components were given, as messages."""
    return [component.proto for component in app.get("bidi_component")]


def map_data(app):
    """The small message to the map."""
    return next(json.loads(c.json) for c in components(app) if '"blob"' in c.json)


def delivered(app):
    """The header and the points of the blob that was sent in this run."""
    content = next(c.bytes for c in components(app) if c.bytes)
    start = 4 + int.from_bytes(content[:4], "little")
    header, part = unpacked(content[start:])
    edges = np.array(header["edges"])[:, None]
    shape = len(header["stateNames"]), len(header["texts"]), 2
    points = part("points", "<u2").reshape(shape) / 65535 * edges[..., 2:] + edges[..., :2]
    kinds = [list(header["kindNouns"])[kind] for kind in part("kinds", "u1")]
    return header | {"kinds": kinds}, points


def finish(key):
    """Wait for the background job of this projection."""
    job = session._results().peek(("random", "encoder", *key))
    job.thread.join(PATIENCE)
    assert job.is_done


def captions(app):
    """All small print on one line."""
    return " ".join(caption.value for caption in app.caption)


def test_the_page_shows_the_joint_pca_of_the_tokens_without_padding(app, trace):
    """What reaches the browser are the core's points, with every token's name and kind."""
    app.run()

    assert not app.exception
    assert not app.error
    header, points = delivered(app)
    np.testing.assert_allclose(points, projection.joint_pca(shown(trace)), atol=1e-4)
    tokens = trace.streams["encoder"].tokens
    assert header["texts"] == list(tokens.texts[:-PADDING])
    assert header["kinds"] == list(tokens.kinds[:-PADDING])
    assert header["sharesScale"] is True
    assert "%" in header["captions"][0]


def test_selected_token_and_state_reach_the_map_the_table_and_the_link(app):
    """What was selected elsewhere is shown here: positions count from 0 inside, 1 in the link."""
    app.session_state["selection"] = {"tokens": (3, 2), "state": 2}

    app.run()

    data = map_data(app)
    assert (data["tokens"], data["state"]) == ([3, 2], 2)
    assert any(heading.value == "What lies nearest to 'the'?" for heading in app.subheader)
    assert app.table[0].value["Hidden state"].tolist()[-1] == "after layer 3"
    assert (app.query_params["tokens"], app.query_params["state"]) == ("4,3", "2")


def test_the_blob_goes_once_and_again_for_another_fit(app, trace):
    """A second run sends nothing large; each layer alone is another set of points."""
    app.run()
    app.run()
    assert not any(c.bytes for c in components(app))

    app.segmented_control(key="chosen_fit").set_value("layers").run()

    header, points = delivered(app)
    np.testing.assert_allclose(points, projection.pca(shown(trace)), atol=1e-4)
    assert header["sharesScale"] is False
    assert "Each layer has a map of its own" in captions(app)
    assert app.query_params["fit"] == "layers"


def test_a_slow_projection_is_computed_beside_the_page_and_then_shown(app, trace, monkeypatch):
    """PCA stands in until the job ends; what it gives is kept for the next visitor."""
    made, may_end = [], threading.Event()

    def tsne(states, *, joint, progress):
        progress(None, "Nobody knows how far")
        may_end.wait(PATIENCE)
        made.append(joint)
        return np.ones((*states.shape[:2], 2), np.float32)

    monkeypatch.setattr(projection, "tsne", tsne)
    app.run()
    app.segmented_control(key="chosen_projection").set_value("tsne").run()
    assert app.status[0].label.startswith("Nobody knows how far … ")
    assert "PCA is shown until then" in captions(app)
    may_end.set()
    finish(("tsne", "joint"))
    app.run()

    _, points = delivered(app)
    np.testing.assert_allclose(points, 1)
    assert "t-SNE keeps" in captions(app)
    assert map_data(app)["blob"] == "random/states/encoder/tsne/joint"
    app.run()
    assert made == [True]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ProjectionError("Too few tokens. Choose PCA."), "Too few tokens. Choose PCA."),
        (ZeroDivisionError("a secret path"), FAILED),
    ],
)
def test_a_projection_that_fails_says_so_and_keeps_pca(app, monkeypatch, error, said):
    """One sentence in place of the picture that was asked for, and a way to try again."""

    def umap(states, *, joint, progress):
        raise error

    monkeypatch.setattr(projection, "umap", umap)
    app.run()
    app.segmented_control(key="chosen_projection").set_value("umap").run()
    finish(("umap", "joint"))
    app.run()

    assert not app.exception
    warning = app.warning[0].value.replace("\\", "")
    assert warning == f"UMAP could not be computed; PCA is shown. {said}"
    assert map_data(app)["blob"].endswith("/pca/joint")
    assert "Try again" in [button.label for button in app.button]


def test_a_switch_shows_what_the_link_asked_for(app):
    """Projection and fit come from the address on a first visit."""
    app.query_params["fit"] = "layers"
    app.query_params["projection"] = "pca"

    app.run()

    assert app.segmented_control(key="chosen_fit").value == "layers"
    assert map_data(app)["blob"].endswith("/pca/layers")
