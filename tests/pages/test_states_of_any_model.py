"""The hidden states page shows any trace: several streams, some without states, many tokens."""

import json
from dataclasses import replace

import numpy as np
import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from pages.shared import projections, selection, session, shown_states, stream_choice
from tests.browser import ROOT
from tests.builders import random_stack, random_trace, random_two_stream_trace
from tests.decoders import decoder_trace
from tests.packed import unpacked
from tests.pages.sent import blobs, messages
from vl_core import neighbours, projection
from vl_core.figures.states import mark_kinds
from vl_core.trace import Stream, Trace


def without_states(trace: Trace, *names: str) -> Trace:
    """The trace with nothing kept of the states of these streams."""
    dropped = {name: _without_states(trace.streams[name]) for name in names}
    return replace(trace, streams={**trace.streams, **dropped})


def _without_states(stream: Stream) -> Stream:
    none = np.empty((0, len(stream.tokens), 3), np.float32)
    return Stream.of(stream.name, stream.tokens, none)


@pytest.fixture
def page(monkeypatch):
    """Opens the page on a trace; nothing is remembered from before."""

    def opened(trace: Trace, **link: str) -> AppTest:
        monkeypatch.setattr(session, "_shown", lambda: (f"trace {id(trace)}", trace))
        monkeypatch.setattr("pages.shared.models.warm_up", lambda: None)
        app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
        app.query_params.update(link)
        app.switch_page("pages/hidden_states.py").run()
        return unharmed(app)

    return opened


def unharmed(app: AppTest) -> AppTest:
    """The page, on which nothing went wrong."""
    assert not app.exception
    assert not app.error
    return app


def said(app: AppTest) -> str:
    """All text on the page, as a reader sees it."""
    kinds = ("markdown", "caption", "info", "subheader")
    parts = [element.value for kind in kinds for element in app.main.get(kind)]
    return " ".join(parts).replace("\\", "")


def header(app: AppTest) -> dict:
    """The header of the map's blob, with the kinds of its marks."""
    [blob] = blobs(app).values()
    found, part = unpacked(blob)
    return found | {"kinds": [list(found["kindNouns"])[kind] for kind in part("kinds", "u1")]}


def told(app: AppTest) -> dict:
    """The small message to the map."""
    [message] = messages(app, "vl_state_map")
    return json.loads(message.json)


def test_each_stream_with_states_can_be_chosen(page):
    """Then all pages are about the stack in which it looks at itself."""
    app = page(decoder_trace())
    chooser = app.segmented_control(key="chosen_stream")
    assert chooser.options == ["Language", "Vision"]

    chooser.set_value("vision").run()

    trace = decoder_trace()
    assert header(unharmed(app))["texts"][0] == "class"
    assert app.query_params["stack"] == "vision"
    assert len(header(app)["texts"]) == len(trace.streams["vision"].tokens)


def test_a_single_stream_with_states_is_not_asked_for(page):
    """Neither where there is one stream, nor where only one of two has states."""
    for trace in (random_trace(), without_states(decoder_trace(), "vision")):
        app = page(trace)
        assert "chosen_stream" not in [one.key for one in app.segmented_control]


def test_a_stream_without_states_says_so_and_another_is_shown(page):
    """Tokens that are selected belong to the other stream, so none is marked here."""
    trace = without_states(random_two_stream_trace(), "vision")

    app = page(trace, stack="vision", tokens="3,4")

    assert (
        "No hidden states were kept of the stream “vision”; shown are those of “language”"
        in said(app)
    )
    assert header(app)["texts"] == list(trace.streams["language"].tokens.texts[:-2])
    assert told(app)["tokens"] == []


@pytest.fixture
def visit(monkeypatch):
    """What a visitor has selected, outside of any page."""
    kept = {}
    monkeypatch.setattr(streamlit, "session_state", kept)
    return kept


def test_choosing_a_mark_of_another_stream_selects_its_stack(visit, monkeypatch):
    """So that the same token is selected on every page."""
    trace = without_states(random_two_stream_trace(), "vision")
    monkeypatch.setattr(session, "_shown", lambda: ("two streams", trace))
    visit["selection"] = {
        "stack": "vision",
        "tokens": (9,),
        "layer": 3,
        "direction": "looked_at_by",
    }

    stream_choice.select(trace, trace.streams["language"], (2,), 1)

    chosen = selection.current()
    assert (chosen.stack, chosen.tokens, chosen.state) == ("language", (2,), 1)
    assert chosen.direction == "looked_at_by"


def test_a_stream_without_attention_of_its_own_selects_nothing(visit, monkeypatch):
    """Its tokens are no tokens of any other page."""
    trace = decoder_trace()
    bare = replace(trace, stacks={"vision": trace.stacks["vision"]})
    monkeypatch.setattr(session, "_shown", lambda: ("bare", bare))
    before = selection.current()

    stream_choice.select(bare, bare.streams["language"], (2,), 1)

    assert selection.current() == before


