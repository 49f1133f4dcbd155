"""Attention of a question over that of a neutral prompt."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.builders import random_stack, random_stream, random_tokens, random_trace
from tests.sinks.made import stack_of
from vl_core.errors import ComparisonError, EmptySelectionError
from vl_core.sinks.exclusion import mean_row
from vl_core.sinks.relative import asking, check_comparable, ratio, relative_attention
from vl_core.trace import Trace


def trace_with(tokens, seed=0, **stack):
    """A trace of these tokens, of the picture and the model of all others."""
    made = random_trace()
    return Trace(
        made.example,
        {"encoder": random_stream(tokens=tokens)},
        {
            "encoder": replace(
                random_stack(seed, queries=tokens, **stack), regions=made.example.regions
            )
        },
        made.prediction,
        made.provenance,
    )


OWN, NEUTRAL = random_tokens(5, 2, 3), random_tokens(3, 2, 3)  # patches start at 7, and at 5


@pytest.mark.parametrize("layer", [None, 2])
@pytest.mark.parametrize("head", [None, 3])
def test_it_is_the_ratio_of_mean_rows_patch_by_patch(layer, head):
    """Of all words, though the prompts are of other lengths."""
    trace, neutral = trace_with(OWN, 1), trace_with(NEUTRAL, 2, kept="queries_keys")

    found = relative_attention(trace, neutral, "encoder", layer, head)

    own = np.zeros(6)
    other = np.zeros(6)
    layers = range(3) if layer is None else [layer]
    heads = range(5) if head is None else [head]
    for one in layers:
        for each in heads:
            weights = trace.stacks["encoder"].weights[one, each]
            own += sum(weights[q, 7:] for q in range(1, 6)) / 5
            weights = neutral.stacks["encoder"].weights[one, each]
            other += sum(weights[q, 5:] for q in range(1, 4)) / 3
    assert (found.queries, found.neutral_queries) == ((1, 2, 3, 4, 5), (1, 2, 3))
    assert not found.is_last
    assert np.isnan(found.values[:7]).all()
    np.testing.assert_allclose(found.values[7:], own / other, rtol=1e-4)
    np.testing.assert_allclose(found.own[7:], own / len(layers) / len(heads), rtol=1e-5)
    np.testing.assert_allclose(found.neutral[7:], other / len(layers) / len(heads), rtol=1e-5)
    assert np.isnan(found.neutral[:7]).all()


def test_the_same_question_twice_is_one_everywhere():
    """Nothing is looked at more than for itself."""
    trace = trace_with(OWN)

    np.testing.assert_allclose(
        relative_attention(trace, trace, "encoder", None, None).values[7:], 1
    )


def test_next_to_nothing_is_no_divisor():
    """Zero, or less than a thousandth of the mean patch; what is no patch is missing too."""
    own = np.array([0.1, 0.2, 0.2, 0.3, 0.0, 0.2])
    neutral = np.array([0.5, 0.4, 0.0, 1e-5, 0.1, 0.0])
    patches = np.array([False, True, True, True, True, True])

    np.testing.assert_allclose(
        ratio(own, neutral, patches), [np.nan, 0.5, np.nan, np.nan, 0, np.nan]
    )
    assert np.isnan(ratio(own, np.zeros(6), patches)).all()
    assert np.isnan(ratio(own, np.full(6, np.nan), patches)).all()
    assert np.isnan(ratio(own, neutral, np.zeros(6, bool))).all()


def generated(tokens, count):
    """The same tokens, the last of which are the model's own answer."""
    return replace(tokens, is_generated=np.arange(len(tokens)) >= len(tokens) - count)


def test_a_decoder_asks_at_the_last_position_of_the_prompt():
    """That which predicts the first token of the answer, whether or not there is one."""
    assert asking(trace_with(OWN, mask="causal"), "encoder") == ((12,), True)
    assert asking(trace_with(generated(OWN, 2), mask="causal"), "encoder") == ((10,), True)
    # A prefix that sees itself is no order, but an answer is generated.
    assert asking(trace_with(generated(OWN, 2)), "encoder") == ((10,), True)
    padded = random_tokens(5, 2, 3, padding=2)
    assert asking(trace_with(padded, mask="causal"), "encoder") == ((12,), True)


def test_what_looks_across_asks_as_its_own_stream_does():
    """The decoder's order is told by its self-attention."""
    words, patches = random_tokens(5, 0, 0), random_tokens(0, 2, 3)
    made = random_trace()
    for mask, wanted in (("causal", ((6,), True)), ("full", ((1, 2, 3, 4, 5), False))):
        stacks = (
            random_stack(queries=words, mask=mask, streams=("language", "language")),
            random_stack(queries=words, keys=patches),
        )
        trace = Trace(
            made.example,
            {
                "language": random_stream("language", words),
                "vision": random_stream("vision", patches),
            },
            {one.name: replace(one, regions=made.example.regions) for one in stacks},
            made.prediction,
            made.provenance,
        )
        assert asking(trace, "language<-vision") == wanted


