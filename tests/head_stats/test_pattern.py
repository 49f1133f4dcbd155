"""A head's pattern is the first rule that its numbers meet."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens, random_two_stream_trace
from vl_core.head_stats import TEXT_TO_IMAGE_LIFT, TEXT_TO_IMAGE_MASS, pattern
from vl_core.head_stats.pattern import (
    MIXED,
    PATTERNS,
    beyond_uniform,
    patterns,
    special_beyond_uniform,
    uniform_reach,
)
from vl_core.trace import Block, KeptWeights, Stack, TokenTable

TOKENS = random_tokens(n_text=4, rows=3, columns=5, size=(50, 30))
COUNT = len(TOKENS)
WORDS, PATCHES = np.flatnonzero(TOKENS.is_text), np.flatnonzero(TOKENS.is_image)
NAMES = [pattern.name for pattern in (*PATTERNS, MIXED)]


def uniform() -> np.ndarray:
    """Every token looks at all tokens alike."""
    return np.full((COUNT, COUNT), 1 / COUNT)


def looking_at(queries: np.ndarray, key: int) -> np.ndarray:
    """These tokens look at one key only, the others at all alike."""
    weights = uniform()
    weights[queries] = np.eye(COUNT)[key]
    return weights


def near_by() -> np.ndarray:
    """Patches look at themselves and at what touches them in the picture."""
    weights = uniform()
    for patch in PATCHES:
        apart = np.hypot(*(TOKENS.centres - TOKENS.centres[patch]).T)
        touching = np.flatnonzero(np.isclose(apart, 1))
        weights[patch] = 0
        weights[patch, patch] = 0.45
        weights[patch, touching] = 0.55 / len(touching)
    return weights


def one_of_each() -> np.ndarray:
    """Half of the attention on one word, half on one patch: no rule is met."""
    weights = np.zeros((COUNT, COUNT))
    weights[:, WORDS[0]] = weights[:, PATCHES[-1]] = 0.5
    return weights


MADE = {
    "special tokens (sink)": looking_at(np.arange(COUNT), 0),
    "mostly looks at itself": np.eye(COUNT),
    "previous token": np.eye(COUNT)[[0, *range(COUNT - 1)]],
    "words look at the picture": looking_at(WORDS, PATCHES[3]),
    "patches look at the words": looking_at(PATCHES, WORDS[2]),
    "patches near by": near_by(),
    "words among themselves": looking_at(WORDS, WORDS[0]),
    "patches among themselves": looking_at(PATCHES, PATCHES[0]),
    "spread evenly": uniform(),
    "mixed": one_of_each(),
}


def stack_of(*heads: np.ndarray) -> Stack:
    """A single layer with these heads."""
    place = np.arange(COUNT)
    kept = KeptWeights(np.stack(heads).astype(np.float16))
    block = Block(place, place.copy(), kept)
    return Stack("encoder", "encoder", "encoder", TOKENS, TOKENS, (0,), ((block,),))


def test_heads_made_for_each_pattern_are_named_so():
    """Every rule can be met, and none takes a head that was made for a later one."""
    [named] = patterns(stack_of(*MADE.values()))

    assert [pattern.name for pattern in named] == list(MADE) == NAMES


def test_a_rule_about_a_missing_number_is_not_met():
    """A stack of text alone has no heads that look at pictures, and raises no warning."""
    text_only = random_stack(queries=random_tokens(n_text=5, rows=0, columns=0))

    named = {pattern.name for row in patterns(text_only) for pattern in row}

    assert not any("pi" in name or "patch" in name for name in named)


def test_cross_attention_is_named_too():
    """Where queries and keys are different streams, no head looks at itself."""
    stack = random_two_stream_trace().stacks["language<-vision"]

    named = patterns(stack)

    assert (len(named), len(named[0])) == (stack.n_layers, stack.n_heads)
    assert "mostly looks at itself" not in {pattern.name for row in named for pattern in row}


@pytest.mark.parametrize(
    ("name", "expected"), [("spread evenly", 0), ("words look at the picture", 1)]
)
def test_beyond_uniform_is_0_for_uniform_attention_and_1_for_nothing_else(name, expected):
    """Its ends do not depend on how many words and patches there are."""
    stack = stack_of(MADE[name])

    found = beyond_uniform(TEXT_TO_IMAGE_MASS.of(stack), TEXT_TO_IMAGE_LIFT.of(stack))

    assert found == pytest.approx(np.full((1, 1), expected), abs=2e-3)


def test_what_gets_its_share_is_no_sink():
    """Of 12 keys 7 are special: giving all keys the same is no preference for special ones."""
    words = random_tokens(n_text=7, rows=1, columns=3)
    kinds = ("special",) * 4 + ("text",) * 2 + ("special",) * 3 + ("image",) * 3
    tokens, place = replace(words, kinds=kinds), np.arange(12)
    stacks = []
    for of_special in (7 / 12, 0.77, 0.81):  # half of the way beyond 7 / 12 is 0.79
        row = np.where(tokens.is_special, of_special / 7, (1 - of_special) / 5)
        weights = np.tile(row, (1, 12, 1)).astype(np.float16)
        block = Block(place, place.copy(), KeptWeights(weights))
        stacks.append(Stack("encoder", "encoder", "encoder", tokens, tokens, (0,), ((block,),)))

    assert [patterns(stack)[0][0].name for stack in stacks] == [
        "spread evenly",
        "spread evenly",
        "special tokens (sink)",
    ]
    found = [special_beyond_uniform(stack)[0, 0] for stack in stacks]
    assert found == pytest.approx([0, 1 - 0.23 * 12 / 5, 1 - 0.19 * 12 / 5], abs=3e-3)


def test_special_beyond_uniform_is_told_by_what_each_query_may_look_at():
    """Under a causal mask the first word has few keys but the class token, the last has many."""
    stack = random_stack(queries=TOKENS, mask="causal")
    content = TOKENS.is_text | TOKENS.is_image
    rows = stack.allowed(0)[content]
    uniform = np.mean([(row & TOKENS.is_special).sum() / row.sum() for row in rows])
    weights = np.asarray(stack.weights)[:, :, content][..., TOKENS.is_special]
    mass = weights.sum(axis=-1).mean(axis=-1)

    wanted = (mass - uniform) / (1 - uniform)
    assert special_beyond_uniform(stack) == pytest.approx(wanted, abs=1e-5)


def test_beyond_uniform_is_missing_where_nothing_can_be_said():
    """No mass at all, or nowhere else to look."""
    found = beyond_uniform(np.array([[0.0, 1.0, np.nan]]), np.array([[0.0, 1.0, np.nan]]))

    assert np.isnan(found).all()


def test_uniform_reach_is_the_mean_distance_of_all_pairs():
    """In patches, each patch's distance to itself included; missing without patches."""
    distances = [
        ((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5
        for ax in range(5)
        for ay in range(3)
        for bx in range(5)
        for by in range(3)
    ]

    assert uniform_reach(stack_of(uniform())) == pytest.approx(sum(distances) / len(distances))
    assert np.isnan(uniform_reach(random_stack(queries=random_tokens(rows=0, columns=0))))


@pytest.mark.parametrize("rows", [1, 4, 1000])
def test_uniform_reach_is_the_mean_distance_however_many_rows_are_formed(rows, monkeypatch):
    """By adding up pair after pair; 3 x 5 patches, in parts that do not divide them."""
    stack = random_stack(queries=TOKENS)
    places = [TOKENS.centres[patch] for patch in PATCHES]
    apart = [np.hypot(*(one - other)) for one in places for other in places]
    monkeypatch.setattr(pattern, "REACH_ROWS", rows)

    assert uniform_reach(stack) == pytest.approx(sum(apart) / len(apart))


def test_uniform_reach_forms_no_table_of_all_pairs():
    """For 2400 patches one table of distances alone would take 46 MB."""
    stack = random_stack(queries=random_tokens(1, 1, 2400), layers=1, heads=1, kept="queries_keys")
    tracemalloc.start()
    try:
        uniform_reach(stack)
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", [3, 6, 10, 11, 49])
def test_where_all_keys_are_special_nothing_is_beyond_uniform(count):
    """However many there are: their equal shares add up to one but for the rounding."""
    keys = TokenTable.of([f"[{number}]" for number in range(count)], ["special"] * count)
    words = random_tokens(n_text=4, rows=0, columns=0, specials=False)
    stack = random_stack(queries=words, keys=keys, streams=("language", "memory"))

    assert np.isnan(special_beyond_uniform(stack)).all()
    assert "special tokens (sink)" not in {one.name for row in patterns(stack) for one in row}


def test_a_pattern_is_drawn_with_what_its_tokens_are():
    """Regions on either side, or patches on one and query tokens on the other; its key stays."""
    regions = replace(TOKENS, texts=tuple(f"region {i}" for i in range(COUNT)))
    queries = replace(TOKENS, texts=tuple(f"query {i}" for i in range(COUNT)))
    near = next(one for one in PATTERNS if one.name == "patches near by")

    drawn = [
        near.named(stack)
        for stack in (
            random_stack(queries=TOKENS),
            random_stack(queries=regions),
            random_stack(queries=queries, keys=TOKENS, streams=("queries", "vision")),
        )
    ]

    assert drawn[0] == near
    assert [one.name for one in drawn[1:]] == ["regions near by", "image tokens near by"]
    assert drawn[1].rule.startswith("regions give at least half of their attention to regions")