def test_without_any_states_there_is_a_sentence(page):
    """And no empty map."""
    app = page(without_states(random_trace(), "encoder"))

    assert stream_choice.NOT_KEPT in said(app)
    assert not messages(app, "vl_state_map")


def test_words_of_the_answer_have_marks_of_their_own(page):
    """In the map, in the file, and in the explanation beside it."""
    trace = decoder_trace()
    app = page(trace)

    assert header(app)["kinds"] == list(mark_kinds(trace.streams["language"].tokens))
    assert "answer" in header(app)["kinds"]
    assert "Purple triangles are words of the model's own answer" in said(app)
    assert "Purple triangles" not in said(page(random_trace()))


def test_a_stream_of_one_modality_has_no_gap(page):
    """The tower has no words; a sentence stands in place of empty curves."""
    app = page(decoder_trace(), stack="vision")

    assert "not both words and patches" in said(app)


def test_of_many_tokens_only_the_selected_ones_neighbours_are_sent(page, monkeypatch):
    """With the small message, for every state; the blob lists none."""
    monkeypatch.setattr(shown_states, "ALL_PAIRS", 10)
    trace = random_trace()
    app = page(trace, tokens="3")

    assert unpacked(next(iter(blobs(app).values())))[1]("neighbours", "<u2").size == 0
    near = told(app)["nearest"]
    tokens = trace.streams["encoder"].tokens
    kinds = [tokens.is_text, tokens.is_image]
    states = trace.streams["encoder"].hidden_states
    found = neighbours.nearest(states, np.array([2]), kinds, shown_states.LISTED)
    assert near["mark"] == 2
    for kind, one in enumerate(found):
        assert np.array(near["marks"])[:, kind].tolist() == one.tokens[:, 0].tolist()
        expected = np.nan_to_num(one.cosines[:, 0])
        np.testing.assert_allclose(np.array(near["similarities"])[:, kind], expected, atol=1e-4)
    assert told(page(trace, tokens="none"))["nearest"] is None


def test_few_tokens_bring_all_neighbours_with_them(page):
    """Nothing is sent again when another one is selected."""
    app = page(random_trace(), tokens="3")

    assert unpacked(next(iter(blobs(app).values())))[1]("neighbours", "<u2").size
    assert told(app)["nearest"] is None


def test_more_states_than_a_file_may_hold_are_not_offered(page, monkeypatch):
    """The switch is off, and its help says where they are."""
    monkeypatch.setattr(shown_states, "WHOLE", 100)

    assert page(random_trace()).toggle[0].disabled
    assert not shown_states.ShownStates(random_trace().streams["encoder"]).can_be_taken_whole


@pytest.mark.parametrize(
    ("fit", "where"), [("joint", "9 tokens of the 48 states"), ("layers", "9 tokens in each layer")]
)
def test_a_map_that_was_fitted_to_a_sample_says_so(page, monkeypatch, fit, where):
    """How many, drawn how, and what became of the others."""
    trace = random_trace()
    monkeypatch.setattr(projection, "tsne", lambda states, **_: np.zeros((*states.shape[:2], 2)))
    monkeypatch.setattr(projections, "n_fitted", lambda *_, **__: 9)
    shown = shown_states.ShownStates(trace.streams["encoder"])

    made = projections._slow(shown, "tsne", fit, lambda *_: None)

    assert f"It is fitted to {where}, drawn at random" in made.sentence
    monkeypatch.setattr(projections, "n_fitted", lambda n, m, joint: n * m if joint else m)
    assert "drawn at random" not in projections._slow(shown, "tsne", fit, lambda *_: None).sentence


def test_marks_are_called_what_they_are(page):
    """A detector's regions have no row and column; query tokens beside patches share one noun."""
    trace = random_trace()
    stream = trace.streams["encoder"]
    tokens = stream.tokens
    texts = [f"region {i}" if tokens.is_image[i] else text for i, text in enumerate(tokens.texts)]
    regions = replace(stream, tokens=replace(tokens, texts=tuple(texts)))
    stack = random_stack(queries=regions.tokens, regions=trace.example.regions)
    app = page(replace(trace, streams={"encoder": regions}, stacks={"encoder": stack}))

    assert app.main.title[0].value == "Where do words and regions lie, layer by layer?"
    assert "are regions." in said(app)
    assert "patch" not in said(app).lower()

    texts = [text.replace("region", "query") for text in texts]
    queries = replace(stream, name="queries", tokens=replace(tokens, texts=tuple(texts)))
    app = page(replace(trace, streams={"encoder": stream, "queries": queries}))
    assert app.main.title[0].value == "Where do words and image tokens lie, layer by layer?"
    assert "Patches are called by row and column" in said(app)
