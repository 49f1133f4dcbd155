"""What a head looks at most, against loops over all of its weights."""

from itertools import product

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens
from tests.decoders import decoder_trace
from vl_core.head_stats import looks as module
from vl_core.head_stats.looks import Pair, looks
from vl_core.trace import Block, KeptWeights, Stack

COUNT = 4


def plain_weights(stack, layer, head, with_specials):
    """Query x key, entry by entry: without what is left out, each row divided by the rest."""
    heads = range(stack.n_heads) if head is None else [head]
    matrices = [np.asarray(stack.weights[layer, one]) for one in heads]
    found = np.zeros((len(stack.queries), len(stack.keys)))

    def is_out(tokens, position):
        return tokens.is_padding[position] or (not with_specials and tokens.is_special[position])

    for query, key in product(range(len(stack.queries)), range(len(stack.keys))):
        if not is_out(stack.queries, query) and not is_out(stack.keys, key):
            weights = [float(matrix[query, key]) for matrix in matrices]
            found[query, key] = sum(weights) / len(weights)
    left = [sum(row) for row in found]
    return np.array([row / (total or 1) for row, total in zip(found, left, strict=True)])


def plain_pairs(weights, count):
    """The greatest entries, of equal ones the first."""
    places = product(range(weights.shape[0]), range(weights.shape[1]))
    order = sorted(places, key=lambda place: -weights[place])
    return [place for place in order if weights[place] > 0][:count]


def stacks():
    """Padding and specials; windows; a causal decoder; words that alone look at a tower."""
    decoder = decoder_trace().stacks
    return {
        "padded": random_stack(queries=random_tokens(padding=2)),
        "windows": random_stack(windows=3, kept="queries_keys"),
        "causal": decoder["language"],
        "across": decoder["language<-vision"],
    }


@pytest.mark.parametrize("rows", [1, 5, 1000])
@pytest.mark.parametrize("with_specials", [True, False])
@pytest.mark.parametrize("head", [2, None])
@pytest.mark.parametrize("name", list(stacks()))
def test_pairs_and_shares_are_those_of_a_loop(name, head, with_specials, rows, monkeypatch):
    """However many rows are formed together: the strongest pairs, and what two sets look at."""
    stack = stacks()[name]
    formed = stack.n_heads if head is None else 1
    monkeypatch.setattr(module, "BLOCK_BYTES", rows * 4 * formed * len(stack.keys))
    sets = (stack.queries.is_text, stack.queries.is_image | stack.queries.is_text)

    found = looks(stack, 1, head, sets, count=COUNT, with_specials=with_specials)

    weights = plain_weights(stack, 1, head, with_specials)
    assert [(pair.query, pair.key) for pair in found.pairs] == plain_pairs(weights, COUNT)
    for pair in found.pairs:
        assert pair.weight == pytest.approx(weights[pair.query, pair.key], abs=1e-6)
    for queries, shares in zip(sets, found.received, strict=True):
        looking = [row for row in weights[queries] if row.any()]
        expected = np.mean(looking, axis=0) if looking else np.full(len(stack.keys), np.nan)
        assert shares == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_of_equal_weights_the_first_pairs_are_named(monkeypatch):
    """All look everywhere alike: no pair is stronger than another, and few are listed."""
    tokens = random_tokens()
    count = len(tokens)
    weights = np.full((2, count, count), 1 / count, np.float16)
    block = Block(np.arange(count), np.arange(count), KeptWeights(weights))
    stack = Stack("encoder", "encoder", "encoder", tokens, tokens, (0,), ((block,),))
    monkeypatch.setattr(module, "BLOCK_BYTES", 3 * 4 * count)

    found = looks(stack, 0, 1, (), count=3)

    assert [pair[:2] for pair in found.pairs] == [(0, 0), (0, 1), (0, 2)]


def test_less_is_listed_where_there_is_less():
    """A single token looks at itself alone."""
    tokens = random_tokens(1, 0, 0, specials=False)
    stack = random_stack(queries=tokens)

    found = looks(stack, 0, 0, (), count=10)

    assert found.pairs == (Pair(0, 0, 1.0),)
