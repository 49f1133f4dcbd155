"""The attention page: what it sends to the linked view, its matrices, its words; for any model."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import attention_files, session
from tests.browser import ROOT
from tests.builders import random_block, random_stack, random_stream, random_trace
from tests.decoders import decoder_trace
from tests.pages.sent import blobs, view
from vl_core import attention_tables
from vl_core.attention_matrix import MOST
from vl_core.linked_view import delivery
from vl_core.trace import KeptNothing, Mask, Stack, Trace

CLS, IS, THE, RED, STAR, SEP = range(6)


@pytest.fixture
def open_on(monkeypatch):
    """The page, opened on a trace; the model is left alone and nothing is remembered."""

    def opened(trace: Trace) -> AppTest:
        monkeypatch.setattr(session, "_worked_example", lambda: ("random", trace))
        monkeypatch.setattr("pages.shared.models.warm_up", lambda: None)
        session._results.clear()
        app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
        app.switch_page("pages/attention.py")
        return app

    yield opened
    session._results.clear()


@pytest.fixture
def trace():
    """3 layers of 5 heads, 12 tokens, of which 4 words and 2 x 3 patches."""
    return random_trace()


@pytest.fixture
def app(trace, open_on):
    """The page, opened on that trace."""
    return open_on(trace)


@pytest.fixture
def decoder(open_on):
    """The page, opened on a decoder with a tower and a view from one to the other."""
    return open_on(decoder_trace())


def matrix(app):
    """The matrix on show: its title and its cells."""
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    cells = figure["data"][0]["z"]
    values = np.frombuffer(base64.b64decode(cells["bdata"]), cells["dtype"])
    return figure["layout"]["title"]["text"], values.reshape(*map(int, cells["shape"].split(",")))


def said(app):
    """All captions and notes of the page."""
    return " ".join(block.value for block in [*app.main.caption, *app.main.info])


def test_the_view_is_given_the_tokens_and_the_shared_selection(app):
    """Names, kinds, boxes and unknown words, and what all pages have selected."""
    app.session_state["selection"] = {"layer": 2, "head": None, "tokens": (RED, 7)}
    app.run()

    assert not app.exception
    sent = view(app)
    tokens = json.loads(blobs(app)[sent["tokensKey"]])["queries"]
    assert tokens["labels"][STAR] == "'star'"
    assert tokens["labels"][-1] == "patch 2, 3"
    assert tokens["boxes"][STAR] is None
    assert tokens["boxes"][-1] == [40, 16, 60, 32]
    assert sent["selection"] == {
        "layer": 2,
        "allLayers": False,
        "head": None,
        "direction": "looks_at",
        "position": "predicts",
        "view": "",
        "tokens": [RED, 7],
        "keys": [],
    }
    assert sent["offersPosition"] is False


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
    monkeypatch.setattr(delivery, "WHOLE_BYTES", 100)
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
    assert "two positions" not in text
    names = [button.proto.label for button in app.get("download_button")]
    assert names == ["Data (CSV)", "Data (NPZ)", "Figure (HTML)"]


def test_a_single_stack_needs_no_chooser(app):
    """There is nothing to choose from."""
    app.run()
    assert not [box for box in app.main.selectbox if box.key == "attention_stack"]


def test_of_several_stacks_one_is_chosen(decoder):
    """Each is called by who looks at what; its own tokens and layers come with it."""
    decoder.run()
    chooser = decoder.main.selectbox(key="attention_stack")
    assert chooser.options == ["Language", "Vision", "Language looking at vision"]
    assert view(decoder)["version"] == "random/language"

    chooser.set_value("language<-vision").run()
    assert not decoder.exception
    assert view(decoder)["version"] == "random/language<-vision"
    assert view(decoder)["layerNumbers"] == [1, 4]
    assert decoder.query_params["stack"] == "language<-vision"
    offered = decoder.segmented_control(key="matrix").options
    assert offered == ["words at patches", "all tokens"]

    decoder.main.selectbox(key="attention_stack").set_value("vision").run()
    assert not decoder.exception
    assert decoder.segmented_control(key="matrix").options == ["patches at patches", "all tokens"]
    assert view(decoder)["selection"]["tokens"] == [7]  # the patch in the middle


def test_a_causal_model_says_that_patches_cannot_look_at_later_words(decoder):
    """Above the view, and in place of an empty matrix."""
    decoder.run()
    sentence = "patches cannot look at words. That share is zero in every layer and head."
    assert f"The patches come before the words, and no token looks ahead: {sentence}" in said(
        decoder
    )
    assert matrix(decoder)[0] == "Words at patches: layer 1, head 1"

    decoder.segmented_control(key="matrix").set_value("patches at words").run()
    assert not decoder.get("plotly_chart")
    assert sentence in decoder.main.info[0].value


def test_patches_that_see_each_other_are_not_said_to_look_ahead_at_nothing(open_on):
    """In Gemma 3 patches look at later patches, and yet at no word behind them."""
    trace = decoder_trace()
    stack = trace.stacks["language"]
    tokens = stack.queries
    allowed = np.tri(len(tokens), dtype=bool)
    allowed |= np.outer(tokens.is_image, tokens.is_image)
    everyone = np.arange(len(tokens))
    block = random_block(
        np.random.default_rng(0),
        everyone,
        everyone,
        heads=6,
        mask=Mask("explicit", allowed=allowed),
    )
    seeing = replace(stack, blocks=((block,),) * stack.n_layers)
    app = open_on(replace(trace, stacks={"language": seeing})).run()

    assert not app.exception
    found = said(app)
    assert "The patches come before the words, and no patch sees a word behind it: patches" in found
    assert "no token looks ahead" not in found


def test_the_matrix_has_the_rows_that_the_view_shows(open_on):
    """A word of the answer has one number on the page: predicted above, predicted below."""
    trace = decoder_trace()
    stack = trace.stacks["language"]
    app = open_on(trace)
    words, patches = (np.flatnonzero(stack.queries.is_text), np.flatnonzero(stack.keys.is_image))
    predicting = words - stack.queries.is_generated[words]
    weights = np.asarray(stack.weights[1, 3])

    for choice, rows, verb in (
        ({"position": "predicts"}, predicting, "**predict** its words"),
        ({"position": "reads"}, words, "**read** its words"),
        ({"position": "predicts", "direction": "looked_at_by"}, words, "**read** its words"),
    ):
        app.session_state["selection"] = {"layer": 1, "head": 3} | choice
        app.run()
        np.testing.assert_allclose(matrix(app)[1], weights[np.ix_(rows, patches)], atol=1e-6)
        assert f"Rows of the answer are the positions that {verb}" in said(app)

    app.segmented_control(key="matrix").set_value("patches at patches").run()
    assert "Rows of the answer" not in said(app)


def test_query_tokens_are_called_so_and_have_no_place(open_on):
    """In matrices and sentences; why no picture is drawn, and where one is, is said."""
    trace = decoder_trace()
    stack = trace.stacks["language"]
    count = int(stack.queries.is_image.sum())
    names = iter(f"query {number + 1}" for number in range(count))
    bare = replace(
        stack.queries,
        texts=tuple(next(names) if kind == "image" else text for text, kind in named(stack)),
        boxes=np.full((len(stack.queries), 4), np.nan),
        views=("",) * len(stack.queries),
    )
    queries, tower = bare.chosen(bare.is_image), trace.streams["vision"].tokens
    asking = random_stack(3, queries=queries, keys=tower, streams=("Q-Former", "vision"))
    streams = dict(trace.streams) | {
        "language": replace(trace.streams["language"], tokens=bare),
        "Q-Former": random_stream("Q-Former", queries),
    }
    stacks = {"language": replace(stack, queries=bare, keys=bare), "Q-Former<-vision": asking}
    app = open_on(replace(trace, streams=streams, stacks=stacks)).run()

    assert not app.exception
    found = said(app)
    assert "The query tokens come before the words, and no token looks ahead: query tokens" in found
    assert "The query tokens have no place in the picture, so no picture is drawn here." in found
    assert "looking at vision” to see where each of them looks." in found
    assert "query tokens at words" in app.segmented_control(key="matrix").options
    assert matrix(app)[0] == "Words at query tokens: layer 1, head 1"
    assert "patch" not in found
    assert not [toggle for toggle in app.toggle if toggle.key == "neutral_prompt"]

    app.main.selectbox(key="attention_stack").set_value("Q-Former<-vision").run()
    assert app.segmented_control(key="matrix").options == ["query tokens at patches", "all tokens"]
    assert "no place in the picture" not in said(app)


def named(stack: Stack) -> list[tuple[str, str]]:
    """Text and kind of each token that looks."""
    return list(zip(stack.queries.texts, stack.queries.kinds, strict=True))


def test_a_neutral_prompt_is_offered_where_words_look_at_places_and_nowhere_else(decoder, open_on):
    """Not of a vision tower, whose tokens ask nothing, nor of tensors without a model."""

    def is_offered(app):
        assert not app.exception
        return bool([toggle for toggle in app.toggle if toggle.key == "neutral_prompt"])

    assert is_offered(decoder.run())
    decoder.main.selectbox(key="attention_stack").set_value("vision").run()
    assert not is_offered(decoder)

    trace = decoder_trace()
    brought = replace(trace, provenance=replace(trace.provenance, family=""))
    assert not is_offered(open_on(brought).run())


def test_a_model_that_looks_everywhere_says_nothing_of_the_kind(app):
    """No mask, no sentence."""
    app.run()
    assert "cannot look" not in said(app)


def test_positions_are_offered_where_an_answer_was_written(decoder):
    """And explained; the choice is kept in the address."""
    decoder.run()
    text = " ".join(block.value for block in decoder.markdown)
    assert view(decoder)["offersPosition"] is True
    assert "two positions" in text
    assert "position" not in decoder.query_params

    decoder.session_state["selection"] = {"position": "reads", "picture_view": "tiles"}
    decoder.run()
    assert view(decoder)["selection"]["position"] == "reads"
    assert decoder.query_params["position"] == "reads"
    assert decoder.query_params["picture_view"] == "tiles"


def test_long_streams_are_shown_in_bins_and_nothing_of_their_square_is_formed(open_on):
    """The size of a bin is said, and what a file does not hold."""
    app = open_on(
        decoder_trace(whole=(20, 26), tiles=(30, 40), heads=8, dim=16, layers=2, size=(640, 480))
    )
    app.session_state["selection"] = {"head": None}
    app.run()
    app.segmented_control(key="matrix").set_value("all tokens").run()

    _, cells = matrix(app)
    assert max(cells.shape) <= MOST
    assert "mean weight of up to 3 queries × 3 keys" in said(app)
    assert "holds the weights of layer 1, mean of all heads alone" in said(app)
    assert max(map(len, blobs(app).values()), default=0) < 2**20


def test_downloads_hold_what_the_view_shows(decoder, monkeypatch):
    """The mean of the pinned words of the answer, each at the position that predicts it."""
    trace = decoder_trace()
    stack = trace.stacks["language"]
    words = np.flatnonzero(stack.queries.is_generated)[:2]
    made = {}
    monkeypatch.setattr(attention_files, "downloads", lambda _, **offers: made.update(offers))
    decoder.session_state["selection"] = {
        "layer": 2,
        "head": 4,
        "tokens": tuple(words.tolist()),
        "picture_view": "tiles",
    }
    decoder.run()
    assert not decoder.exception

    wanted = stack.weights[2, 4][words - 1].mean(axis=0)
    lines = made["csv"]().splitlines()[1:]
    found = [float(line.rsplit(",", 1)[1]) for line in lines]
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    arrays = made["npz"]()
    np.testing.assert_allclose(arrays["profile"], wanted, atol=1e-6)
    np.testing.assert_allclose(arrays["weights"], stack.weights[2], atol=1e-6)
    title = made["figure"]().layout.title.text
    assert "'a', 'red' looks at (at the position before each, which predicts it)" in title
    assert "tiles" in title


def test_a_file_that_would_be_too_large_is_said_to_hold_less(decoder, monkeypatch):
    """Down to what is on show."""
    decoder.run()
    assert "each row of *weights*" in said(decoder)
    monkeypatch.setattr(attention_tables, "BUDGET", 100)
    decoder.run()
    assert "holds the values on show alone" in said(decoder)
    assert "*weights*" not in said(decoder)


def test_attention_that_was_not_kept_is_no_error(open_on):
    """The page says why and where to look; the other stacks can be chosen."""
    trace = decoder_trace()
    stack = trace.stacks["language"]
    blocks = tuple(
        tuple(replace(b, kept=KeptNothing(b.kept.shape, b.kept.mask)) for b in layer)
        for layer in stack.blocks
    )
    bare = replace(stack, blocks=blocks)
    app = open_on(replace(trace, stacks=dict(trace.stacks) | {"language": bare}))
    app.run()

    assert not app.exception
    assert not app.main.error
    assert "was not kept" in said(app)
    app.main.selectbox(key="attention_stack").set_value("vision").run()
    assert view(app)["version"] == "random/vision"
