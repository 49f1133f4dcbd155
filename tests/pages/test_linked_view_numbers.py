"""The linked view's own arithmetic, on the bytes that reached the browser, against numpy."""

import base64
from pathlib import Path

import numpy as np
import pytest

from tests.biased import biased, mixed
from tests.browser import ROOT, complaints, served, settled
from tests.builders import random_block, random_stack, random_tokens, random_two_stream_trace
from tests.decoders import decoder_trace, language_tokens, prefix_mask
from tests.pages import linked_view_alone as alone
from tests.pages.test_linked_view import printed
from vl_core import sinks, wire
from vl_core.linked_view.files import FOLDER
from vl_core.trace import Mask, Stack

pytestmark = pytest.mark.browser

SCRIPTS = "\n".join((FOLDER / f"{name}.js").read_text() for name in ("halves", "masks", "layers"))
# Rows and columns of heads as the component works them out; what is asked for: [head, token, ...].
VALUES = f"""({{ blobs, layer, rows, columns }}) => {{
  {SCRIPTS}
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const found = (name) => blobs ? bytes(blobs[name]) : globalThis.__vl.blobs.get(name);
  const read = readLayer(found(layer), (name) => found(layer.replace(/[^/]*$/, name)));
  const heads = new Map();
  const headOf = (head) => {{
    if (!heads.has(head)) {{
      const keys = found(`${{layer}}/k${{groupOf(read, head)}}`);
      heads.set(head, readHead(read, found(`${{layer}}/h${{head}}`), keys));
    }}
    return heads.get(head);
  }};
  const values = (asked, isColumn) => asked.flatMap(([head, token]) => {{
    const sum = new Float32Array(isColumn ? read.queries : read.keys);
    addWeights(sum, read, headOf(head), token, isColumn, 1);
    return [...sum];
  }});
  const look = rows.map(([head, token]) => looks(read, headOf(head), token));
  const tops = rows.map(([head]) => headOf(head).top);
  return {{ rows: values(rows, false), columns: values(columns, true), look, tops }};
}}"""


@pytest.fixture(scope="module")
def blank(context):
    """A page without anything on it."""
    page = context.new_page()
    yield page
    page.close()


def blobs(stack: Stack, layer: int) -> dict[str, str]:
    """The parts of a layer, as the server would send them."""
    blocks = stack.blocks[layer]
    one, other = stack.queries, stack.keys
    between = one.is_text | one.is_image, other.is_text | other.is_image
    masks = wire.tables(blocks)
    names = {id(mask): f"mask{number}" for number, mask in enumerate(masks)}
    parts = {f"s/{names[id(mask)]}": wire.mask_bits(mask) for mask in masks}
    counts = len(one), len(other)
    parts["s/0"] = wire.described(blocks, counts, lambda mask: names[id(mask)])
    for head in range(stack.n_heads):
        parts[f"s/0/h{head}"] = wire.head(blocks, head, *between)
    for group in range(wire.key_groups(blocks)):
        parts[f"s/0/k{group}"] = wire.keys(blocks, group)
    return {name: base64.b64encode(content).decode() for name, content in parts.items()}


def masked(mask: Mask, *, softcap: float | None = None) -> Stack:
    """A layer of 6 heads with 2 sets of keys over the tokens of a decoder."""
    tokens = language_tokens()
    everyone = np.arange(len(tokens))
    block = random_block(
        np.random.default_rng(3),
        everyone,
        everyone,
        heads=6,
        key_heads=2,
        kept="queries_keys",
        mask=mask,
        softcap=softcap,
    )
    return Stack("s", "language", "language", tokens, tokens, (0,), ((block,),))


def without_first(stack: Stack) -> Stack:
    """Nobody looks at the first token and at two others; some rows have nothing left."""
    return sinks.without(stack, np.isin(np.arange(len(stack.keys)), [0, 3, 5]))


