"""Masks told by rules: what they say is what transformers' tables say, whoever asks."""

import copy

import pytest
import torch
import transformers
from transformers import masking_utils

from tests.capture import models
from vl_core.capture import interface, rules
from vl_core.capture.masks import LiveMask
from vl_core.capture.rules import RuleMask, rule_of

EVERYTHING = slice(None)
BATCH, N_TOKENS, N_CACHED = 2, 13, 4
RIGHT = torch.tensor([[1] * 13, [1] * 9 + [0] * 4])
LEFT = RIGHT.flip(1)
GROUPS = torch.tensor([[-1, -1, 0, 0, 0, -1, 1, 1, -1, -1, -1, -1, -1], [0] * 5 + [-1] * 8])


def cache():
    """Keys and values of tokens that came before, in both layers."""
    found = transformers.DynamicCache()
    for layer in range(2):
        found.update(*torch.zeros(2, BATCH, 2, N_CACHED, 4), layer)
    return found


def with_cache(padding=None):
    """Options for tokens that come after others, or with padding among these."""
    return {"past_key_values": cache(), "attention_mask": padding}


def is_odd(_batch, _head, query, key):
    """A function of the model's own, which transformers has to map over places."""
    return (query + key) % 2 == 1


CACHED_PADDING = torch.cat([torch.tensor([[0, 1, 1, 1]] * 2), RIGHT], dim=1)
PACKED = torch.tensor([[*range(5), *range(8)]] * 2)
MASKS = {
    "causal": ("create_causal_mask", {}),
    "causal, nothing padded": ("create_causal_mask", {"attention_mask": torch.ones(2, 13)}),
    "causal, padded": ("create_causal_mask", {"attention_mask": RIGHT}),
    "causal, padded on the left": ("create_causal_mask", {"attention_mask": LEFT}),
    "causal, cached": ("create_causal_mask", with_cache()),
    "causal, cached and padded": ("create_causal_mask", with_cache(CACHED_PADDING)),
    "packed": ("create_causal_mask", {"position_ids": PACKED}),
    "prefix": ("create_causal_mask", {"block_sequence_ids": GROUPS}),
    "prefix, padded": (
        "create_causal_mask",
        {"block_sequence_ids": GROUPS, "attention_mask": LEFT},
    ),
    "of the model's own": ("create_causal_mask", {"or_mask_function": is_odd}),
    "sliding": ("create_sliding_window_causal_mask", {}),
    "sliding, padded": ("create_sliding_window_causal_mask", {"attention_mask": RIGHT}),
    "sliding prefix": ("create_sliding_window_causal_mask", {"block_sequence_ids": GROUPS}),
    "chunked": ("create_chunked_causal_mask", {"attention_mask": LEFT}),
    "full": ("create_bidirectional_mask", {}),
    "full, padded": ("create_bidirectional_mask", {"attention_mask": RIGHT}),
    "both ways in a window": ("create_bidirectional_sliding_window_mask", {}),
}


def made(name, implementation):
    """The mask that transformers makes of this kind."""
    function, options = MASKS[name]
    config = transformers.LlamaConfig(
        **models.DECODER,
        sliding_window=5,
        attention_chunk_size=4,
        attn_implementation=implementation,
    )
    options = {"attention_mask": None, "past_key_values": None} | copy.deepcopy(options)
    return getattr(masking_utils, function)(config, torch.zeros(BATCH, N_TOKENS, 4), **options)


@pytest.fixture(params=MASKS)
def masks(request, monkeypatch):
    """Ours and eager's; ours in blocks of two or three rows."""
    monkeypatch.setattr(rules, "BLOCK_BYTES", 400)
    return made(request.param, interface.NAME), made(request.param, "eager")


def test_a_rule_says_what_the_table_says(masks):
    """Of any rows and keys, and of all of them; where eager has no mask there is none."""
    mask, table = masks
    if table is None:
        assert mask is None
        return
    rule = rule_of(mask)

    assert mask.shape == table.shape == rule.shape
    assert (mask.dtype, mask.device) == (table.dtype, table.device)
    for queries, keys in (
        (slice(0, 13), slice(0, 13)),
        (slice(3, 8), slice(2, 13)),
        (slice(12, 13), slice(0, 1)),
    ):
        assert torch.equal(rule.added(queries, keys), table[:, :, queries, keys])
        assert torch.equal(rule.allowed(queries, keys), table[:, :, queries, keys] == 0)


