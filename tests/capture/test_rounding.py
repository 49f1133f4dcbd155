"""float16 is kept only where it gives the weights back in all rows, not in those of a sample."""

import itertools
import math

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.models import DECODER
from vl_core import capture
from vl_core.capture import keeping
from vl_core.capture.evaluation import Evaluation, Sample
from vl_core.capture.masks import LiveMask
from vl_core.capture.rounding import Halves

EVERYTHING = slice(None)
PROMISED = 2e-3
HEADS, KEY_HEADS, DIM = 4, 2, 8


def evaluation(asked, offered, allowed=None, **options):
    """Of these queries and keys."""
    shape = asked.shape[1], offered.shape[1]
    allowed = torch.ones(shape, dtype=torch.bool) if allowed is None else allowed
    sample = Sample.of(offered, asked.transpose(0, 1))
    mask = LiveMask.of(allowed[None, None], 0, shape)
    return Evaluation(asked, offered, sample, mask, DIM**-0.5, **options)


def errors(kept, live):
    """How far each row's worst weight is off: head x query."""
    stored = kept.rows(EVERYTHING, EVERYTHING)
    return abs(stored - live.rows(EVERYTHING, EVERYTHING).numpy()).max(axis=-1)


def as_halves(live):
    """What would be kept if float16 were always enough."""
    return keeping.queries_keys(keeping.in_halves(live).rounded)


def drawn(is_sharp, sharp):
    """Random queries and keys; these rows of the last head look about so many times as sharply."""
    generator = torch.Generator().manual_seed(0)
    asked = torch.randn(HEADS, len(is_sharp), DIM, generator=generator) / 2
    offered = torch.randn(KEY_HEADS, len(is_sharp), DIM, generator=generator)
    asked[-1, is_sharp] *= sharp
    return asked, offered


def mistral():
    """The first layer of a real model: grouped keys, a window, padding on the left."""
    torch.manual_seed(14)
    sizes = {**DECODER, "max_position_embeddings": 256, "sliding_window": 5}
    model = transformers.MistralModel(transformers.MistralConfig(**sizes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(22 if parameter.dim() > 1 else 1)
    ids = torch.randint(5, 50, (1, 150))
    is_seen = (torch.arange(150) >= 17).long()[None]
    capture.attach(model)
    with torch.inference_mode(), capture.recording(model) as recorder:
        model(input_ids=ids, attention_mask=is_seen)
    return next(iter(recorder.evaluations.values()))[0]


UNSEEN = {
    "only the last rows": lambda: evaluation(*drawn(torch.arange(256) >= 256 - 23, 60)),
    "all but the sampled rows": lambda: evaluation(*drawn(torch.arange(256) % 8 != 0, 60)),
    "a model's own": mistral,
}


@pytest.mark.parametrize("case", UNSEEN)
def test_rows_that_no_sample_shows_are_within_what_is_promised(case):
    """Sampled rows alone would say that float16 is enough, and it is not."""
    live = UNSEEN[case]()
    rounded = errors(as_halves(live), live)
    assert rounded.max() > PROMISED
    assert rounded[:, live.sample.rows].max() < PROMISED / 2

    kept = keeping.block(live).kept

    assert kept.is_precise
    assert errors(kept, live).max() < PROMISED / 20


MASKS = {
    "all": lambda n: torch.ones(n, n, dtype=torch.bool),
    "causal": lambda n: torch.ones(n, n).tril().bool(),
    "window": lambda n: torch.ones(n, n).tril().triu(-4).bool(),
    "holes": lambda n: (torch.arange(n)[:, None] + torch.arange(n)) % 3 != 0,
    "empty rows": lambda n: (torch.arange(n)[:, None] > 6).expand(n, n),
}


CHOICES = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "size": st.sampled_from([0.5, 2, 4, 8]),
        "spread": st.sampled_from([0, 0.3, 1]),
        "offset": st.sampled_from([0, 5, 100]),
        "mask": st.sampled_from(list(MASKS)),
        "softcap": st.sampled_from([None, 5.0]),
    }
)


