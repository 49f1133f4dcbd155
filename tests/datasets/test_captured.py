"""Tensors captured elsewhere as a trace: the same numbers as a trace of our own, or refused."""

import subprocess
import sys

import numpy as np
import pytest

from tests.builders import random_example, random_tokens, random_weights
from vl_core import head_stats
from vl_core.datasets.captured import captured_trace, provenance_of_tensors
from vl_core.errors import TraceError
from vl_core.trace import Prediction, Trace

LAYERS, HEADS, WIDTH = 3, 5, 6
KINDS = ("text", "image")


def made(seed=0, padding=0, allowed=None, **changed):
    """A captured trace of random tensors; what is given takes their place."""
    rng = np.random.default_rng(seed)
    tokens = random_tokens(padding=padding)
    count = len(tokens)
    if allowed is None:
        allowed = np.broadcast_to(~tokens.is_padding, (count, count))
    given = {
        "example": random_example(),
        "tokens": tokens,
        "attention": np.stack([random_weights(rng, HEADS, allowed) for _ in range(LAYERS)]),
        "hidden_states": rng.normal(size=(LAYERS + 1, count, WIDTH)),
        "prediction": Prediction.told("yes"),
        "provenance": provenance_of_tensors("own", np.dtype(np.float64)),
    } | changed
    return captured_trace(**given), given


def plain_mass(attention, queries, keys):
    """Mean over these queries of the sum over these keys, as slowly as it is written down."""
    layers, heads, count, _ = attention.shape
    found = np.zeros((layers, heads))
    for layer in range(layers):
        for head in range(heads):
            sums = [
                sum(attention[layer, head, q, k] for k in range(count) if keys[k])
                for q in range(count)
                if queries[q]
            ]
            found[layer, head] = sum(sums) / len(sums)
    return found


@pytest.mark.parametrize("looking", KINDS)
@pytest.mark.parametrize("looked_at", KINDS)
def test_statistics_are_those_of_the_tensors_as_they_came(looking, looked_at):
    """Measured before half precision rounds the weights; on padding nobody looks."""
    trace, given = made(padding=2)
    stack, tokens = trace.stacks["encoder"], given["tokens"]
    masks = [getattr(tokens, f"is_{kind}") for kind in (looking, looked_at)]
    found = head_stats.by_key(f"{looking}_to_{looked_at}_mass").of(stack)

    assert found == pytest.approx(plain_mass(given["attention"], *masks), abs=1e-6)


def test_all_statistics_are_stored_as_a_run_stores_them():
    """With and without special tokens, so that nothing is computed on the page."""
    trace, _ = made()
    keys = {statistic.key for statistic in head_stats.STATISTICS}
    stored = set(trace.stacks["encoder"].head_stats)
    assert stored == keys | {f"{key}/without_specials" for key in keys}


def test_weights_and_states_are_kept_to_half_precision(tmp_path):
    """Layer, head, query and key in their order; also in a file."""
    trace, given = made(padding=1)
    trace.save(tmp_path / "trace.safetensors")
    for one in (trace, Trace.load(tmp_path / "trace.safetensors")):
        stack, stream = one.stacks["encoder"], one.streams["encoder"]
        assert np.asarray(stack.weights) == pytest.approx(given["attention"], abs=1e-3)
        assert stream.hidden_states == pytest.approx(given["hidden_states"], abs=5e-3)
        assert stack.layers == (0, 1, 2)
        assert one.prediction.kind == "told"
        assert one.prediction.top[0][0] == "yes"


def test_hidden_states_may_be_left_out():
    """Then the stream has none."""
    trace, _ = made(hidden_states=None)
    assert trace.streams["encoder"].hidden_states.shape[0] == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_any_kind_of_float_will_do(dtype):
    """The statistics differ by no more than the rounding."""
    trace, given = made()
    rounded, _ = made(attention=given["attention"].astype(dtype))
    for key, values in trace.stacks["encoder"].head_stats.items():
        assert rounded.stacks["encoder"].head_stats[key] == pytest.approx(
            values, rel=5e-3, abs=5e-3, nan_ok=True
        )


def test_rows_that_bfloat16_rounded_are_divided_by_their_sum():
    """A row of 0.5, 0.25, ... in bfloat16 may be off by two thousandths, and is taken as it is."""
    attention = made()[1]["attention"].astype(np.float32)
    # Cutting the lower half of each number is what bfloat16 does, rounding down.
    cut = (attention.view(np.uint32) + 0x8000 & 0xFFFF0000).view(np.float32)
    assert abs(cut.sum(axis=-1) - 1).max() > 1e-4
    trace, _ = made(attention=cut)

    wanted = cut / cut.sum(axis=-1, keepdims=True)
    stored = trace.stacks["encoder"].head_stats["text_to_image_mass"]
    tokens = trace.streams["encoder"].tokens
    assert stored == pytest.approx(plain_mass(wanted, tokens.is_text, tokens.is_image), abs=1e-6)


