"""Traces: parts that contradict each other are refused with what came and what was wanted."""

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens, random_trace, random_two_stream_trace
from vl_core.errors import TraceError
from vl_core.example import Region
from vl_core.trace import (
    DistanceBias,
    KeptNothing,
    Mask,
    Prediction,
    Stream,
    TokenTable,
    TracedExample,
)


def with_tokens(trace, **columns):
    """The trace with other columns in its token table, and without stacks."""
    stream = trace.streams["encoder"]
    tokens = replace(stream.tokens, **columns)
    return replace(trace, streams={"encoder": replace(stream, tokens=tokens)}, stacks={})


def test_valid_traces_are_made():
    """One stream; two streams with cross-attention, windows and grouped keys."""
    assert random_trace().stacks["encoder"].n_layers == 3
    assert set(random_two_stream_trace().stacks) == {"language", "vision", "language<-vision"}


def test_parts_are_told_in_one_line():
    """By their names and sizes; a notebook would show all tokens and arrays otherwise."""
    trace = random_two_stream_trace()
    stack, stream = trace.stacks["language<-vision"], trace.streams["language"]
    n_queries, n_keys = len(stack.queries), len(stack.keys)

    assert repr(stack) == (
        f"<Stack language<-vision: {stack.n_layers} layers x {stack.n_heads} heads, {n_queries} "
        f"queries x {n_keys} keys, weights of all layers kept>"
    )
    states, _, width = stream.packed_states.shape
    assert repr(stream) == (
        f"<Stream language: {n_queries} tokens, {states} hidden states, {width} wide>"
    )
    assert f"language ({n_queries} tokens), vision ({n_keys} tokens); stacks: " in repr(trace)
    assert f"language<-vision ({stack.n_layers} layers x {stack.n_heads} heads)" in repr(trace)
    assert repr(trace).startswith(f"<Trace of {trace.provenance.model_id} on '")
    table = TokenTable.of(["a", "b", "cls"], ["text", "text", "special"])
    assert repr(table) == "<TokenTable: 3 tokens (2 text, 1 special)>"
    for part in (trace, stack, stream, stack.keys, replace(trace, streams={}, stacks={})):
        assert len(repr(part)) < 300
        assert "\n" not in repr(part)


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 layers"), (1, "1 layer"), (2, "2 layers"), (3, "all layers")]
)
def test_what_is_kept_of_a_stack_is_told_in_its_line(count, said):
    """So that nobody asks in vain."""
    stack = random_trace().stacks["encoder"]
    blocks = [
        layer
        if number < count
        else tuple(replace(one, kept=KeptNothing(one.kept.shape, one.kept.mask)) for one in layer)
        for number, layer in enumerate(stack.blocks)
    ]

    assert f"weights of {said} kept" in repr(replace(stack, blocks=tuple(blocks)))


def test_of_a_long_text_the_beginning_is_told():
    """And that there is more."""
    trace = random_trace()
    long = TracedExample(text="what is this? " * 50)
    bare = replace(trace, example=long, streams={}, stacks={})

    assert "what is this? ...'; streams: none; stacks: none>" in repr(bare)
    assert len(repr(bare)) < 200


def test_a_stack_needs_its_streams():
    """The message names the stream that is missing and those that exist."""
    trace = random_trace()
    stack = replace(trace.stacks["encoder"], key_stream="vision")
    with pytest.raises(TraceError, match="the key stream vision; the trace has encoder"):
        replace(trace, stacks={"encoder": stack})


def test_a_stack_shares_the_tokens_of_its_stream():
    """Equal tables that are not the same object could drift apart."""
    trace = random_trace()
    stack = random_stack(queries=random_tokens(), regions=trace.example.regions)
    with pytest.raises(TraceError, match="stack encoder and stream encoder differ in their tokens"):
        replace(trace, stacks={"encoder": stack})


def test_a_stack_has_the_regions_of_the_example():
    """They are stored once, with the example."""
    trace = random_trace()
    with pytest.raises(TraceError, match="stack encoder and the example differ in their regions"):
        replace(trace, stacks={"encoder": replace(trace.stacks["encoder"], regions=())})