def test_where_no_word_looks_no_question_does():
    """In a vision tower."""
    with pytest.raises(EmptySelectionError, match="No word looks in stack encoder"):
        asking(trace_with(random_tokens(0, 2, 3)), "encoder")


def test_the_last_position_is_what_is_averaged():
    """One row of each, which the decoder reads its answer off."""
    trace = trace_with(OWN, 1, mask="causal", kept="queries_keys")
    neutral = trace_with(NEUTRAL, 2, mask="causal", kept="queries_keys")

    found = relative_attention(trace, neutral, "encoder", 1, None)

    own = trace.stacks["encoder"].weights[1][:, 12, 7:].mean(axis=0)
    other = neutral.stacks["encoder"].weights[1][:, 10, 5:].mean(axis=0)
    assert found.is_last
    np.testing.assert_allclose(found.values[7:], own / other, rtol=1e-5)
    np.testing.assert_allclose(found.own, mean_row(trace.stacks["encoder"], 1, None, [12]))


def with_example(trace, **changes):
    """The trace of another example."""
    return replace(trace, example=replace(trace.example, **changes))


def with_model(trace, **changes):
    """The trace of another model."""
    return replace(trace, provenance=replace(trace.provenance, **changes))


def other_places():
    """The same number of patches, three rows of two."""
    return trace_with(random_tokens(3, 3, 2))


@pytest.mark.parametrize(
    ("neutral", "message"),
    [
        (trace_with(random_tokens(3, 2, 4)), "into 6 patches for this question and into 8"),
        (other_places(), "patches of other places"),
        (trace_with(NEUTRAL, layers=2), "3 layers of 5 heads and 2 of 5"),
        (trace_with(NEUTRAL, heads=4), "3 layers of 5 heads and 3 of 4"),
        (with_model(trace_with(NEUTRAL), model_id="large"), r"model id \(tiny and large\)"),
        (with_model(trace_with(NEUTRAL), weights_hash="4567"), "weights hash"),
        (
            with_example(trace_with(NEUTRAL), image=Image.new("RGB", (48, 32))),
            "of different pictures",
        ),
    ],
)
def test_traces_that_differ_in_more_than_the_question_are_refused(neutral, message):
    """Model, picture, patches: each with what came."""
    with pytest.raises(ComparisonError, match=message):
        relative_attention(trace_with(OWN), neutral, "encoder", None, None)


def test_a_neutral_trace_without_the_stack_is_refused():
    """It names what there is."""
    neutral = trace_with(NEUTRAL)
    stack = replace(neutral.stacks["encoder"], name="decoder")
    neutral = replace(neutral, stacks={"decoder": stack})

    with pytest.raises(ComparisonError, match="has no stack encoder; it has decoder"):
        check_comparable(trace_with(OWN), neutral, "encoder")


def test_there_must_be_a_picture_and_patches():
    """Nothing is divided without."""
    words = random_tokens(4, 0, 0)
    trace = trace_with(words)
    with pytest.raises(ComparisonError, match="No patch is looked at in this stack"):
        check_comparable(trace, trace, "encoder")
    blind = replace(
        trace,
        example=replace(trace.example, image=None, picture=None, original_size=None, regions=()),
        stacks={"encoder": replace(trace.stacks["encoder"], regions=())},
    )
    with pytest.raises(ComparisonError, match="without a picture"):
        check_comparable(blind, blind, "encoder")


def test_sinks_divide_out():
    """A patch on which half of everything rests is one like any other, relative to it."""
    weights = np.full((1, 2, 13, 13), 0.5 / 12)
    weights[..., 9] = 0.5
    weights[:, :, 1:6, 8] += 0.1
    weights[:, :, 1:6, 9] -= 0.1
    own = stack_of(weights, OWN)
    rest = np.full((1, 2, 11, 11), 0.5 / 10)
    rest[..., 7] = 0.5
    neutral = stack_of(rest, NEUTRAL)
    one, other = (
        replace(
            trace_with(stack.queries),
            streams={"encoder": random_stream(tokens=stack.queries)},
            stacks={"encoder": replace(stack, regions=random_trace().example.regions)},
        )
        for stack in (own, neutral)
    )

    found = relative_attention(one, other, "encoder", None, None)

    assert np.nanargmax(found.own) == 9
    assert np.nanargmax(found.values) == 8
    assert found.values[9] == pytest.approx(0.8, rel=1e-3)
