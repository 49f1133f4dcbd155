"""What is selected fits whichever stack is on show: its layers by their numbers, heads, tokens."""

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import session
from tests.browser import ROOT
from tests.decoders import decoder_trace
from tests.pages.sent import view
from vl_core.linked_view.telling import telling_stack, telling_tokens

ACROSS = "language<-vision"


@pytest.fixture
def trace():
    """A decoder, its tower, and the layers 1 and 4 in which words look at the tower."""
    return decoder_trace()


@pytest.fixture
def app(trace, monkeypatch):
    """The attention page, opened on that trace."""
    monkeypatch.setattr(session, "_worked_example", lambda: ("random", trace))
    monkeypatch.setattr("pages.shared.models.warm_up", lambda: None)
    session._results.clear()
    opened = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    opened.switch_page("pages/attention.py")
    yield opened
    session._results.clear()


def shown(app):
    """What the linked view has selected."""
    assert not app.exception
    assert not app.main.error
    return view(app)["selection"]


def test_layers_in_an_address_are_the_models_own(app):
    """Layer 4 is the second one that this stack has; the address names it as the screen does."""
    app.query_params.update({"stack": ACROSS, "layer": "4", "keys": "3,5-7"})
    app.run()

    assert shown(app)["layer"] == 1
    assert shown(app)["keys"] == [2, 4, 5, 6]
    assert app.query_params["layer"] == "4"
    assert app.query_params["keys"] == "3,5-7"


@pytest.mark.parametrize(("layer", "nearest"), [("1", "1"), ("2", "1"), ("3", "4"), ("99", "4")])
def test_a_layer_that_a_stack_has_not_got_is_the_nearest(app, layer, nearest):
    """No address makes the page fail."""
    app.query_params.update({"stack": ACROSS, "layer": layer})
    app.run()

    shown(app)
    assert app.query_params["layer"] == nearest


def test_what_another_stack_has_not_got_is_brought_into_range(app, trace):
    """Layer, head and tokens of the larger stack, asked of the smaller one."""
    count = len(trace.stacks["vision"].queries)
    app.session_state["selection"] = {
        "stack": "vision",
        "layer": 17,
        "head": 5,
        "tokens": (2, count, 30),
        "keys": (1,),
        "position": "sideways",
    }
    app.run()

    found = shown(app)
    assert (found["layer"], found["head"], found["tokens"]) == (1, 3, [2])
    assert found["keys"] == []  # a stream that looks at itself has its tokens alone
    assert found["position"] == "predicts"


def test_a_stack_that_is_not_there_gives_way_with_all_that_was_its_own(app):
    """Another model's stack and its tokens go; what pages share otherwise stays."""
    app.session_state["selection"] = {
        "stack": "encoder",
        "tokens": (1, 2),
        "layer": 1,
        "direction": "looked_at_by",
    }
    app.run()

    assert view(app)["version"] == "random/language"
    assert shown(app)["direction"] == "looked_at_by"
    assert shown(app)["tokens"] != [1, 2]
    assert app.query_params["stack"] == "language"


def test_the_stack_in_which_words_look_at_the_picture_comes_first(trace):
    """Although the tower runs before it; where no words look, it is the first one."""
    stacks = dict(reversed(trace.stacks.items()))
    assert telling_stack(trace) == "language"
    only_tower = {"vision": stacks["vision"]}
    assert telling_stack(replace(trace, stacks=only_tower)) == "vision"


def test_what_tells_most_is_a_word_or_the_patch_in_the_middle(trace):
    """The last word of the answer, or of the words that look."""
    language, vision = trace.stacks["language"], trace.stacks["vision"]
    last = int(np.flatnonzero(language.queries.is_text)[-1])

    assert telling_tokens(language) == (last,)
    assert telling_tokens(vision) == (7,)