def test_a_model_that_never_looks_ahead_is_causal():
    """So that entropy and lift are taken over the keys that a query may look at."""
    count = len(random_tokens())
    causal, _ = made(allowed=np.tri(count, dtype=bool))
    full, _ = made()

    assert all(layer[0].kept.mask.kind == "causal" for layer in causal.stacks["encoder"].blocks)
    assert all(layer[0].kept.mask.kind == "full" for layer in full.stacks["encoder"].blocks)
    assert (causal.stacks["encoder"].allowed(1) == np.tri(count, dtype=bool)).all()


def test_a_single_zero_forbids_nothing():
    """Half precision makes zeros of the smallest weights."""
    attention = made()[1]["attention"]
    attention[:, :, 3, 5] = 0
    attention /= attention.sum(axis=-1, keepdims=True)
    trace, _ = made(attention=attention)
    assert trace.stacks["encoder"].allowed(0).all()


def test_padding_is_masked_where_nobody_looks_at_it():
    """And stays allowed where a model looks at it all the same."""
    trace, given = made(padding=2)
    is_padding = given["tokens"].is_padding
    assert (trace.stacks["encoder"].allowed(2) == ~is_padding).all()

    count = len(is_padding)
    stray, _ = made(padding=2, allowed=np.ones((count, count), bool))
    assert stray.stacks["encoder"].allowed(2).all()


@pytest.mark.parametrize("is_causal", [False, True])
def test_padding_may_have_empty_rows(is_causal):
    """As a model leaves them that was never asked; other tokens may not."""
    tokens = random_tokens(padding=2)
    count = len(tokens)
    allowed = np.tri(count, dtype=bool) if is_causal else np.ones((count, count), bool)
    allowed = allowed & ~tokens.is_padding
    allowed[tokens.is_padding] = False
    trace, _ = made(padding=2, allowed=allowed)

    assert (trace.stacks["encoder"].allowed(0) == allowed).all()
    attention = made()[1]["attention"]
    attention[1, :, 4] = 0
    with pytest.raises(TraceError, match=r"layer 1 .* has a row that sums to 0\.0000"):
        made(attention=attention)


def wrong(**change):
    """Attention and states of the usual size, changed at one place."""
    _, given = made()
    attention, states = given["attention"].copy(), given["hidden_states"].copy()
    changes = {
        "scale": lambda: {"attention": attention * 1.01},
        "minus": lambda: {"attention": np.where(attention > 0.2, -attention, attention)},
        "nan": lambda: {"attention": np.where(attention > 0.2, np.nan, attention)},
        "swap": lambda: {"attention": attention.transpose(0, 1, 3, 2)},
        "three": lambda: {"attention": attention[0]},
        "tokens": lambda: {"attention": attention[..., :-1]},
        "layers": lambda: {"attention": attention[:0]},
        "states": lambda: {"hidden_states": states[1:]},
        "length": lambda: {"hidden_states": states[:, 1:]},
        "flat": lambda: {"hidden_states": states[0]},
        "infinite": lambda: {"hidden_states": np.where(states > 1, np.inf, states)},
    }
    return changes[change["kind"]]()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "scale",
            r"layer 0 \(counted from 0\) has a row that sums to 1\.0100, wanted 1: weights a",
        ),
        ("minus", r"layer 0 .* has the weight -\d\.\d+; none may be below 0"),
        ("nan", r"layer 0 .* is not finite everywhere"),
        ("swap", r"Its columns do: swap the last two axes"),
        ("three", r"attention has the shape 5 x 12 x 12; layer x head x 12 x 12 is wanted"),
        ("tokens", r"attention has the shape 3 x 5 x 12 x 11"),
        ("layers", r"attention has the shape 0 x 5 x 12 x 12"),
        ("states", r"hidden states have the shape 3 x 12 x 6; 4 x 12 x width is wanted"),
        ("length", r"hidden states have the shape 4 x 11 x 6"),
        ("flat", r"hidden states have the shape 12 x 6"),
        ("infinite", r"hidden states are not finite everywhere"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(kind, message):
    """With what came and what was wanted."""
    with pytest.raises(TraceError, match=message):
        made(**wrong(kind=kind))


def test_nothing_is_claimed_of_the_model():
    """No family, no weights, no fidelity."""
    trace, _ = made()
    assert trace.provenance.model_id == "own"
    assert trace.provenance.dtype == "float64"
    assert not trace.provenance.family
    assert not trace.provenance.weights_hash
    assert not trace.provenance.fidelity


def test_importing_it_brings_no_torch():
    """Data sets are imported before the first paint."""
    code = "import sys, vl_core.datasets.captured; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
