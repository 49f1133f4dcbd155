"""A layer in parts, read back by hand as the module describes it, against the stack's weights."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.biased import biased, mixed
from tests.builders import random_block, random_stack, random_tokens, random_two_stream_trace
from tests.decoders import decoder_trace, language_tokens, prefix_mask
from vl_core import wire
from vl_core.trace import Mask, Stack
from vl_core.wire import layers

TOKENS = language_tokens()


def self_attention(mask: Mask, *, softcap: float | None = None) -> Stack:
    """One layer of 6 heads that share 2 sets of keys; the last tokens are padding if masked so."""
    everyone = np.arange(len(TOKENS))
    block = random_block(
        np.random.default_rng(1),
        everyone,
        everyone,
        heads=6,
        key_heads=2,
        kept="queries_keys",
        mask=mask,
        softcap=softcap,
    )
    return Stack("s", "language", "language", TOKENS, TOKENS, (0,), ((block,),))


STACKS = {
    "weights": random_stack,
    "single precision": lambda: biased("f4", 1),
    "a bias": lambda: biased("f2", 6),
    "mixed": mixed,
    "causal": lambda: self_attention(Mask("causal")),
    "sliding": lambda: self_attention(Mask("sliding", offset=2, window=4)),
    "padding": lambda: self_attention(Mask(is_padding=np.arange(len(TOKENS)) % 5 == 1)),
    "table": lambda: self_attention(prefix_mask(len(TOKENS), 9)),
    "softcap": lambda: self_attention(Mask("causal"), softcap=2.0),
    "windows": lambda: random_two_stream_trace().stacks["vision"],
    "rows for some": lambda: decoder_trace().stacks["language<-vision"],
}


def between(stack: Stack) -> tuple[np.ndarray, np.ndarray]:
    """Words and patches of both sides."""
    one, other = stack.queries, stack.keys
    return one.is_text | one.is_image, other.is_text | other.is_image


def allowed(mask: dict, bits: bytes, n_queries: int, n_keys: int) -> np.ndarray:
    """Query x key of a described mask, cell by cell."""
    table = np.zeros((n_queries, n_keys), bool)
    for query in range(n_queries):
        for key in range(n_keys):
            last = query + mask["offset"]
            is_allowed = mask["kind"] == "full" or key <= last
            if mask["kind"] == "sliding":
                is_allowed &= key > last - mask["window"]
            if mask["kind"] == "explicit":
                place = query * n_keys + key
                is_allowed = bool(bits[place // 8] >> (place % 8) & 1)
            table[query, key] = is_allowed and key not in (mask["padding"] or [])
    return table


def distances_of(block: dict) -> int:
    """How many numbers of a bias come with a head."""
    return block["bias"]["distances"] if block.get("bias") else 0


def read_back(stack: Stack, layer: int, head: int) -> tuple[np.ndarray, float]:
    """Query x key of one head, and the largest weight that was sent with it."""
    blocks = stack.blocks[layer]
    counts = len(stack.queries), len(stack.keys)
    description = json.loads(wire.described(blocks, counts, lambda _: "mask"))
    bits = wire.mask_bits(wire.tables(blocks)[0]) if wire.tables(blocks) else b""
    content = wire.head(blocks, head, *between(stack))
    keys = wire.keys(blocks, head * description["groups"] // description["count"])
    weights = np.zeros(counts)
    top = float(np.frombuffer(content, "<f4", 1)[0])
    counted = (b["nQueries"] + distances_of(b) for b in description["blocks"])
    wide = np.frombuffer(content, "<f4", sum(counted), 4)
    narrow, offset = content[4 + wide.nbytes :], 0
    for block in description["blocks"]:
        n_queries, n_keys = block["nQueries"], block["nKeys"]
        numbers, wide = wide[:n_queries], wide[n_queries:]
        added, wide = wide[: distances_of(block)], wide[distances_of(block) :]
        if "dim" not in block:
            codes = np.frombuffer(narrow, "<u2", n_queries * n_keys, offset)
            offset += codes.nbytes
            found = numbers[:, None] * (codes.reshape(n_queries, n_keys) / 65535) ** 2
        else:
            size = 4 if block["isPrecise"] else 2
            queries = np.frombuffer(narrow, f"<f{size}", n_queries * block["dim"], offset)
            offset += queries.nbytes
            end = size * n_keys * block["dim"]
            own, keys = keys[:end], keys[end:]
            queries, own = (
                part.astype(float).reshape(-1, block["dim"])
                for part in (queries, np.frombuffer(own, f"<f{size}"))
            )
            scores = block["scaling"] * queries @ own.T
            if block["softcap"]:
                scores = block["softcap"] * np.tanh(scores / block["softcap"])
            if bias := block["bias"]:
                places = np.subtract.outer(bias["keys"], bias["queries"]).T
                scores = scores + added[places]
            found = np.exp(scores - numbers[:, None])
            found *= allowed(block["mask"], bits, n_queries, n_keys)
        rows = np.arange(counts[0]) if block["queries"] is None else block["queries"]
        columns = np.arange(counts[1]) if block["keys"] is None else block["keys"]
        weights[np.ix_(rows, columns)] = found
    assert offset == len(narrow)
    assert not len(keys)
    return weights, top


@pytest.mark.parametrize("chunk", [100, layers.CHUNK])
@pytest.mark.parametrize("name", STACKS)
def test_weights_follow_from_what_is_sent(monkeypatch, name, chunk):
    """Of every head, within what a code can hold; the largest between words and patches, too."""
    monkeypatch.setattr(layers, "CHUNK", chunk)
    stack = STACKS[name]()
    for layer in range(stack.n_layers):
        for head in range(stack.n_heads):
            weights, top = read_back(stack, layer, head)

            wanted = stack.weights[layer, head]
            np.testing.assert_allclose(weights, wanted, atol=2e-5)
            assert top == pytest.approx(wanted[np.ix_(*between(stack))].max(), rel=1e-4)


@pytest.mark.parametrize("name", STACKS)
def test_the_size_is_that_of_the_bytes(name):
    """Told before anything is formed; a head's first number is not counted."""
    stack = STACKS[name]()
    blocks = stack.blocks[0]

    heads = sum(len(wire.head(blocks, h, *between(stack))) - 4 for h in range(stack.n_heads))
    keys = sum(len(wire.keys(blocks, group)) for group in range(wire.key_groups(blocks)))

    assert wire.sizes(blocks).bytes == heads + keys