COUNT = len(language_tokens())
PADDED = np.arange(COUNT) % 7 == 2
STACKS = {
    "weights": lambda: random_stack(queries=random_tokens(padding=2)),
    "full": lambda: masked(Mask()),
    "causal": lambda: masked(Mask("causal")),
    "causal, offset back": lambda: masked(Mask("causal", offset=-3)),
    "causal, offset ahead": lambda: masked(Mask("causal", offset=4, is_padding=PADDED)),
    "sliding": lambda: masked(Mask("sliding", window=5)),
    "sliding, padded, offset": lambda: masked(
        Mask("sliding", offset=2, window=4, is_padding=PADDED)
    ),
    "explicit": lambda: masked(prefix_mask(COUNT, 20)),
    "explicit, padded": lambda: masked(
        Mask("explicit", allowed=prefix_mask(COUNT, 20).allowed, is_padding=PADDED)
    ),
    "softcap": lambda: masked(Mask("causal"), softcap=3.0),
    "single precision": lambda: biased("f4", 6),
    "a bias": lambda: biased("f2", 1),
    "mixed": mixed,
    "windows": lambda: random_two_stream_trace().stacks["vision"],
    "windows of weights": lambda: random_stack(windows=3),
    "rows for some": lambda: decoder_trace().stacks["language<-vision"],
    "sinks of weights left out": lambda: without_first(random_stack()),
    "sinks left out": lambda: without_first(masked(Mask("causal"))),
    "across": lambda: random_two_stream_trace().stacks["language<-vision"],
}


@pytest.mark.parametrize("name", STACKS)
def test_rows_and_columns_are_those_of_the_stack(blank, name):
    """Of every head, query and key; whatever is kept, and whatever the mask."""
    stack = STACKS[name]()
    weights = np.asarray(stack.weights)[0]
    heads, n_queries, n_keys = weights.shape

    rows = [[head, query] for head in range(heads) for query in range(n_queries)]
    columns = [[head, key] for head in range(heads) for key in range(n_keys)]
    found = blank.evaluate(
        VALUES, {"blobs": blobs(stack, 0), "layer": "s/0", "rows": rows, "columns": columns}
    )

    wanted = weights.reshape(-1, n_keys)
    np.testing.assert_allclose(np.reshape(found["rows"], (-1, n_keys)), wanted, atol=2e-5)
    wanted = weights.swapaxes(1, 2).reshape(-1, n_queries)
    np.testing.assert_allclose(np.reshape(found["columns"], (-1, n_queries)), wanted, atol=2e-5)
    assert found["look"] == weights.any(axis=2).ravel().tolist()
    one, other = stack.queries, stack.keys
    between = np.ix_(range(heads), one.is_text | one.is_image, other.is_text | other.is_image)
    tops = weights[between].max(axis=(1, 2), initial=0)
    np.testing.assert_allclose(found["tops"], np.repeat(tops, n_queries), rtol=1e-4)


@pytest.fixture(scope="module")
def long_page(context):
    """The view of a decoder of 2,000 tokens with 24 heads, freshly opened."""
    with served(Path(alone.__file__), PYTHONPATH=str(ROOT)) as server:
        page = context.new_page()
        found = complaints(page)
        page.goto(f"{server.url}/?subject=long")
        page.locator('.view[aria-busy="false"]').wait_for()
        settled(page)
        yield page
        page.close()
        assert found == []


@pytest.fixture(scope="module")
def long_stack():
    """What that view shows."""
    return alone.long_trace().stacks["language"]


def test_a_decoder_of_two_thousand_tokens_has_its_own_weights(long_page, long_stack):
    """Every head's rows and columns, from the bytes that the running page was sent."""
    count = len(long_stack.queries)
    assert count > 1950
    tokens = [0, 1, 2, 521, count // 2, count - 2, count - 1]
    asked = [[head, token] for head in range(24) for token in tokens]

    found = long_page.evaluate(
        VALUES, {"layer": "alonelong/language/0", "rows": asked, "columns": asked}
    )

    weights = np.array([long_stack.weights[0, head] for head in range(24)])
    rows = np.reshape(found["rows"], (24, len(tokens), count))
    np.testing.assert_allclose(rows, weights[:, tokens], atol=2e-5)
    columns = np.reshape(found["columns"], (24, len(tokens), count))
    np.testing.assert_allclose(columns, weights[:, :, tokens].swapaxes(1, 2), atol=2e-5)


def test_what_is_written_is_what_numpy_says(long_page, long_stack):
    """Shares of a word of the answer at the position that predicts it, by view of the picture."""
    generated = np.flatnonzero(long_stack.queries.is_generated)
    word = int(generated[2])
    long_page.locator(f'.word[data-token="{word}"]').click()
    long_page.mouse.move(0, 0)

    row = long_stack.weights[0, 0, word - 1]
    keys = long_stack.keys
    views = np.array(keys.views)
    shares = [
        row[keys.is_text].sum(),
        row[keys.is_image & (views == "whole picture")].sum(),
        row[keys.is_image & (views == "tiles")].sum(),
        row[keys.is_special].sum(),
    ]
    for place, share in enumerate(shares, 1):
        found = printed(long_page, f".shares .numbers span:nth-child({place})")
        assert found == pytest.approx(100 * share, abs=0.051)
