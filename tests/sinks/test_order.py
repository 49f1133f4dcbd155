"""Whether a stream is read in order."""

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens
from tests.sinks.made import STACKS
from vl_core.sinks.order import first_token
from vl_core.trace import Mask


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("causal", 0),
        ("causal weights", 0),
        ("sliding", 0),
        ("causal and padded", 0),
        ("weights", None),
        ("windows", None),
        ("padded", None),
        ("cross", None),
    ],
)
def test_only_streams_that_look_back_have_a_first_token(name, first):
    """Whatever is kept, in windows or not, with padding or not."""
    assert first_token(STACKS[name]) == first


def made(allowed, tokens):
    """A stack with this mask in all layers."""
    stack = random_stack(queries=tokens, kept="queries_keys")
    mask = Mask("explicit", allowed=allowed)
    blocks = tuple(tuple(_with_mask(block, mask) for block in layer) for layer in stack.blocks)
    return replace(stack, blocks=blocks)


def _with_mask(block, mask):
    return replace(block, kept=replace(block.kept, mask=mask))


@pytest.mark.parametrize("is_masked", [True, False])
def test_padding_on_the_left_is_not_the_first_token(is_masked):
    """Decoders are padded there, masked or not; the first token is that after the padding."""
    is_padding = np.arange(12) < 2
    tokens = replace(random_tokens(4, 2, 3), is_padding=is_padding)

    assert first_token(made(np.tri(12, dtype=bool) & ~(is_padding & is_masked), tokens)) == 2


def test_a_prefix_that_looks_ahead_has_none():
    """The picture and the question see each other, as in PaliGemma; the answer looks back."""
    allowed = np.tri(12, dtype=bool)
    allowed[:8, :8] = True

    assert first_token(made(allowed, random_tokens())) is None


def test_a_picture_that_sees_itself_behind_the_first_token_changes_nothing():
    """As in Gemma 3: the first token sees itself alone, all others see it."""
    allowed = np.tri(12, dtype=bool)
    allowed[3:9, 3:9] = True

    assert first_token(made(allowed, random_tokens())) == 0


def test_tokens_that_all_see_themselves_alone_have_none():
    """Windows of one token are no order."""
    assert first_token(made(np.eye(12, dtype=bool), random_tokens())) is None


def test_a_single_token_is_not_the_first():
    """There is none after it."""
    assert first_token(random_stack(queries=random_tokens(1, 0, 0, specials=False))) is None
