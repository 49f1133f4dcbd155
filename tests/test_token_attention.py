"""What tokens look at and what looks at them, against plain loops; what tokens are called."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens, random_two_stream_trace
from tests.decoders import decoder_trace, language_tokens
from vl_core import token_attention
from vl_core.errors import EmptySelectionError
from vl_core.token_attention import (
    asking,
    patch_places,
    profile,
    profiles,
    rows_at,
    slices,
    token_labels,
    token_names,
)

STACKS = {
    "weights": lambda: random_stack(3),
    **{
        name: lambda name=name: random_two_stream_trace().stacks[name]
        for name in ("language", "vision", "language<-vision")
    },
    "decoder": lambda: decoder_trace().stacks["language"],
    "partial rows": lambda: decoder_trace().stacks["language<-vision"],
}


def plain_weights(stack, layer, head):
    """Query x key by adding up one matrix after the other."""
    whole = np.asarray(stack.weights, np.float64)
    layers = range(stack.n_layers) if layer is None else [layer]
    heads = range(stack.n_heads) if head is None else [head]
    total = np.zeros(whole.shape[2:])
    for one in layers:
        for other in heads:
            total += whole[one, other]
    return total / (len(layers) * len(heads))


def plain_profile(weights, tokens, direction):
    """Means of rows that look anywhere, or of columns, number by number."""
    if direction == "looked_at_by":
        return [sum(weights[q, t] for t in tokens) / len(tokens) for q in range(len(weights))]
    looking = [t for t in tokens if weights[t].sum() > 0]
    return [
        sum(weights[t, k] for t in looking) / max(1, len(looking)) for k in range(weights.shape[1])
    ]


@pytest.mark.parametrize("direction", ["looks_at", "looked_at_by"])
@pytest.mark.parametrize("chunk", [100, 3000, token_attention.CHUNK])
@pytest.mark.parametrize("name", STACKS)
def test_a_profile_is_a_mean_of_rows_or_of_columns(monkeypatch, name, chunk, direction):
    """Of one layer and head or of means, for whatever stack, however few rows are formed at once.

    Tokens are not in order and some have no row.
    """
    monkeypatch.setattr(token_attention, "CHUNK", chunk)
    stack = STACKS[name]()
    count = len(stack.queries if direction == "looks_at" else stack.keys)
    tokens = (count - 1, 0, 3, 4, 5)

    for layer, head in [(0, 0), (1, 2), (1, None), (None, 1), (None, None)]:
        found = profile(stack, layer, head, tokens, direction)
        wanted = plain_profile(plain_weights(stack, layer, head), tokens, direction)
        np.testing.assert_allclose(found, wanted, atol=1e-6)

    each = profiles(stack, 1, tokens, direction)
    for head in range(stack.n_heads):
        wanted = plain_profile(plain_weights(stack, 1, head), tokens, direction)
        np.testing.assert_allclose(each[head], wanted, atol=1e-6)


def test_queries_without_a_row_do_not_dilute_a_mean():
    """Words look at the picture, specials have no row there: the mean is that of the words."""
    stack = decoder_trace().stacks["language<-vision"]
    word = int(np.flatnonzero(stack.queries.is_text)[0])

    alone = profile(stack, 0, 1, (word,), "looks_at")
    with_specials = profile(stack, 0, 1, (0, 1, word), "looks_at")

    assert alone.sum() == pytest.approx(1)
    np.testing.assert_allclose(with_specials, alone)
    assert not profile(stack, 0, 1, (0, 1), "looks_at").any()


def test_a_profile_of_no_token_is_refused():
    """The mean over nothing is undefined."""
    for found in (profile, lambda stack, layer, _, *rest: profiles(stack, layer, *rest)):
        with pytest.raises(EmptySelectionError, match="No token"):
            found(random_stack(), 0, 0, (), "looks_at")


def test_positions_are_taken_in_runs():
    """Neighbours together, never more than asked for, in their order."""
    positions = np.array([7, 8, 9, 10, 3, 4, 0])

    found = list(slices(positions, 3))

    assert [(one.start, one.stop) for one in found] == [(7, 10), (10, 11), (3, 5), (0, 1)]
    assert list(slices(np.array([], int), 3)) == []


def test_a_generated_token_is_predicted_before_it_is_read():
    """The position before it predicts it; words that were given have their own alone."""
    tokens = language_tokens()
    first = int(np.flatnonzero(tokens.is_generated)[0])
    word = int(np.flatnonzero(tokens.is_text)[0])

    assert asking(tokens, (word, first, first + 2), "predicts") == (word, first - 1, first + 1)
    assert asking(tokens, (word, first, first + 2), "reads") == (word, first, first + 2)
    alone = tokens.chosen(tokens.is_generated)
    assert asking(alone, (0, 1), "predicts") == (0, 0)  # nothing stands before the first one


def test_patches_of_a_grid_are_called_by_row_and_column():
    """Counted from 1, rows from the top; words stand in quotes, specials as they are."""
    names = token_names(random_tokens(n_text=2, rows=2, columns=3))

    assert names[:4] == ("[CLS]", "'is'", "'the'", "[SEP]")
    assert names[4] == "patch 1, 1"
    assert names[6:8] == ("patch 1, 3", "patch 2, 1")


def test_labels_are_the_names_without_quotes():
    """In a list or beside a mark a word needs none."""
    table = random_tokens(n_text=2, rows=2, columns=3)

    assert token_labels(table)[:4] == ("[CLS]", "is", "the", "[SEP]")
    assert token_labels(table)[4:] == token_names(table)[4:]


def test_patches_that_form_no_grid_are_numbered():
    """One patch that is missing, or lies elsewhere, leaves no rows and columns to speak of."""
    table = random_tokens(n_text=2, rows=2, columns=3)
    boxes = table.boxes.copy()
    boxes[-1] += 1.5
    moved = replace(table, boxes=boxes)

    assert patch_places(moved) == {}
    assert token_names(moved)[-1] == token_labels(moved)[-1] == "patch 6"


def test_patches_of_several_views_are_called_by_view():
    """Rows and columns count within each view; newline tokens between keep their text."""
    tokens = language_tokens(whole=(2, 3), tiles=(4, 5))

    names = token_names(tokens)

    assert names[2] == "patch 1, 1 (whole picture)"
    assert names[2 + 5] == "patch 2, 3 (whole picture)"
    assert names[2 + 6] == "patch 1, 1 (tiles)"
    assert names[2 + 6 + 5] == "<row>"
    assert names[2 + 6 + 6] == "patch 2, 1 (tiles)"


def test_tokens_of_the_image_without_a_place_keep_their_names():
    """Query tokens of a Q-Former lie nowhere in the picture."""
    table = replace(
        random_tokens(n_text=1, rows=0, columns=0),
        texts=("query 1", "query 2", "query 3"),
        kinds=("image",) * 3,
    )

    assert token_names(table) == ("query 1", "query 2", "query 3")
    assert patch_places(table) == {}


@pytest.mark.parametrize("layer", [1, None])
@pytest.mark.parametrize("direction", ["looks_at", "looked_at_by"])
def test_a_mean_over_heads_never_holds_all_of_them(monkeypatch, layer, direction):
    """16 heads of 600 x 600 are 23 MB; rows and columns take a tenth of it."""
    monkeypatch.setattr(token_attention, "CHUNK", 2**20)
    stack = random_stack(
        layers=2, heads=16, kept="queries_keys", queries=random_tokens(2, 1, 596), key_heads=1
    )
    tracemalloc.start()
    try:
        profile(stack, layer, None, (1, 2), direction)
        profiles(stack, 1, (1, 2), direction)
        rows_at(stack, layer, None, np.arange(300))
        assert tracemalloc.get_traced_memory()[1] < 6e6
    finally:
        tracemalloc.stop()
