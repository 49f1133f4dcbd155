"""The map relative to a neutral prompt: one view of the picture, colors that are said."""

import base64
import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import session
from tests.decoders import decoder_trace
from tests.pages import sinks_alone as alone
from vl_core.sinks import relative_attention

TRACE, NEUTRAL = decoder_trace(), decoder_trace(seed=5)


@pytest.fixture
def opened(monkeypatch):
    """The page of a decoder with two views, with the neutral prompt asked."""

    def at(**selection):
        monkeypatch.setattr(session, "_worked_example", lambda: ("random", TRACE))
        monkeypatch.setattr(session, "trace_of", lambda request: NEUTRAL)  # noqa: ARG005 any
        session._results.clear()
        app = AppTest.from_file(alone.__file__, default_timeout=60)
        app.session_state["selection"] = {"stack": "language", "layer": 1, "head": 2} | selection
        app.run()
        return app.toggle(key="neutral_prompt").set_value(True).run()

    yield at
    session._results.clear()


def drawn(app):
    """The map's figure."""
    [chart] = app.get("plotly_chart")
    return json.loads(chart.proto.spec)


def colors(figure):
    """What the patches are colored by."""
    cells = figure["data"][0]["marker"]["color"]
    return np.frombuffer(base64.b64decode(cells["bdata"]), cells["dtype"])


@pytest.mark.parametrize(
    ("wanted", "view"), [("", "whole picture"), ("tiles", "tiles"), ("nowhere", "whole picture")]
)
def test_the_map_shows_the_view_that_the_page_shows(opened, wanted, view):
    """And names it: patches of several views would lie on top of each other."""
    figure = drawn(opened(picture_view=wanted))

    found = relative_attention(TRACE, NEUTRAL, "language", 1, 2)
    keys = TRACE.stacks["language"].keys
    ratios = found.values[np.array(keys.views) == view]
    limit = figure["data"][0]["marker"]["cmax"]
    wanted_colors = np.clip(np.log2(ratios[np.isfinite(ratios)]), -limit, limit)
    np.testing.assert_allclose(colors(figure), wanted_colors)
    assert figure["layout"]["title"]["text"].endswith(f"here, {view}")


def test_how_colors_tell_ratios_and_what_lies_beyond_is_said(opened):
    """In plain numbers, of the view on show."""
    app = opened(picture_view="tiles")

    found = relative_attention(TRACE, NEUTRAL, "language", 1, 2)
    ratios = found.values[np.array(TRACE.stacks["language"].keys.views) == "tiles"]
    limit = 2 ** drawn(app)["data"][0]["marker"]["cmax"]
    beyond = int(((ratios > limit) | (ratios < 1 / limit)).sum())
    assert beyond == 3
    said = " ".join(" ".join(caption.value for caption in app.caption).split())
    assert "Equal distances in color are equal factors: 1 ×" in said
    assert f"1 × is pale, {limit:,} × and more is the last red, 1/{limit:,} × and less" in said
    assert "3 patches lie beyond" in said
    assert "e+" not in said