def test_whatever_takes_fewer_bytes_is_sent():
    """Few queries on many keys go as weights, a long stream as queries and keys."""
    few = random_stack(
        queries=random_tokens(2, 0, 0), keys=random_tokens(0, 9, 9), kept="queries_keys"
    )
    long = random_stack(queries=random_tokens(2, 9, 9), kept="queries_keys")

    assert wire.sizes(few.blocks[0]).products == 83
    assert wire.sizes(long.blocks[0]).products == 85 * 7


@pytest.mark.parametrize(("kind", "products"), [("f2", 85 * 30), ("f4", 85)])
def test_single_precision_takes_twice_the_bytes(kind, products):
    """Of 85 tokens and 30 dimensions, halves take fewer bytes than weights, and singles more."""
    tokens = random_tokens(2, 9, 9)
    everyone = np.arange(len(tokens))
    block = random_block(np.random.default_rng(0), everyone, everyone, kept="queries_keys", dim=30)
    single = {name: getattr(block.kept, name).astype(kind) for name in ("queries", "keys")}

    found = wire.sizes([replace(block, kept=replace(block.kept, **single))])

    assert found.products == products


def test_a_query_that_may_look_at_nothing_has_an_infinite_sum():
    """So that its weights are exactly zero."""
    mask = Mask("causal", offset=-2)
    stack = self_attention(mask)

    weights, _ = read_back(stack, 0, 3)

    assert not weights[:2].any()
    assert not np.isnan(weights).any()
    np.testing.assert_allclose(weights[2:].sum(axis=1), 1, rtol=1e-5)


def test_a_described_mask_has_no_table():
    """A table that nobody made cannot be sent."""
    assert wire.tables(self_attention(Mask("causal")).blocks[0]) == []
    with pytest.raises(ValueError, match="causal"):
        wire.mask_bits(Mask("causal"))