def test_pieces_leave_out_only_what_is_hidden(masks):
    """All queries come once, in order, and no key is left out that one of them looks at."""
    mask, table = masks
    if table is None:
        return
    pieces = rule_of(mask).pieces

    assert len(pieces) > 3
    assert [row for rows, _ in pieces for row in range(13)[rows]] == list(range(13))
    for rows, keys in pieces:
        some = table[:, :, rows]
        outside = torch.ones(table.shape[3], dtype=torch.bool)
        outside[keys] = False
        assert (some[..., outside] < 0).all()
        if not (some == 0).any(dim=-1).all():  # eager attention spreads evenly over all keys
            assert not outside.any()


def test_what_is_read_off_a_rule_is_what_the_table_says(masks):
    """Description and all; a causal, sliding or padded one needs no table."""
    mask, table = masks
    if table is None:
        return
    for item in range(BATCH):
        found = LiveMask.of(mask, item, tuple(mask.shape[2:]))
        expected = LiveMask.of(table, item, tuple(table.shape[2:]))

        assert found.description == expected.description
        assert torch.equal(found.allowed(EVERYTHING), table[item, 0] == 0)


def test_whoever_computes_with_a_mask_has_the_table(masks):
    """Modules with an attention of their own add it to their scores, or cut it to their size."""
    mask, table = masks
    if table is None:
        return
    scores = torch.randn(BATCH, 3, *table.shape[2:])

    assert torch.equal(scores + mask, scores + table)
    assert torch.equal(mask[:, :, 2:, :5], table[:, :, 2:, :5])
    assert rule_of(mask) is None


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_what_is_written_into_a_mask_is_obeyed(mode):
    """By captured attention, which no longer goes by the rule."""
    with mode():
        mask, hidden = made("causal", interface.NAME), torch.finfo(torch.float32).min
        mask[:, :, :, 3] = hidden
    states, module = torch.randn(BATCH, 3, N_TOKENS, 4), torch.nn.Module()

    output, _ = interface.attention(module, states, states, states, mask)

    table = made("causal", "eager")
    table[:, :, :, 3] = hidden
    expected, _ = interface.attention(module, states, states, states, table)
    assert torch.equal(output, expected)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_mask_goes_to_another_device_as_its_rule(mode):
    """A model on several devices takes it along to each of its layers."""
    with mode():
        mask = made("causal", interface.NAME)
        moved = mask.to(device="meta", non_blocking=True)
        stayed = mask.to(mask.device)
        other = torch.ones(3, dtype=torch.float64).to(mask)

    assert isinstance(moved, RuleMask)
    assert moved.device.type == "meta"
    assert stayed is mask
    assert other.dtype == mask.dtype
    assert rule_of(moved) is rule_of(mask) is not None


def test_in_another_type_it_is_a_table():
    """Whose hidden keys have the lowest number of the type it was made in."""
    mask = made("causal", interface.NAME)

    assert torch.equal(mask.double(), made("causal", "eager").double())


def test_small_masks_are_tables():
    """There is nothing to gain; but for causal ones, of which torch has a kernel."""
    assert rule_of(made("causal", interface.NAME)).is_causal
    for name in ("causal, padded", "sliding", "prefix"):
        mask = made(name, interface.NAME)
        assert not isinstance(mask, RuleMask)
        assert torch.equal(mask, made(name, "eager"))


def test_only_what_hides_just_the_future_is_causal(masks):
    """Such masks reach torch as no table at all."""
    mask, table = masks
    if table is None:
        return
    hidden = torch.ones(table.shape[2:], dtype=torch.bool).triu(1)

    if rule_of(mask).is_causal:
        assert torch.equal(table < 0, hidden.expand_as(table))
    else:
        assert table.shape[2] != table.shape[3] or not torch.equal(
            table < 0, hidden.expand_as(table)
        )
