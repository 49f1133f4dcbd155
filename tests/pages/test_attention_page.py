"""The attention page: what it sends to the linked view, its matrices, its words."""

import base64
import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import session
from pages.shared.components import linked_view
from tests.browser import ROOT
from tests.builders import random_trace

CLS, IS, THE, RED, STAR, SEP = range(6)


@pytest.fixture
def trace():
    """3 layers of 5 heads, 12 tokens, of which 4 words and 2 x 3 patches."""
    return random_trace()


@pytest.fixture
def app(trace, monkeypatch):
    """The page, opened on that trace; the model is left alone and nothing is remembered."""
    monkeypatch.setattr(session, "_worked_example", lambda: ("random", trace))
    monkeypatch.setattr(session, "warm_up", lambda: None)
    session._results.clear()
    opened = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    opened.switch_page("pages/attention.py")
    yield opened
    session._results.clear()


def view(app):
    """The small message to the linked view."""
    messages = [c.proto for c in app.get("bidi_component")]
    return next(json.loads(m.json) for m in messages if m.component_name == "vl_linked_view")


def matrix(app):
    """The matrix on show: its title and its cells."""
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    cells = figure["data"][0]["z"]
    values = np.frombuffer(base64.b64decode(cells["bdata"]), cells["dtype"])
    return figure["layout"]["title"]["text"], values.reshape(*map(int, cells["shape"].split(",")))


def test_the_view_is_given_the_tokens_and_the_shared_selection(app):
    """Names, kinds, boxes and unknown words, and what all pages have selected."""
    app.session_state["selection"] = {"layer": 2, "head": None, "tokens": (RED, 7)}
    app.run()

    sent = view(app)
    assert not app.exception
    assert sent["labels"][STAR] == "'star'"
    assert sent["labels"][-1] == "patch 2, 3"
    assert sent["boxes"][STAR] is None
    assert sent["boxes"][-1] == [40, 16, 60, 32]
    assert sent["selection"] == {
        "layer": 2,
        "allLayers": False,
        "head": None,
        "direction": "looks_at",
        "tokens": [RED, 7],
    }


def test_the_matrix_is_that_of_the_selected_layer_and_head(app, trace):
    """Words are its rows and patches its columns, until another part is chosen."""
    app.session_state["selection"] = {"layer": 1, "head": 3}
    app.run()

    title, cells = matrix(app)
    weights = trace.stacks["encoder"].weights[1, 3]
    assert title == "Words at patches: layer 2, head 4"
    np.testing.assert_allclose(cells, weights[IS : STAR + 1, SEP + 1 :], rtol=1e-6)

    app.segmented_control(key="matrix").set_value("patches at words").run()
    title, cells = matrix(app)
    assert title == "Patches at words: layer 2, head 4"
    np.testing.assert_allclose(cells, weights[SEP + 1 :, IS : STAR + 1], rtol=1e-6)


def test_the_mean_over_layers_is_part_of_the_shared_selection(app, trace):
    """The view is told of it, and the matrix is that mean, until a layer is chosen again."""
    app.session_state["selection"] = {"layer": 1, "all_layers": True, "head": 3}
    app.run()
    title, cells = matrix(app)
    assert view(app)["selection"]["allLayers"] is True
    assert title == "Words at patches: mean of all layers, head 4"
    mean = np.asarray(trace.stacks["encoder"].weights)[:, 3].mean(axis=0)
    np.testing.assert_allclose(cells, mean[IS : STAR + 1, SEP + 1 :], rtol=1e-5)

    app.session_state["selection"] = {"layer": 2, "all_layers": False, "head": 0}
    app.run()
    assert view(app)["selection"]["allLayers"] is False
    assert matrix(app)[0] == "Words at patches: layer 3, head 1"


def test_a_trace_too_large_for_the_browser_shows_its_layer_instead_of_the_mean(app, monkeypatch):
    """A link may ask for the mean over layers that the browser has not got; all parts agree."""
    monkeypatch.setattr(linked_view, "WHOLE_BYTES", 100)
    app.session_state["selection"] = {"layer": 1, "all_layers": True, "head": 3}
    app.run()
    assert view(app)["selection"]["allLayers"] is False
    assert matrix(app)[0] == "Words at patches: layer 2, head 4"


def test_the_page_says_what_rows_and_columns_are_and_that_attention_is_no_cause(app):
    """Definitions and caution stand beside the view, downloads below it."""
    app.run()

    text = " ".join(block.value for block in app.markdown)
    assert "adds up to 100 %" in " ".join(text.split())
    assert "not cause" in text
    names = [button.proto.label for button in app.get("download_button")]
    assert names == ["Data (CSV)", "Data (NPZ)", "Figure (HTML)"]
