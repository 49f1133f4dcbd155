"""Random traces for every test: small, valid, and of a different size on every axis.

Import what a test needs: `from tests.builders import random_trace`.
"""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from PIL import Image

from vl_core.example import Region
from vl_core.trace import (
    Block,
    KeptQueriesKeys,
    KeptWeights,
    Mask,
    Prediction,
    Provenance,
    Stack,
    Stream,
    TokenTable,
    Trace,
    TracedExample,
)

Kept = Literal["weights", "queries_keys"]

TEXT = "is the red star left of it"  # one word for each of up to seven text tokens
PICTURE_SIZE = (60, 32)  # width, height in pixels: not square, and no multiple of each other


def random_tokens(
    n_text: int = 4,
    rows: int = 2,
    columns: int = 3,
    padding: int = 0,
    *,
    specials: bool = True,
    size: tuple[int, int] = PICTURE_SIZE,
) -> TokenTable:
    """[CLS], words, [SEP], patches row by row, padding at the end; boxes tile the picture."""
    words = TEXT.split()[:n_text]
    before, after = (["[CLS]"], ["[SEP]"]) if specials else ([], [])
    patches = [f"patch {row + 1}, {column + 1}" for row in range(rows) for column in range(columns)]
    texts = before + words + after + patches + ["[PAD]"] * padding
    kinds = (
        ["special"] * len(before)
        + ["text"] * len(words)
        + ["special"] * len(after)
        + ["image"] * len(patches)
        + ["special"] * padding
    )
    boxes = np.full((len(texts), 4), np.nan)
    spans = np.full((len(texts), 2), -1)
    starts = np.cumsum([0] + [len(word) + 1 for word in words])
    for i, word in enumerate(words):
        spans[len(before) + i] = starts[i], starts[i] + len(word)
    first = len(before) + len(words) + len(after)
    boxes[first : first + len(patches)] = grid(rows, columns, size)
    is_unknown = np.zeros(len(texts), bool)
    is_unknown[len(before) : len(before) + len(words)] = [word == "left" for word in words]
    return TokenTable.of(
        texts, kinds, boxes, spans, np.arange(len(texts)) >= len(texts) - padding, is_unknown
    )


def grid(rows: int, columns: int, size: tuple[int, int]) -> np.ndarray:
    """Boxes that tile a picture of that width and height, row by row."""
    width, height = size[0] / max(columns, 1), size[1] / max(rows, 1)
    return np.array(
        [
            (column * width, row * height, (column + 1) * width, (row + 1) * height)
            for row in range(rows)
            for column in range(columns)
        ]
    ).reshape(-1, 4)


def random_weights(
    rng: np.random.Generator, heads: int, allowed: np.ndarray, spread: float = 0.7
) -> np.ndarray:
    """Head x query x key in float64: peaked (small spread) to even; zero where not allowed."""
    raw = rng.gamma(spread, size=(heads, *allowed.shape)) + 1e-12
    raw = np.where(allowed, raw, 0)
    total = raw.sum(axis=-1, keepdims=True)
    return np.divide(raw, total, out=np.zeros_like(raw), where=total > 0)


def random_block(
    rng: np.random.Generator,
    queries: Sequence[int] | np.ndarray,
    keys: Sequence[int] | np.ndarray,
    *,
    heads: int = 5,
    kept: Kept = "weights",
    mask: Mask | None = None,
    key_heads: int | None = None,
    dim: int = 7,
    softcap: float | None = None,
) -> Block:
    """One evaluation between these positions, kept as weights or as queries and keys."""
    mask = mask or Mask()
    n_queries, n_keys = len(queries), len(keys)
    positions = np.array(queries, int), np.array(keys, int)
    if kept == "weights":
        allowed = mask.rows(slice(None), n_queries, n_keys)
        values = random_weights(rng, heads, allowed).astype(np.float16)
        return Block(*positions, KeptWeights(values, mask))
    asked = rng.normal(scale=2, size=(heads, n_queries, dim)).astype(np.float16)
    offered = rng.normal(scale=2, size=(key_heads or heads, n_keys, dim)).astype(np.float16)
    return Block(*positions, KeptQueriesKeys(asked, offered, dim**-0.5, softcap, mask))


def random_stack(
    seed: int = 0,
    *,
    layers: int = 3,
    heads: int = 5,
    queries: TokenTable | None = None,
    keys: TokenTable | None = None,
    kept: Kept = "weights",
    mask: Literal["full", "causal", "sliding"] = "full",
    windows: int = 1,
    key_heads: int | None = None,
    dim: int = 7,
    softcap: float | None = None,
    name: str | None = None,
    streams: tuple[str, str] | None = None,
    regions: tuple[Region, ...] = (),
) -> Stack:
    """Attention of `queries` on `keys` (on themselves if no keys are given).

    Its sizes differ: 3 layers, 5 heads, 12 tokens of which 4 words and 2 x 3 patches. windows: in
    how many separate blocks the tokens of each layer look at each other (self-attention only).
    Padded keys are masked. key_heads: fewer key heads than heads (with kept="queries_keys").
    """
    rng = np.random.default_rng(seed)
    queries = queries or random_tokens()
    keys = keys or queries
    streams = streams or (("encoder", "encoder") if keys is queries else ("language", "vision"))
    parts = _windows(len(queries), len(keys), windows)
    blocks = tuple(
        tuple(
            random_block(
                rng,
                asked,
                offered,
                heads=heads,
                kept=kept,
                mask=_mask(mask, keys.is_padding[offered]),
                key_heads=key_heads,
                dim=dim,
                softcap=softcap,
            )
            for asked, offered in parts
        )
        for _ in range(layers)
    )
    default_name = streams[0] if streams[0] == streams[1] else f"{streams[0]}<-{streams[1]}"
    numbers = tuple(range(layers))
    return Stack(name or default_name, *streams, queries, keys, numbers, blocks, regions=regions)