def chosen(n_tokens, *, seed, size, spread, offset, mask, softcap):
    """Heads and rows of very different sharpness, keys with much or little in common."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    sizes = size * (spread * (normal(HEADS, 1, 1) + normal(HEADS, n_tokens, 1))).exp()
    return evaluation(
        sizes * normal(HEADS, n_tokens, DIM),
        normal(KEY_HEADS, n_tokens, DIM) + offset * normal(KEY_HEADS, 1, DIM),
        MASKS[mask](n_tokens),
        softcap=softcap,
    )


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([17, 40, 300]), CHOICES)
def test_every_weight_that_is_kept_is_within_what_is_promised(n_tokens, choices):
    """Whatever the scales: all rows of all heads, not some."""
    live = chosen(n_tokens, **choices)

    assert errors(keeping.block(live).kept, live).max() <= PROMISED


def plain(queries, keys, live):
    """The weights of a float64 evaluation, one row at a time: head x query x key."""
    allowed = live.allowed(EVERYTHING).numpy()
    weights = np.zeros((len(queries), *allowed.shape))
    for head, row in itertools.product(range(len(queries)), range(len(allowed))):
        some = np.flatnonzero(allowed[row])
        scores = keys[head * len(keys) // len(queries)][some] @ queries[head, row] * live.scaling
        if live.softcap is not None:
            scores = live.softcap * np.tanh(scores / live.softcap)
        powers = np.exp(scores - scores.max(initial=-np.inf))
        weights[head, row, some] = powers / powers.sum()
    return weights


@settings(max_examples=40, deadline=None)
@given(CHOICES)
def test_no_row_is_further_off_than_its_bound(choices):
    """In exact arithmetic, of queries and keys as they were and as they are rounded."""
    live = chosen(23, **choices)
    halves = Halves.of(keeping.centred(live))
    exact = [one.double().numpy() for one in (halves.exact.queries, halves.exact.keys)]
    rounded = [
        one.double().numpy() * scale
        for one, scale in (
            (halves.rounded.queries, halves.query_scale),
            (halves.rounded.keys, halves.key_scale),
        )
    ]
    off = abs(plain(*exact, live) - plain(*rounded, live)).max(axis=-1)

    assert (off <= halves.largest_errors().numpy() * (1 + 1e-5) + 1e-12).all()


def test_the_bound_is_that_of_two_keys():
    """Two keys of one length, rounded oppositely: half of the odds' change, tanh(e / 2)."""
    key = 1 + 2.0**-12  # half way between no two numbers of float16: it becomes 1
    asked, offered = torch.tensor([[[0.5]]]), torch.tensor([[[key], [-key]]])
    halves = Halves.of(evaluation(asked, offered))
    e = 0.5 * 2.0**-12 * DIM**-0.5

    assert halves.largest_errors().item() == pytest.approx(math.tanh(e / 2), rel=1e-5)
    weights = [one.rows(EVERYTHING, EVERYTHING).double() for one in (halves.exact, halves.rounded)]
    assert abs(weights[0] - weights[1]).max() == pytest.approx(math.tanh(e / 2), rel=0.05)


@pytest.fixture
def worked_out(monkeypatch):
    """The heads, rows and keys (where they end) of which weights were worked out since."""
    found, rows = [], Evaluation.rows

    def noting(self, heads, queries, keys=EVERYTHING):
        found.append((heads.start, queries.start, queries.stop, keys.stop))
        return rows(self, heads, queries, keys)

    monkeypatch.setattr(Evaluation, "rows", noting)
    return found


def test_rows_that_cannot_be_far_off_are_not_worked_out(worked_out):
    """Attention that is not sharp is kept without a look at any weight."""
    live = evaluation(*drawn(torch.zeros(300, dtype=torch.bool), 1))

    assert not keeping.block(live).kept.is_precise
    assert worked_out == []


def test_only_blocks_with_a_sharp_row_are_worked_out(worked_out):
    """Both ways, of that head alone, and no further than its mask lets it look."""
    asked, offered = drawn(torch.arange(300) == 150, 6)

    assert not keeping.block(evaluation(asked, offered, MASKS["causal"](300))).kept.is_precise
    assert worked_out == [(HEADS - 1, 100, 200, 200)] * 2