@pytest.mark.parametrize("what", ["stream", "stack"])
def test_parts_are_listed_under_their_own_names(what):
    """A file keeps each name once."""
    trace = random_trace()
    parts = getattr(trace, f"{what}s")
    listed = {"decoder": parts["encoder"]} | (parts if what == "stream" else {})
    with pytest.raises(TraceError, match=f"{what} encoder is listed under the name decoder"):
        replace(trace, **{f"{what}s": listed})


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((-1, 0, 10, 10), "outside the picture of 60 x 32 pixels"),
        ((0, 0, 10, 33), "outside the picture of 60 x 32 pixels"),
        ((0, 0, 61, 10), "outside the picture of 60 x 32 pixels"),
        ((10, 0, 10, 10), "a patch without an area"),
        ((0, 20, 10, 10), "a patch without an area"),
    ],
)
def test_patches_lie_in_the_picture(box, message):
    """Left, top, right, bottom in pixels of the original; width and height are told apart."""
    trace = random_trace()
    boxes = trace.streams["encoder"].tokens.boxes.copy()
    boxes[8] = box
    with pytest.raises(TraceError, match=f"stream encoder: .*{message}"):
        with_tokens(trace, boxes=boxes)


def test_rounding_at_the_edge_is_forgiven():
    """A box may end a thousandth of a pixel outside."""
    trace = random_trace()
    boxes = trace.streams["encoder"].tokens.boxes.copy()
    boxes[8] = (40, 16, 60.001, 32.001)

    assert with_tokens(trace, boxes=boxes).streams


def test_patches_need_a_picture():
    """Boxes in a trace of text alone have no unit."""
    trace = random_trace()
    with pytest.raises(TraceError, match="has patches, but the example has no picture"):
        replace(trace, example=TracedExample(trace.example.text), stacks={})


@pytest.mark.parametrize("span", [(0, 99), (5, 3), (-1, 2), (-2, -2)])
def test_spans_lie_in_the_text(span):
    """The message gives the characters that came and the length of the text."""
    trace = random_trace()
    spans = trace.streams["encoder"].tokens.spans.copy()
    spans[1] = span
    with pytest.raises(TraceError, match=f"the characters {span[0]} to {span[1]} of a text of 26"):
        with_tokens(trace, spans=spans)


def test_the_builder_places_words_in_the_text():
    """Each word's span cuts that word out of the example's text."""
    trace = random_trace()
    tokens = trace.streams["encoder"].tokens
    for i in np.flatnonzero(tokens.is_text):
        start, end = tokens.spans[i]
        assert trace.example.text[start:end] == tokens.texts[i]


def test_a_prediction_has_an_answer():
    """An empty list is no prediction."""
    with pytest.raises(TraceError, match="a prediction without a single answer"):
        Prediction("answer", ())


def test_a_trace_of_text_alone_is_valid():
    """No picture, no boxes, no stack."""
    tokens = random_tokens(rows=0, columns=0)
    stream = Stream.of("encoder", tokens, np.zeros((0, len(tokens), 3)))
    trace = random_trace()

    made = replace(
        trace,
        example=TracedExample(trace.example.text),
        streams={"encoder": stream},
        stacks={"encoder": random_stack(queries=tokens)},
    )

    assert made.example.original_size is None


@pytest.mark.parametrize(
    ("box", "span", "message"),
    [
        ((2, 3, np.nan, 17), None, "four finite numbers are wanted"),
        ((31, 3, 2, 17), None, "which has no area"),
        ((2, 17, 31, 17), None, "which has no area"),
        ((2, 3, 61, 17), None, "not inside the picture of 60 x 32 pixels"),
        ((-1, 3, 31, 17), None, "not inside the picture of 60 x 32 pixels"),
        ((2, 3, 31, 17), (20, 27), "the characters 20 to 27 of a text of 26"),
        ((2, 3, 31, 17), (5, 5), "the characters 5 to 5 of a text of 26"),
    ],
)
def test_regions_lie_in_picture_and_text(box, span, message):
    """Grounding would be measured against a place that is none."""
    trace = random_trace()
    example = replace(trace.example, regions=(Region("star", box, span),))
    with pytest.raises(TraceError, match=f"(?i)region star .*{message}"):
        replace(trace, example=example, stacks={})


@pytest.mark.parametrize("missing", ["image", "picture", "original_size"])
def test_a_picture_has_all_its_parts_or_none(missing):
    """As the model saw it, for display, and the size that boxes are counted in."""
    with pytest.raises(TraceError, match="all three are wanted, or none"):
        replace(random_trace().example, **{missing: None})


