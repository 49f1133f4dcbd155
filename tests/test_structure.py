"""What masks forbid by themselves, against a table of every query and key."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import random_block, random_stack, random_tokens, random_trace
from tests.decoders import decoder_trace
from vl_core import structure
from vl_core.trace import Mask, Stack

TOKENS = random_tokens(n_text=4, rows=2, columns=4)  # [CLS], 4 words, [SEP], 8 patches


def tables(stack: Stack) -> np.ndarray:
    """Query x key: allowed in any layer, by forming every layer's table."""
    return np.any([stack.allowed(layer) for layer in range(stack.n_layers)], axis=0)


@st.composite
def masks(draw, n_queries: int, n_keys: int) -> Mask:
    """Every kind of mask, with and without padding."""
    kind = draw(st.sampled_from(["full", "causal", "sliding", "explicit"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Mask(
        kind,
        offset=0 if kind in {"full", "explicit"} else draw(st.integers(-n_queries, n_keys)),
        window=draw(st.integers(1, n_keys + 2)) if kind == "sliding" else None,
        is_padding=rng.random(n_keys) < 0.3 if draw(st.booleans()) else None,
        allowed=rng.random((n_queries, n_keys)) < 0.2 if kind == "explicit" else None,
    )


@st.composite
def stacks(draw) -> Stack:
    """Two layers of cross-attention, each in two blocks over scattered positions."""
    queries, keys = random_tokens(4, 1, 3), TOKENS
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layers = []
    for _ in range(2):
        order, offered = rng.permutation(len(queries)), rng.permutation(len(keys))
        parts = (order[:4], offered[:6]), (order[4:7], offered[4:])
        layers.append(
            tuple(
                random_block(
                    rng,
                    asked,
                    sought,
                    heads=2,
                    kept="queries_keys",
                    mask=draw(masks(len(asked), len(sought))),
                )
                for asked, sought in parts
            )
        )
    return Stack("language<-vision", "language", "vision", queries, keys, (0, 2), tuple(layers))


@given(stacks(), st.integers(0, 2**32 - 1))
def test_reachable_keys_are_those_of_the_full_tables(stack, seed):
    """Whatever the masks and positions, and whichever queries are asked about."""
    queries = np.random.default_rng(seed).random(len(stack.queries)) < 0.4

    found = structure.reachable_keys(stack, queries)

    np.testing.assert_array_equal(found, tables(stack)[queries].any(axis=0))


@given(st.data())
def test_a_stack_looks_ahead_where_its_tables_reach_past_the_diagonal(data):
    """Whatever the masks, and however few rows are formed at once; padding is not asked."""
    table = random_tokens(n_text=3, rows=2, columns=2, padding=2)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    everyone = np.arange(len(table))
    block = random_block(
        rng, everyone, everyone, heads=2, mask=data.draw(masks(len(table), len(table)))
    )
    stack = Stack("encoder", "encoder", "encoder", table, table, (0,), ((block,),))
    content = ~table.is_padding

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structure, "ROWS", data.draw(st.integers(1, 20)))
        found = structure.looks_ahead(stack)

    assert found == np.triu(tables(stack), 1)[content].any()


def test_patches_before_words_cannot_look_at_them():
    """With a causal mask that is structural; the other way round nothing is forbidden."""
    before = TOKENS.chosen(np.r_[0, 6:14, 1:6])  # [CLS], patches, words, [SEP]
    stack = random_stack(queries=before, mask="causal")

    assert structure.is_structurally_zero(stack, before.is_image, before.is_text)
    assert not structure.is_structurally_zero(stack, before.is_text, before.is_image)


@pytest.mark.parametrize("mask", ["full", "causal"])
def test_words_before_patches_are_seen_by_them(mask):
    """A causal mask forbids only what lies ahead."""
    stack = random_stack(queries=TOKENS, mask=mask)

    assert not structure.is_structurally_zero(stack, TOKENS.is_image, TOKENS.is_text)
    is_zero = structure.is_structurally_zero(stack, TOKENS.is_text, TOKENS.is_image)
    assert is_zero == (mask == "causal")


def test_queries_that_look_are_those_with_a_row():
    """In a stack across streams it may be the words alone."""
    trace = decoder_trace()
    across, own = trace.stacks["language<-vision"], trace.stacks["language"]

    np.testing.assert_array_equal(structure.looking_queries(across), across.queries.is_text)
    assert structure.looking_queries(own).all()


def test_only_what_writes_its_answer_has_a_position_that_predicts():
    """A causal decoder and its view of the picture have one; an encoder and a tower have none."""
    trace = decoder_trace()

    found = {name: structure.can_predict(trace, stack) for name, stack in trace.stacks.items()}

    assert found == {"language": True, "vision": False, "language<-vision": True}
    assert not structure.can_predict(random_trace(), random_trace().stacks["encoder"])


def test_generated_tokens_that_see_ahead_are_not_predicted_one_by_one():
    """Without a causal mask the position before a token has seen it already."""
    trace = decoder_trace()
    language = trace.stacks["language"]
    blocks = tuple(
        tuple(replace(block, kept=replace(block.kept, mask=Mask())) for block in layer)
        for layer in language.blocks
    )
    full = replace(language, blocks=blocks)
    changed = replace(trace, stacks=dict(trace.stacks) | {"language": full})

    assert not structure.can_predict(changed, full)


def test_blocks_have_one_name_if_they_have_one_mask_and_the_same_places():
    """Another mask, even one that is equal, or other queries or keys make another name."""
    rng, mask = np.random.default_rng(0), Mask("causal")

    def name(queries, keys, mask=mask):
        kept = random_block(rng, np.array(queries), np.array(keys), heads=2, mask=mask)
        return structure.block_name(kept)

    first = name([0, 2, 3], [1, 4])
    assert name([0, 2, 3], [1, 4]) == first
    others = name([0, 1, 3], [1, 4]), name([0, 2, 3], [1, 5]), name([0, 2, 3], [1, 4], Mask("full"))
    assert len({first, *others}) == 4