def _windows(n_queries: int, n_keys: int, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    if count == 1:
        return [(np.arange(n_queries), np.arange(n_keys))]
    # Strided, as shifted windows are: the positions of one block do not follow on each other.
    parts = [np.arange(n_queries)[start::count] for start in range(count)]
    return [(part, part) for part in parts]


def _mask(kind: Literal["full", "causal", "sliding"], is_padding: np.ndarray) -> Mask:
    window = 3 if kind == "sliding" else None
    return Mask(kind, window=window, is_padding=is_padding if is_padding.any() else None)


def random_stream(
    name: str = "encoder",
    tokens: TokenTable | None = None,
    *,
    states: int = 4,
    width: int = 6,
    seed: int = 0,
) -> Stream:
    """Hidden states of these tokens: 4 states of width 6 unless told otherwise."""
    tokens = tokens or random_tokens()
    rng = np.random.default_rng(seed)
    return Stream.of(name, tokens, rng.normal(size=(states, len(tokens), width)))


def random_picture(size: tuple[int, int] = PICTURE_SIZE, seed: int = 0) -> Image.Image:
    """Noise in colour; size is width and height."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8))


def png(width: int, height: int, rows: bytes, depth: int = 8) -> bytes:
    """A PNG in RGB as its specification says, whether or not the rows are as long as they claim."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def random_example(regions: tuple[Region, ...] | None = None) -> TracedExample:
    """A picture, a question and one region that the word "star" names."""
    star = TEXT.index("star")
    regions = regions or (Region("star", (2.0, 3.0, 31.0, 17.5), (star, star + 4)),)
    picture = random_picture()
    return TracedExample(TEXT, picture.resize((48, 32)), picture, PICTURE_SIZE, regions, "yes")


def random_provenance() -> Provenance:
    """A provenance with something in every field."""
    return Provenance(
        model_id="tiny",
        revision="abc",
        weights_hash="0123",
        family="kdvlp",
        dtype="float32",
        device="cpu",
        versions={"torch": "2.13.0"},
        preprocessing={"patch": 16, "mean": [0.5, 0.5, 0.5]},
        fidelity={"weights_vs_eager": 1e-7, "output_on_off": 0.0, "row_reconstruction": 2e-4},
    )


def random_trace(seed: int = 0, *, padding: int = 0, **stack: object) -> Trace:
    """One stream and its self-attention; `stack` goes to random_stack."""
    example = random_example()
    tokens = random_tokens(padding=padding)
    stack = {"regions": example.regions} | stack
    return Trace(
        example,
        {"encoder": random_stream("encoder", tokens, seed=seed)},
        {"encoder": random_stack(seed, queries=tokens, **stack)},
        Prediction("answer", (("yes", 0.75), ("no", 0.2))),
        random_provenance(),
    )


def random_two_stream_trace(seed: int = 0) -> Trace:
    """A language stream, a vision stream in windows, and "language<-vision".

    Language keeps queries and keys with fewer key heads than heads; its last tokens are padding.
    """
    example = random_example()
    language = random_tokens(n_text=5, rows=0, columns=0, padding=2)
    vision = random_tokens(n_text=0, rows=3, columns=5)
    regions = example.regions
    streams = {
        "language": random_stream("language", language, states=3, seed=seed),
        "vision": random_stream("vision", vision, states=5, width=8, seed=seed + 1),
    }
    stacks = (
        random_stack(
            seed,
            queries=language,
            layers=2,
            heads=6,
            kept="queries_keys",
            key_heads=3,
            mask="causal",
            softcap=20.0,
            streams=("language", "language"),
            regions=regions,
        ),
        random_stack(
            seed + 1,
            queries=vision,
            layers=4,
            heads=3,
            windows=2,
            kept="queries_keys",
            streams=("vision", "vision"),
            regions=regions,
        ),
        random_stack(seed + 2, queries=language, keys=vision, layers=2, heads=6, regions=regions),
    )
    return Trace(
        example,
        streams,
        {stack.name: stack for stack in stacks},
        Prediction("answer", (("yes", 0.75), ("no", 0.25))),
        random_provenance(),
    )


def content_of(trace: Trace) -> bytes:
    """The bytes of its file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        trace.save(path)
        return path.read_bytes()
