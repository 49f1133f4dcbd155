"""Attention of every shape that a statistic can meet, in float64, all axes different."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from tests.builders import TEXT, random_tokens, random_weights
from vl_core import head_stats
from vl_core.example import Region
from vl_core.trace import Mask, TokenTable

LAYERS, HEADS = 2, 3


@dataclass
class GivenRows:
    """A source that gives out these weights (head x query x key) as they are."""

    query_positions: np.ndarray
    key_positions: np.ndarray
    weights: np.ndarray
    may: np.ndarray

    @property
    def n_heads(self):
        """How many heads there are."""
        return len(self.weights)

    def rows(self, heads, queries, keys):
        """The chosen weights."""
        return torch.from_numpy(self.weights)[heads, queries, keys].clone()

    def allowed(self, queries):
        """The chosen rows of the mask."""
        return torch.from_numpy(self.may)[queries]


@dataclass
class Case:
    """A stack of sources and the tables they belong to."""

    queries: TokenTable
    keys: TokenTable
    regions: tuple[Region, ...]
    layers: list[list[GivenRows]]

    @property
    def weights(self):
        """Layer x head x query x key, 0 between tokens of different sources."""
        shape = (len(self.layers), HEADS, len(self.queries), len(self.keys))
        whole = np.zeros(shape)
        for layer, sources in zip(whole, self.layers, strict=True):
            for source in sources:
                place = np.ix_(range(HEADS), source.query_positions, source.key_positions)
                layer[place] = source.weights
        return whole

    @property
    def allowed(self):
        """Query x key, the same in every layer."""
        table = np.zeros((len(self.queries), len(self.keys)), bool)
        for source in self.layers[0]:
            table[np.ix_(source.query_positions, source.key_positions)] = source.may
        return table


def regions():
    """Boxes for "red star" across patches, two for "the", one in a patch's corner, one unnamed.

    Two are not asked about, one of them all of the picture.
    """
    red, the, end = TEXT.index("red"), TEXT.index("the"), TEXT.index("star") + 4
    return (
        Region("star", (13.0, 5.0, 47.0, 21.5), (red, end)),
        Region("left half", (0.0, 0.0, 30.0, 32.0), (the, the + 3), is_asked=False),
        Region("top", (10.0, 0.0, 60.0, 7.0), (the, the + 3)),
        Region("corner", (16.0, 1.0, 19.0, 4.0), (0, 2)),  # not every word sees this patch
        Region("nothing", (0.0, 0.0, 60.0, 32.0), None, is_asked=False),
    )


def case(allowed, queries, keys=None, *, parts=None, spread=0.4, seed=5, change=None):
    """Dirichlet rows over the allowed keys of each part; `change` may alter the weights."""
    keys = keys or queries
    parts = parts or [(np.arange(len(queries)), np.arange(len(keys)))]
    rng = np.random.default_rng(seed)
    layers = []
    for _ in range(LAYERS):
        sources = []
        for asking, offered in parts:
            may = allowed[np.ix_(asking, offered)]
            weights = random_weights(rng, HEADS, may, spread)
            sources.append(GivenRows(asking, offered, change(weights) if change else weights, may))
        layers.append(sources)
    return Case(queries, keys, regions(), layers)


def everything(queries, keys=None):
    """Every query may look at every key."""
    return np.ones((len(queries), len(keys or queries)), bool)


def plain():
    """Text, then patches, every token looking at every other."""
    tokens = random_tokens(5, 2, 3)
    return case(everything(tokens), tokens)


def padded():
    """Three masked padding positions at the end."""
    tokens = random_tokens(5, 2, 3, padding=3)
    return case(everything(tokens) & ~tokens.is_padding, tokens)


def padding_looked_at():
    """Padding that the model forgot to mask: it is no token all the same."""
    tokens = random_tokens(5, 2, 3, padding=2)
    return case(everything(tokens), tokens)


def no_specials():
    """Words and patches alone."""
    tokens = random_tokens(4, 3, 2, specials=False)
    return case(everything(tokens), tokens)


def causal():
    """Each token looks at itself and back."""
    tokens = random_tokens(6, 2, 4)
    return case(np.tri(len(tokens), dtype=bool), tokens)


def _reordered(tokens, order):
    return TokenTable.of(
        [tokens.texts[i] for i in order],
        [tokens.kinds[i] for i in order],
        tokens.boxes[order],
        tokens.spans[order],
        tokens.is_padding[order],
    )


def image_first():
    """Causal with the picture before the words, so that no patch may look at a word."""
    tokens = _reordered(random_tokens(5, 2, 3), [0, *range(7, 13), *range(1, 7)])
    return case(np.tri(len(tokens), dtype=bool), tokens)


def padding_first():
    """Padding on the left, as decoders have it, and looked at: the first word has none before."""
    tokens = _reordered(random_tokens(5, 2, 3, padding=2), [13, 14, *range(13)])
    return case(np.tri(len(tokens), dtype=bool), tokens)


def sliding():
    """Each token looks at itself and three back."""
    tokens = random_tokens(5, 3, 2)
    n = len(tokens)
    return case(Mask("sliding", window=4).rows(slice(None), n, n), tokens)


def class_token_last():
    """The picture first, the class token behind it in sight of the last four patches alone."""
    tokens = _reordered(random_tokens(5, 2, 3), [*range(7, 13), *range(1, 6), 0, 6])
    n = len(tokens)
    return case(Mask("sliding", window=10).rows(slice(None), n, n), tokens)


def even():
    """Heads that look at some patches alike, and at others not at all."""
    tokens = random_tokens(5, 3, 4)
    return case(everything(tokens), tokens, change=_even)


def _even(weights):
    some = weights > np.median(weights)
    return some / some.sum(axis=-1, keepdims=True)


def windows():
    """Strided windows: some queries cannot see themselves through a window of other keys."""
    tokens = random_tokens(5, 3, 4)
    n = len(tokens)
    parts = [(np.arange(n)[i::3], np.arange(n)[i::3]) for i in range(3)]
    parts[1] = (parts[1][0], parts[1][1][1:])
    return case(everything(tokens), tokens, parts=parts)


def neighbouring_windows():
    """Consecutive windows, so that most queries see the token before them."""
    tokens = random_tokens(5, 3, 4)
    parts = [(np.arange(0, 8), np.arange(0, 8)), (np.arange(8, 19), np.arange(8, 19))]
    return case(everything(tokens), tokens, parts=parts)


def cross():
    """Words with padding looking at patches of another stream."""
    words, patches = random_tokens(5, 0, 0, padding=2), random_tokens(0, 2, 4)
    return case(everything(words, patches), words, patches)


def cross_back():
    """Patches looking at words of another stream, some of them padding."""
    words, patches = random_tokens(5, 0, 0, padding=2), random_tokens(0, 2, 4)
    return case(everything(patches, words) & ~words.is_padding, patches, words)


def image_to_other_image():
    """Patches of one picture looking at patches of another stream: no distance, no self."""
    one, other = random_tokens(0, 2, 4, specials=False), random_tokens(0, 3, 2)
    return case(everything(one, other), one, other)


def many_specials():
    """More special tokens than are set against the others one by one, between the patches too."""
    tokens = random_tokens(5, 4, 5)
    kinds = list(tokens.kinds)
    for place in range(len(kinds) - 20, len(kinds), 2):
        kinds[place] = "special"
    for place in (1, 3, 5):
        kinds[place] = "special"
    tokens = TokenTable.of(tokens.texts, kinds, tokens.boxes, tokens.spans)
    return case(np.tri(len(tokens), dtype=bool), tokens)


def masked_rows():
    """A word and a patch that may look at nothing at all."""
    tokens = random_tokens(5, 2, 3)
    allowed = everything(tokens)
    allowed[[2, 9]] = False
    return case(allowed, tokens)


def _sinks(weights):
    weights = weights.copy()
    weights[0, 3] = weights[1, 8] = np.eye(weights.shape[-1])[0]  # all on the class token
    weights[2, 9] = np.eye(weights.shape[-1])[9]  # all on itself
    return weights


def sinks():
    """A word and a patch that look at a special token alone, a patch that looks at itself."""
    tokens = random_tokens(5, 2, 3)
    return case(everything(tokens), tokens, change=_sinks)


def patch_without_place():
    """An image token without a box, as a summary of the picture has none."""
    tokens = random_tokens(5, 2, 3)
    boxes = tokens.boxes.copy()
    boxes[8] = np.nan
    tokens = TokenTable.of(tokens.texts, tokens.kinds, boxes, tokens.spans)
    return case(everything(tokens), tokens)


def one_patch():
    """A picture of one patch, which has no other patch to look at."""
    tokens = random_tokens(5, 1, 1)
    return case(everything(tokens), tokens)


MAKERS: dict[str, Callable[[], Case]] = {
    maker.__name__: maker
    for maker in (
        plain,
        padded,
        padding_looked_at,
        no_specials,
        causal,
        image_first,
        padding_first,
        sliding,
        class_token_last,
        even,
        windows,
        neighbouring_windows,
        cross,
        cross_back,
        image_to_other_image,
        many_specials,
        masked_rows,
        sinks,
        patch_without_place,
        one_patch,
    )
}


@lru_cache
def named(name):
    """The case of this name."""
    return MAKERS[name]()


@lru_cache
def measured(name):
    """All built-in statistics of the case, by key."""
    it = named(name)
    return head_stats.measure(it.layers, it.queries, it.keys, it.regions)
