"""Traces of a decoder that reads a picture among its words and writes an answer, of any size.

Its language stream is causal and sees the picture twice, whole and in tiles; its vision tower sees
the middle of the picture alone; and some of its words look at the tower's tokens.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tests.builders import (
    PICTURE_SIZE,
    TEXT,
    grid,
    random_block,
    random_example,
    random_picture,
    random_provenance,
    random_stack,
    random_stream,
)
from vl_core.trace import Mask, Prediction, Stack, TokenTable, Trace, TracedExample

ANSWER = ("a", "red", "star", "</s>")
WHOLE, TILES = "whole picture", "tiles"
CROP = (0.2, 0.8)  # of the picture's width: what the vision tower sees


def words(texts: Sequence[str], kind: str = "text", **columns: object) -> TokenTable:
    """Tokens without a place, all of one kind."""
    return TokenTable.of(texts, [kind] * len(texts), **columns)


def patches(
    shape: tuple[int, int], size: tuple[int, int], view: str = "", left: float = 0, right: float = 1
) -> TokenTable:
    """Rows x columns of patches over the picture from left to right (shares of its width)."""
    rows, columns = shape
    boxes = grid(rows, columns, (size[0] * (right - left), size[1])) + [left * size[0], 0] * 2
    count = rows * columns
    return TokenTable.of(["patch"] * count, ["image"] * count, boxes, views=[view] * count)


def language_tokens(
    whole: tuple[int, int] = (2, 3),
    tiles: tuple[int, int] = (4, 5),
    question: str = TEXT,
    size: tuple[int, int] = PICTURE_SIZE,
    answer: Sequence[str] = ANSWER,
) -> TokenTable:
    """<s> USER:, the picture whole and in tiles with row ends, the question, the answer."""
    rows = patches(tiles, size, TILES)
    parts = [words(["<s>", "USER:"], "special"), patches(whole, size, WHOLE)]
    for row in range(tiles[0]):
        parts += [rows.chosen(np.arange(tiles[1]) + row * tiles[1]), words(["<row>"], "special")]
    asked = question.split()
    starts = np.cumsum([0] + [len(word) + 1 for word in asked])[:-1]
    spans = np.stack([starts, starts + [len(word) for word in asked]], axis=1)
    kinds = ["special" if word.startswith("<") else "text" for word in answer]
    generated = TokenTable.of(answer, kinds, is_generated=np.ones(len(answer), bool))
    parts += [words(asked, spans=spans), words(["ASSISTANT:"], "special"), generated]
    return TokenTable.joined(parts)


def tower_tokens(
    shape: tuple[int, int] = (3, 4), size: tuple[int, int] = PICTURE_SIZE
) -> TokenTable:
    """A class token and the patches of the middle of the picture."""
    return TokenTable.joined([words(["class"], "special"), patches(shape, size, "", *CROP)])


def looking_across(
    seed: int, queries: TokenTable, keys: TokenTable, *, heads: int, dim: int
) -> Stack:
    """Layers 1 and 4 of a decoder, in which words alone look at the tower's tokens."""
    rng = np.random.default_rng(seed)
    asking = np.flatnonzero(queries.is_text)
    offered = np.arange(len(keys))
    blocks = tuple(
        (random_block(rng, asking, offered, heads=heads, dim=dim, kept="queries_keys"),)
        for _ in range(2)
    )
    return Stack("language<-vision", "language", "vision", queries, keys, (0, 3), blocks)


def decoder_trace(
    seed: int = 0,
    *,
    whole: tuple[int, int] = (2, 3),
    tiles: tuple[int, int] = (4, 5),
    tower: tuple[int, int] = (3, 4),
    question: str = TEXT,
    layers: int = 3,
    heads: int = 6,
    key_heads: int = 2,
    dim: int = 7,
    size: tuple[int, int] = PICTURE_SIZE,
) -> Trace:
    """The three stacks; `whole`, `tiles` and `tower` are rows and columns of patches."""
    language = language_tokens(whole, tiles, question, size)
    vision = tower_tokens(tower, size)
    example = example_of(question, size)
    kept = {"kept": "queries_keys", "dim": dim}
    stacks = (
        random_stack(
            seed,
            queries=language,
            layers=layers,
            heads=heads,
            key_heads=key_heads,
            mask="causal",
            streams=("language", "language"),
            **kept,
        ),
        random_stack(
            seed + 1, queries=vision, layers=2, heads=4, streams=("vision", "vision"), **kept
        ),
        looking_across(seed + 2, language, vision, heads=heads, dim=dim),
    )
    streams = {"language": language, "vision": vision}
    return Trace(
        example,
        {name: random_stream(name, table, seed=seed) for name, table in streams.items()},
        {stack.name: stack for stack in stacks},
        Prediction("text", said(), text=" ".join(ANSWER[:-1])),
        random_provenance(),
    )


def said() -> tuple[tuple[str, float], ...]:
    """What each token of the answer adds to it, and its probability."""
    words = (ANSWER[0], *(f" {word}" for word in ANSWER[1:-1]), ANSWER[-1])
    return tuple(zip(words, (0.5, 0.9, 0.8, 0.7), strict=True))


def example_of(question: str, size: tuple[int, int]) -> TracedExample:
    """A picture of that size and the question."""
    picture = random_picture(size)
    return replace(random_example(), regions=(), text=question, picture=picture, original_size=size)


def prefix_mask(count: int, prefix: int) -> Mask:
    """Everybody sees the first tokens, as in PaliGemma; after them nobody looks ahead."""
    places = np.arange(count)
    allowed = (places <= places[:, None]) | (places < prefix)
    return Mask("explicit", allowed=allowed)
