"""Traces of which not all layers were kept: what there is can be looked at, what is not is said."""

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import kept, models, session
from pages.shared.components import linked_view
from pages.shared.kept_layers import LISTED, listed
from tests.browser import ROOT
from tests.builders import random_trace
from tests.packed import head_map_of
from tests.pages.sent import view
from vl_core import head_stats
from vl_core.capture import Estimate, Plan
from vl_core.head_stats.sources import stored_layers
from vl_core.trace import KeptNothing, Trace

LAYERS, GONE = 5, (1, 2)


def measured(trace: Trace) -> Trace:
    """The trace with the statistics that a run stores."""
    stack = trace.stacks["encoder"]
    values = head_stats.measure(stored_layers(stack), stack.queries, stack.keys, stack.regions)
    return replace(trace, stacks={"encoder": replace(stack, head_stats=values)})


@pytest.fixture(scope="module")
def whole() -> Trace:
    """One stack of 5 layers, all of them kept."""
    return measured(random_trace(layers=LAYERS, kept="queries_keys"))


@pytest.fixture(scope="module")
def partly(whole) -> Trace:
    """Of 5 layers the first and the last two were kept."""
    stack = whole.stacks["encoder"]
    blocks = tuple(
        tuple(replace(b, kept=KeptNothing(b.kept.shape, b.kept.mask)) for b in layer)
        if number in GONE
        else layer
        for number, layer in enumerate(stack.blocks)
    )
    return replace(whole, stacks={"encoder": replace(stack, blocks=blocks)})


@pytest.fixture
def page(monkeypatch, partly):
    """Opens a page on that trace, with a layer selected."""

    def opened(name: str, layer: int) -> AppTest:
        monkeypatch.setattr(session, "_shown", lambda: ("partly", partly))
        monkeypatch.setattr(models, "warm_up", lambda: None)
        session._results.clear()
        app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
        app.session_state["selection"] = {"layer": layer, "head": 3}
        app.run()
        app.switch_page(f"pages/{name}.py").run()
        assert not app.exception
        assert not app.error
        return app

    yield opened
    session._results.clear()


def notes(app: AppTest) -> str:
    """What the page says in boxes."""
    return " ".join(block.value for block in app.main.info).replace("\\", "")


def test_the_view_offers_the_layers_that_were_kept(page, partly, whole):
    """By the model's own numbers; the matrix is that of the layer that is selected."""
    app = page("attention", 3)

    assert view(app)["layerNumbers"] == [1, 4, 5]
    assert view(app)["selection"]["layer"] == 1
    assert "layers 1, 4 and 5 was kept" in notes(app)
    assert "in place" not in notes(app)
    captions = " ".join(block.value for block in app.main.caption)
    assert "layer 4, head 4" in captions


def test_of_a_layer_that_was_not_kept_the_nearest_is_shown(page):
    """And it is said that it is another."""
    app = page("attention", 2)

    assert view(app)["selection"]["layer"] == 1
    assert "Layer 4 is shown in place of layer 3." in notes(app)


def test_a_layer_chosen_in_the_view_is_chosen_on_all_pages(page, monkeypatch):
    """The view counts the layers that it has, other pages count all."""
    chosen = {"layer": 2, "all_layers": False, "head": 1}
    monkeypatch.setattr(
        linked_view, "linked_view", lambda *given, **_: given[4](chosen) if chosen else None
    )

    app = page("attention", 0)

    assert app.session_state["selection"] == {"layer": 4, "all_layers": False, "head": 1}


def test_the_map_has_all_layers(page, whole):
    """Of a head of a layer that was not kept, it is said why it is not shown."""
    app = page("heads", 1)

    assert np.array(head_map_of(app)["values"]).shape[0] == LAYERS
    assert "attention of this layer did not fit" in notes(app)
    assert "that of layers 1, 4 and 5 did" in notes(app)


def test_heads_of_kept_layers_are_shown(page):
    """As if all were kept."""
    app = page("heads", 4)

    assert "did not fit" not in notes(app)
    assert any("Looks at most" in block.value for block in app.main.markdown)


def test_what_will_be_kept_is_told():
    """Before it runs, by stack and layer."""
    estimate = Estimate({"language": dict.fromkeys(range(4), 2_000), "tower": {0: 9_000}}, {})

    said = kept.said(estimate, Plan.within(5_000, estimate), 5_000)

    assert said.startswith("All of it would keep up to 17 kB; 5 kB are allowed")
    assert "Not kept: the attention of “language” (but for layers 1 and 4), “tower”." in said


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([3], "layer 4"),
        ([5, 0], "layers 1 and 6"),
        (range(LISTED + 1), f"{LISTED + 1} of 28 layers"),
    ],
)
def test_layers_are_listed_as_long_as_they_are_few(numbers, said):
    """From 1 on, as everywhere on screen."""
    assert listed(numbers, 28) == said
