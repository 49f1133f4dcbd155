"""A statistic of a stack: the stored value where there is one, else from what the stack keeps."""

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens
from tests.head_stats import cases, slow
from vl_core.head_stats import STATISTICS, TEXT_TO_IMAGE_MASS
from vl_core.trace import Block, KeptQueriesKeys, Mask, Stack

RANKING = ("pointing", "box_auc", "class_pointing", "class_auc")


def test_stored_values_are_taken_as_they_are():
    """What capture measured is returned, each variant under its own name."""
    stack = random_stack()
    kept, dropped = np.full((3, 5), 0.25), np.full((3, 5), 0.75)
    key = TEXT_TO_IMAGE_MASS.key
    stored = replace(stack, head_stats={key: kept, f"{key}/without_specials": dropped})

    assert (TEXT_TO_IMAGE_MASS.of(stored) == kept).all()
    assert (TEXT_TO_IMAGE_MASS.of(stored, with_specials=False) == dropped).all()
    with pytest.raises(ValueError, match="read-only"):
        TEXT_TO_IMAGE_MASS.of(stored)[0, 0] = 1


class _Seen:
    """What the slow functions look at."""

    def __init__(self, queries, keys, regions, weights, allowed):
        self.queries, self.keys, self.regions = queries, keys, regions
        self.weights, self.allowed = weights, allowed


@pytest.mark.parametrize("with_specials", [True, False])
def test_stored_weights_are_measured_where_nothing_was_stored(with_specials):
    """From kept weights each statistic is that of these weights."""
    tokens = random_tokens(4, 2, 3, padding=2)
    stack = random_stack(3, queries=tokens, mask="causal", regions=cases.regions())
    seen = _Seen(tokens, tokens, stack.regions, np.asarray(stack.weights, float), stack.allowed(0))
    wanted = slow.head_maps(seen, with_specials=with_specials)

    for statistic in STATISTICS:
        came = statistic.of(stack, with_specials)
        _close(came, wanted[statistic.key], 1e-5, statistic.key)


@pytest.mark.parametrize("softcap", [None, 30.0])
@pytest.mark.parametrize("kind", ["full", "causal"])
@pytest.mark.parametrize("with_specials", [True, False])
def test_half_precision_queries_and_keys_are_close_enough(with_specials, kind, softcap):
    """From stored float16 queries and keys, two heads to a key head, within 2e-3 of the truth.

    Those that rank patches are what they are for the stored weights: rounding may swap two.
    """
    tokens = random_tokens(5, 3, 4)
    stack, weights, allowed = _grouped(tokens, kind, softcap)
    stored = np.asarray(stack.weights, float)
    truth, ranked = (
        slow.head_maps(
            _Seen(tokens, tokens, stack.regions, seen, allowed), with_specials=with_specials
        )
        for seen in (weights, stored)
    )

    for statistic in STATISTICS:
        wanted = ranked if statistic.key in RANKING else truth
        came = statistic.of(stack, with_specials)
        _close(came, wanted[statistic.key], 2e-3, statistic.key)


def _close(came, wanted, tolerance, key):
    np.testing.assert_allclose(
        came, wanted, rtol=tolerance, atol=tolerance, equal_nan=True, err_msg=key
    )


def _grouped(tokens, kind, softcap):
    """A stack of 2 layers x 6 heads on 3 key heads, and its weights in float64."""
    rng = np.random.default_rng(11)
    n, dim = len(tokens), 16
    mask = Mask(kind)
    allowed = mask.rows(slice(None), n, n)
    blocks, truth = [], []
    for _ in range(2):
        queries, keys = rng.normal(scale=1.5, size=(6, n, dim)), rng.normal(size=(3, n, dim))
        scores = queries @ keys.repeat(2, axis=0).transpose(0, 2, 1) * dim**-0.5
        scores = scores if softcap is None else softcap * np.tanh(scores / softcap)
        raised = np.where(allowed, np.exp(scores), 0)
        truth.append(raised / raised.sum(-1, keepdims=True))
        kept = KeptQueriesKeys(queries.astype("f2"), keys.astype("f2"), dim**-0.5, softcap, mask)
        blocks.append((Block(np.arange(n), np.arange(n), kept),))
    names = ("encoder", "encoder", "encoder")
    regions = cases.regions()
    stack = Stack(*names, tokens, tokens, (0, 1), tuple(blocks), regions=regions)
    return stack, np.stack(truth), allowed
