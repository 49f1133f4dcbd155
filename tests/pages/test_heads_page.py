"""The heads page shows any statistic of any trace, and selects a head for all pages."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import session
from tests.builders import random_trace, random_two_stream_trace
from tests.packed import head_map_of
from vl_core import head_stats
from vl_core.head_stats import vlinterpret
from vl_core.head_stats.sheet import as_csv

APP = str(Path(__file__).parents[2] / "streamlit_app.py")


@pytest.fixture
def page(monkeypatch):
    """Opens the page on a trace: one stream of 3 layers x 5 heads unless another is given."""

    def opened(trace=None, **link) -> AppTest:
        shown = trace or random_trace()
        name = f"trace {id(shown)}"
        monkeypatch.setattr(session, "_shown", lambda: (name, shown))
        app = AppTest.from_file(APP, default_timeout=120)
        for parameter, value in link.items():
            app.query_params[parameter] = value
        app.run()
        app.switch_page("pages/heads.py").run()
        assert not app.exception
        assert not app.error
        return app

    return opened


def said(app: AppTest) -> str:
    """All text on the page."""
    kinds = ("markdown", "caption", "info", "subheader")
    return " ".join(element.value for kind in kinds for element in app.get(kind))


@pytest.mark.parametrize("statistic", [one.key for one in head_stats.STATISTICS])
@pytest.mark.parametrize("specials", ["with", "without"])
def test_the_map_shows_the_chosen_statistic(page, statistic, specials):
    """The numbers of the core, layer x head, with their unit."""
    trace = random_trace()
    one = head_stats.by_key(statistic)

    app = page(trace, statistic=statistic, specials=specials)

    expected = one.of(trace.stacks["encoder"], specials == "with")
    assert head_map_of(app)["values"] == pytest.approx(expected, nan_ok=True)
    assert head_map_of(app)["unit"] == one.unit
    assert one.definition[:40] in said(app).replace("\\", "")


def test_the_selected_heads_number_is_written_as_in_the_map(page):
    """With decimals that suit the scale, not the number itself."""
    app = page(statistic="entropy", layer=2, head=3)

    values = np.array(head_map_of(app)["values"])
    assert 0.0316 < values.max() - values.min() < 0.316  # three decimals tell a hundredth apart
    assert app.metric[0].value == f"{values[1, 2]:.4f}"


def test_z_scores_have_a_symmetric_scale(page):
    """Their mean over all heads is 0, and the middle of the scale is 0."""
    data = head_map_of(page(view="z"))

    assert np.mean(data["values"]) == pytest.approx(0, abs=1e-6)
    assert data["low"] == -data["high"]


@pytest.mark.parametrize("label", vlinterpret.LABELS)
def test_vlinterprets_own_numbers_can_be_seen(page, label):
    """All seven entries of its menu, under their names, with what differs said beside them."""
    trace = random_trace()
    app = page(trace, view="vlinterpret")

    app.selectbox(key="heads_menu").set_value(label).run()

    assert not app.exception
    assert head_map_of(app)["name"] == label
    expected = vlinterpret.statistics(trace.stacks["encoder"])[label]
    assert head_map_of(app)["values"] == pytest.approx(expected, nan_ok=True)
    assert "“image\\-to\\-text” there" in said(app)


def test_a_stack_that_vlinterpret_did_not_know_says_so(page):
    """Two streams: a sentence instead of a map, and the way back is there."""
    app = page(random_two_stream_trace(), view="vlinterpret")

    assert "one stream" in said(app)
    app.segmented_control(key="heads_view").set_value("raw").run()
    assert head_map_of(app)["values"].size


def test_each_stack_can_be_chosen(page):
    """Cross-attention among them, whose statistics may be missing."""
    trace = random_two_stream_trace()
    app = page(trace)

    for name, stack in trace.stacks.items():
        app.selectbox(key="heads_stack").set_value(name).run()
        assert not app.exception
        assert not app.error
        assert np.shape(head_map_of(app)["values"]) == (stack.n_layers, stack.n_heads)


def test_a_missing_statistic_says_why(page):
    """Without boxes there is no grounding: all cells are missing, and a sentence says so."""
    trace = random_trace()
    stack = replace(trace.stacks["encoder"], regions=())
    example = replace(trace.example, regions=())

    app = page(replace(trace, example=example, stacks={"encoder": stack}), statistic="grounding")

    assert np.isnan(head_map_of(app)["values"]).all()
    assert "boxes" in app.info[0].value


def test_the_selected_head_is_shown_everywhere(page):
    """The map, the panel beside it and the address agree on it."""
    app = page()

    app.session_state["selection"] = {"layer": 2, "head": 3}
    app.run()

    assert app.subheader[0].value == "Layer 3, head 4"
    assert head_map_of(app)["selected"] == [2, 3]
    assert app.query_params["layer"] == "3"
    assert app.query_params["head"] == "4"


def test_a_layers_mean_can_be_selected(page):
    """It has a value, and no rank or pattern, which belong to a head."""
    app = page(layer="2", head="mean")

    assert app.subheader[0].value == "Layer 2, mean of its 5 heads"
    assert head_map_of(app)["selected"] == [1, None]
    assert "Pattern" not in said(app)


def test_the_list_is_sorted_and_marks_the_selected_head(page):
    """Highest first, whatever the order of the layers."""
    app = page(layer="2", head="3")

    table = app.dataframe[0].value
    assert table["value"].is_monotonic_decreasing
    assert len(table) == 15
    [row] = app.session_state[app.dataframe[0].key]["selection"]["rows"]
    assert table.iloc[row][["layer", "head"]].tolist() == [2, 3]


def test_a_statistic_of_ones_own_appears(page):
    """Registered by a user: in the menu, on the map, in the table to take away."""

    @head_stats.register(key="own_share", name="Own *share*", unit="parts", definition="Mine.")
    def own_share(weights, stack):
        return float(weights[0, 0])

    try:
        trace = random_trace()
        app = page(trace, statistic="own_share")
        assert "Own *share*" in app.selectbox(key="heads_statistic").options
        assert head_map_of(app)["name"] == "Own *share*"
        assert "own_share" in as_csv(trace.stacks["encoder"]).splitlines()[0]
    finally:
        head_stats.unregister("own_share")


def test_an_unknown_statistic_in_a_link_falls_back(page):
    """An old or mistyped link shows something sensible."""
    assert head_map_of(page(statistic="nonsense"))["name"] == "Text-to-image mass"


@pytest.mark.parametrize(
    ("statistic", "count"), [("grounding", 1), ("class_auc", 1), ("entropy", 0)]
)
def test_the_boxes_that_are_measured_against_are_drawn(page, statistic, count):
    """And none where a statistic is about no boxes; the star is 2 to 31 of 60 pixels wide."""
    app = page(statistic=statistic)

    (figure,) = (
        json.loads(element.proto.spec)
        for element in app.get("plotly_chart")
        if element.key == "words_on_picture"
    )
    shapes = figure["layout"].get("shapes", [])
    assert len(shapes) == count
    for shape in shapes:
        width = figure["layout"]["images"][0]["sizex"]
        assert [shape["x0"] / width, shape["x1"] / width] == pytest.approx([2 / 60, 31 / 60])
