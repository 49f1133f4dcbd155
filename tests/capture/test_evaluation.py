"""Rows of a live evaluation: some heads, some queries, and only the keys that these may see."""

import itertools

import pytest
import torch

from vl_core.capture.evaluation import Evaluation, Sample
from vl_core.capture.masks import LiveMask

HEADS, KEY_HEADS, QUERIES, DIM = 12, 3, 10, 5
CAUSAL = torch.tril(torch.ones(QUERIES, QUERIES, dtype=torch.bool))
BIAS = torch.arange(QUERIES) * torch.arange(QUERIES)[:, None] * torch.arange(HEADS)[:, None, None]
BIAS = BIAS / 500

TABLES = {
    "none": torch.zeros(1, QUERIES, QUERIES),
    "causal": CAUSAL[None],
    "bias": BIAS.masked_fill(~CAUSAL, -torch.inf),
    "shared bias": BIAS[3:4],
    "empty rows": CAUSAL[None] & (torch.arange(QUERIES) > 2),
    "of no kind": torch.eye(QUERIES).bool()[None] | (torch.arange(QUERIES) % 3 == 1),
    "some heads'": torch.ones(HEADS, 1, 1).bool().index_fill(0, torch.tensor([2, 7]), 0) | CAUSAL,
}
MASKS = {name: LiveMask.of(table[None], 0, (QUERIES, QUERIES)) for name, table in TABLES.items()}


def _evaluation(mask, softcap=None, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    sizes = {"asked": HEADS, "offered": KEY_HEADS, "values": KEY_HEADS}
    asked, offered, values = (
        torch.randn(size, QUERIES, DIM, generator=generator).to(dtype) for size in sizes.values()
    )
    sample = Sample.of(values, torch.zeros(QUERIES, HEADS, DIM))
    return Evaluation(asked, offered, sample, mask, scaling=0.7, softcap=softcap)


def _plain(evaluation, table):
    """All weights, one head at a time."""
    heads = []
    for head in range(HEADS):
        key_head = head * KEY_HEADS // HEADS
        scores = evaluation.queries[head].double() @ evaluation.keys[key_head].double().T * 0.7
        if evaluation.softcap is not None:
            scores = evaluation.softcap * torch.tanh(scores / evaluation.softcap)
        own = table[head if len(table) > 1 else 0]
        if own.dtype == torch.bool:
            own = torch.where(own, 0.0, -torch.inf)
        scores = scores + own
        heads.append(scores.softmax(dim=-1).nan_to_num(0))
    return torch.stack(heads)


@pytest.mark.parametrize("softcap", [None, 3.0])
@pytest.mark.parametrize("mask", MASKS)
def test_any_heads_and_rows_are_those_of_all_weights(mask, softcap):
    """Whether or not the chosen heads share their key heads evenly."""
    evaluation = _evaluation(MASKS[mask], softcap)
    whole = _plain(evaluation, TABLES[mask])
    rows = (slice(0, 4), slice(3, 9), slice(None))
    heads = (slice(0, 12), slice(4, 8), slice(2, 5), slice(3, 9), slice(11, 12), slice(None))

    for some, queries in itertools.product(heads, rows):
        came = evaluation.rows(some, queries)
        torch.testing.assert_close(came, whole[some, queries].float(), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("mask", "keys"), [("causal", slice(0, 6)), ("empty rows", slice(3, 6))])
def test_keys_that_no_query_sees_need_not_be_computed(mask, keys):
    """Rows on the keys from the first to the last that is allowed are the same as on all."""
    evaluation = _evaluation(MASKS[mask])
    came = evaluation.rows(slice(2, 9), slice(2, 6), keys)
    whole = evaluation.rows(slice(2, 9), slice(2, 6))

    torch.testing.assert_close(came, whole[..., keys], atol=1e-6, rtol=0)
    torch.testing.assert_close(came.sum(-1), whole.sum(-1), atol=1e-6, rtol=0)


def test_half_precision_is_computed_in_full():
    """Weights of bfloat16 queries and keys are those of the same numbers in float32."""
    evaluation = _evaluation(MASKS["causal"], dtype=torch.bfloat16)
    came = evaluation.rows(slice(None), slice(None))

    assert came.dtype == torch.float32
    torch.testing.assert_close(
        came, _plain(evaluation, TABLES["causal"]).float(), atol=1e-6, rtol=0
    )