@pytest.mark.parametrize(
    ("kind", "top", "message"),
    [
        ("answer", (("yes", np.nan),), "a prediction of nan, wanted 0 to 1"),
        ("answer", (("yes", 1.5),), "a prediction of 1.5, wanted 0 to 1"),
        ("answer", (("yes", -0.5),), "a prediction of -0.5, wanted 0 to 1"),
        ("score", (("yes", np.inf),), "a prediction of inf, wanted -1.79"),
        ("similarity", (("match", -1.5),), "a prediction of -1.5, wanted -1 to 1"),
        ("answer", (("yes", 0.2), ("no", 0.7)), "wanted the likeliest first"),
    ],
)
def test_predictions_are_probabilities_in_order(kind, top, message):
    """The message gives what came and what was wanted."""
    with pytest.raises(TraceError, match=message):
        Prediction(kind, top)


def test_predictions_are_of_a_known_kind():
    """The message gives the kinds there are."""
    made = object.__new__(Prediction)  # as without the types that only the tests check
    made.__dict__.update(kind="guess", top=(("yes", 0.5),))
    with pytest.raises(TraceError, match="the kind guess; there are answer, match, score"):
        made.__post_init__()


@pytest.mark.parametrize(("kind", "text"), [("text", None), ("answer", "yes")])
def test_a_text_is_told_where_one_was_generated_and_nowhere_else(kind, text):
    """Its tokens alone do not say which of them are no text."""
    with pytest.raises(TraceError, match=rf"the kind {kind} with the text {text!r}"):
        Prediction(kind, (("yes", 0.5),), text=text)


@pytest.mark.parametrize(("kind", "is_cut_off"), [("answer", True), ("text", 1)])
def test_only_a_generated_text_is_cut_off(kind, is_cut_off):
    """And it is or is not: a file may say anything."""
    made = object.__new__(Prediction)  # as without the types that only the tests check
    text = "a" if kind == "text" else None
    made.__dict__.update(kind=kind, top=(("a", 0.5),), text=text, is_cut_off=is_cut_off)
    with pytest.raises(TraceError, match=f"with is_cut_off {is_cut_off}; true or false is wanted"):
        made.__post_init__()


def test_generated_text_keeps_the_order_of_its_tokens():
    """Each token's probability in turn; a cosine may be negative."""
    said = Prediction("text", (("a", 0.2), (" star", 0.9)), text="a star")
    assert said.top[1] == (" star", 0.9)
    assert Prediction("similarity", (("match", -0.3),)).top


def test_what_was_told_of_an_answer_has_no_number():
    """One answer at most, and nothing where none was told."""
    assert Prediction.told().top == ()
    ((text, number),) = Prediction.told("red").top
    assert text == "red"
    assert np.isnan(number)
    for top in ((("red", 0.5),), (("red", np.nan), ("blue", np.nan))):
        with pytest.raises(TraceError, match="one at most, with nan, is wanted"):
            Prediction("told", top)


def test_what_a_trace_lists_cannot_be_changed():
    """Every visitor shares the one trace."""
    trace = random_trace()
    provenance = trace.provenance
    for mapping in (trace.streams, trace.stacks, provenance.versions, provenance.fidelity):
        with pytest.raises(TypeError):
            mapping["other"] = None
    assert len({trace, trace}) == 1


def test_bytes_count_what_layers_share_once():
    """Queries, keys and states of each layer; one table of allowed keys and one bias of all."""
    trace = random_trace(kept="queries_keys")
    stack, count = trace.stacks["encoder"], len(trace.streams["encoder"].tokens)
    allowed = np.tri(count, k=2, dtype=bool)
    bias = DistanceBias.of(np.ones((5, 2 * count - 1), np.float32), count)
    layers = tuple(
        (replace(b, kept=replace(b.kept, mask=Mask("explicit", allowed=allowed), bias=bias)),)
        for (b,) in stack.blocks
    )
    trace = replace(trace, stacks={"encoder": replace(stack, blocks=layers)})

    attention = 3 * 2 * (5 * count * 7) * 2
    shared = count * count + 5 * (2 * count - 1) * 4 + 2 * count * 8
    assert trace.n_bytes == attention + shared + 4 * count * 6 * 2
