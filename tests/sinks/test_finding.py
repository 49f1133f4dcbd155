"""Which tokens are sinks: those that were put there, and no others."""

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import random_stack, random_stream, random_tokens, random_two_stream_trace
from tests.sinks.made import stack_of, states_of, trace_of
from vl_core.errors import NameOfNoneError
from vl_core.head_stats import SPECIAL_SHARE
from vl_core.sinks import finding
from vl_core.sinks.exclusion import mean_row, without
from vl_core.sinks.finding import find
from vl_core.sinks.kinds import FIRST, KINDS, MEASURED, OUTLIER_PATCH, SPECIAL, VISUAL
from vl_core.sinks.receiving import received
from vl_core.trace import Mask, Stream, TokenTable

CLS, IS, THE, RED, STAR, SEP = range(6)
PATCH = 6  # the first of six
DIMENSIONS = (11, 300)


def found_in(sinks, kind):
    """Layer and key of each sink of this kind."""
    return list(zip(*(part.tolist() for part in np.nonzero(sinks.found(kind).keys)), strict=True))


def why(sinks, kind):
    """Why a rule found nothing; what it found must then be nothing."""
    found = sinks.found(kind)
    assert bool(found.why_none) != found.keys.any()
    return found.why_none


def test_plain_attention_has_special_tokens_and_nothing_else():
    """Each rule that finds nothing says why."""
    sinks = find(trace_of(random_stack(), states_of(random_tokens())), "encoder")

    assert sinks.present() == (SPECIAL,)
    assert found_in(sinks, SPECIAL) == [(layer, key) for layer in range(3) for key in (CLS, SEP)]
    assert why(sinks, SPECIAL) == ""
    assert why(sinks, FIRST) == "No token of this stack looks at itself alone."
    assert why(sinks, VISUAL).startswith("No dimension of a special or first token is massive; ")
    assert why(sinks, OUTLIER_PATCH).startswith("Words and patches share this stream")
    assert "the most is " in why(sinks, MEASURED)


def test_padding_is_no_special_token():
    """Nor is it counted in any other way."""
    tokens = random_tokens(padding=2)
    sinks = find(trace_of(random_stack(queries=tokens)), "encoder")

    assert {key for _, key in found_in(sinks, SPECIAL)} == {CLS, SEP}
    assert not sinks.keys()[:, -2:].any()


def test_without_specials_and_order_there_are_none_at_all():
    """No sinks: nothing is removed."""
    tokens = random_tokens(4, 2, 3, specials=False)
    sinks = find(trace_of(random_stack(queries=tokens), states_of(tokens)), "encoder")

    assert sinks.present() == ()
    assert not sinks.keys().any()
    assert (sinks.removed() == 0).all()
    assert sinks.listed(np.ones(10)) == []
    assert "no special or first token" in why(sinks, VISUAL)
    assert "No special token" in why(sinks, SPECIAL)


def test_all_mass_on_the_first_token():
    """It is special, the first, and measured as a sink; what it takes is everything."""
    tokens = random_tokens()
    weights = np.zeros((2, 3, 12, 12))
    weights[..., 0] = 1
    sinks = find(trace_of(stack_of(weights, tokens, mask=Mask("causal"))), "encoder")

    assert found_in(sinks, FIRST) == [(0, CLS), (1, CLS)]
    # 11 over the sum of 1/2, 1/3 ... 1/12: no token of such a short stack can get ten times.
    assert "the most is 5.23 times" in why(sinks, MEASURED)
    assert (sinks.removed([FIRST]) == 1).all()
    row = mean_row(sinks.stack, 1, None, [RED], sinks.keys())
    first, second = sinks.listed(row, 1)
    assert (first.key, first.kinds, first.share) == (CLS, (SPECIAL, FIRST), 1.0)
    assert (second.key, second.kinds, second.share) == (SEP, (SPECIAL,), 0.0)


def long_causal(share_of=None):
    """60 tokens that look back evenly; in layer 1 they give half of it to this token."""
    tokens = TokenTable.of(
        [f"w{i}" for i in range(50)] + [f"patch {i}" for i in range(10)],
        ["text"] * 50 + ["image"] * 10,
    )
    weights = np.broadcast_to(np.tri(60) / np.arange(1, 61)[:, None], (2, 3, 60, 60)).copy()
    if share_of is not None:
        weights[1, :, share_of + 1 :] *= 0.5
        weights[1, :, share_of + 1 :, share_of] += 0.5
    return stack_of(weights, tokens, mask=Mask("causal"))


def test_a_token_that_all_look_at_is_measured_as_a_sink():
    """In that layer alone, and not the tokens before and after it."""
    sinks = find(trace_of(long_causal(4)), "encoder")

    assert found_in(sinks, MEASURED) == [(1, 4)]
    assert sinks.received.lift[1, 4] > 10
    np.testing.assert_allclose(
        sinks.removed([MEASURED])[1], sinks.received.shares[1, :, 4], rtol=1e-6
    )
    assert (sinks.removed([MEASURED])[0] == 0).all()


def test_what_one_neighbor_looks_at_is_no_sink():
    """A late token has few behind it: each looking at the one before it would lift it far."""
    tokens = random_tokens(4, 7, 8)
    n = len(tokens)
    weights = np.broadcast_to(np.eye(n, k=-1) + np.eye(n)[:, [0]] @ np.eye(n)[[0]], (2, 3, n, n))
    sinks = find(trace_of(stack_of(weights, tokens, mask=Mask("causal"))), "encoder")

    assert sinks.received.lift[0, n - 2] == pytest.approx(n)
    assert found_in(sinks, MEASURED) == []


def massive_states(tokens, width=450):
    """The class token massive in two dimensions before layer 1, and some others after it."""
    states = states_of(tokens, width=width)
    states[1, CLS, DIMENSIONS[0]] = -500
    states[2, CLS, DIMENSIONS[1]] = 700
    states[2, PATCH + 1, DIMENSIONS[1]] = 600
    states[1, PATCH + 3, DIMENSIONS[1]] = -400
    states[2, PATCH + 4, 77] = 900  # of a dimension in which no special token is massive
    states[2, RED, DIMENSIONS[0]] = 900  # no patch
    states[3, PATCH + 5, DIMENSIONS[0]] = 900  # after the last layer: it enters none
    return states


def test_visual_sinks_are_massive_where_special_tokens_are():
    """Patches alone, in the dimensions of special tokens, in the layer that they enter."""
    tokens = random_tokens()
    sinks = find(trace_of(random_stack(), massive_states(tokens)), "encoder")

    assert found_in(sinks, VISUAL) == [(1, PATCH + 3), (2, PATCH + 1)]
    assert sinks.present() == (SPECIAL, VISUAL)
    share = mean_row(sinks.stack, 2, None, [RED], sinks.keys())
    assert {sink.key: sink.kinds for sink in sinks.listed(share, 2)} == {
        CLS: (SPECIAL,),
        SEP: (SPECIAL,),
        PATCH + 1: (VISUAL,),
    }


def test_the_state_that_enters_is_that_of_the_layers_own_number():
    """A stack of the layers 1 and 2 alone."""
    tokens = random_tokens()
    stack = replace(random_stack(layers=2), layers=(1, 2))
    sinks = find(trace_of(stack, massive_states(tokens)), "encoder")

    assert found_in(sinks, VISUAL) == [(0, PATCH + 3), (1, PATCH + 1)]


def test_the_first_token_tells_the_dimensions_where_none_is_special():
    """A decoder without a token of its own for the beginning."""
    tokens = random_tokens(4, 2, 3, specials=False)
    states = states_of(tokens)
    states[1, 0, 5] = states[1, 7, 5] = 800
    sinks = find(trace_of(random_stack(queries=tokens, mask="causal"), states), "encoder")

    assert found_in(sinks, VISUAL) == [(1, 7)]


def test_massive_special_tokens_without_such_patches_say_so():
    """How many dimensions there are, and how far patches are from it."""
    tokens = random_tokens()
    states = states_of(tokens)
    states[1, CLS, 5] = 800
    reason = why(find(trace_of(random_stack(), states), "encoder"), VISUAL)

    assert reason.startswith(
        "1 of 450 dimensions are massive in special or first tokens, but in no"
    )
    assert reason.endswith("times the root mean square, and 20 times are wanted.")


@pytest.mark.parametrize(
    ("states", "kind", "reason"),
    [
        (None, VISUAL, "were not kept"),
        (states_of(random_tokens(), states=3)[:2], VISUAL, "were not kept"),
        (states_of(random_tokens(), width=400), VISUAL, "With 400 dimensions none can exceed 20 "),
        (None, OUTLIER_PATCH, "were not kept"),
    ],
)
def test_where_hidden_states_tell_nothing_the_reason_is_given(states, kind, reason):
    """None kept, too few, or too few dimensions to be massive in."""
    assert reason in why(find(trace_of(random_stack(), states), "encoder"), kind)


def test_nothing_is_said_of_states_across_streams_or_without_patches():
    """Two reasons; the other rules work there."""
    trace = random_two_stream_trace()
    across, words = find(trace, "language<-vision"), find(trace, "language")

    for kind in (VISUAL, OUTLIER_PATCH):
        assert why(across, kind).startswith("One stream looks at another here")
        assert why(words, kind) == "No patch is looked at in this stack."
    assert {key for _, key in found_in(across, SPECIAL)} == {0, 1}
    assert found_in(words, FIRST) == [(0, 0), (1, 0)]


def tower(large=4.0):
    """A vision tower of 4 layers of which patch 7 has this times its norm before layer 2."""
    tokens = random_tokens(0, 3, 5)
    states = states_of(tokens, states=5, width=64)
    states /= np.linalg.norm(states, axis=-1, keepdims=True)
    states[2, 7] *= large
    states[2, 0] *= 50  # the class token is no patch
    return trace_of(random_stack(layers=4, heads=3, queries=tokens, windows=2), states)


def test_outliers_of_a_vision_tower_are_found_by_their_norm():
    """The patch, in the layer that it enters; a class token is none, whatever its norm."""
    assert found_in(find(tower(), "encoder"), OUTLIER_PATCH) == [(2, 7)]
    reason = why(find(tower(2.9), "encoder"), OUTLIER_PATCH)
    assert reason.endswith("the median patch's norm; the most is 2.9 times.")


def test_what_special_tokens_take_is_the_statistic_of_that_name():
    """Two ways to one number."""
    trace = random_two_stream_trace()
    for name, stack in trace.stacks.items():
        np.testing.assert_allclose(
            find(trace, name).removed([SPECIAL]), SPECIAL_SHARE.of(stack), atol=1e-5
        )


def test_what_is_removed_is_what_was_there_and_no_longer_is():
    """Removed and left make one, head by head."""
    sinks = find(trace_of(random_stack(), massive_states(random_tokens())), "encoder")
    content = np.flatnonzero(~sinks.stack.queries.is_special).tolist()
    left = [
        [
            (mean_row(sinks.stack, layer, head, content) * ~sinks.keys()[layer]).sum()
            for head in range(5)
        ]
        for layer in range(3)
    ]

    np.testing.assert_allclose(sinks.removed() + left, 1, rtol=1e-4)
    assert (without(sinks.stack, sinks.keys()).weights[2][..., PATCH + 1] == 0).all()
    assert (without(sinks.stack, sinks.keys()).weights[0][..., PATCH + 1] > 0).all()


def test_every_kind_has_a_plain_sentence_beside_it():
    """Keys, names and definitions are unique; each definition is one sentence, with its source."""
    for field in ("key", "name", "definition"):
        assert len({getattr(kind, field) for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert kind.definition.endswith(".")
        assert ". " not in kind.definition
        assert kind.source
    assert all(find(tower(), "encoder").found(kind) for kind in KINDS)


def test_attention_is_gone_through_once_and_only_if_asked_for(monkeypatch):
    """Rules that read tokens and hidden states alone are quick, however long the stack."""
    passes = []
    monkeypatch.setattr(finding, "received", lambda stack: passes.append(stack) or received(stack))
    sinks = find(trace_of(random_stack(), massive_states(random_tokens())), "encoder")
    cheap = [kind for kind in KINDS if kind is not MEASURED]

    assert sinks.present(cheap) == (SPECIAL, VISUAL)
    sinks.listed(np.ones(12), kinds=cheap)
    assert passes == []
    sinks.removed()
    sinks.present()
    assert len(passes) == 1


def test_what_sinks_would_take_of_even_rows_is_told():
    """In a layer its own sinks, over all layers their mean; padding is nobody's key."""
    tokens = random_tokens(4, 2, 3, padding=3)
    stack = random_stack(queries=tokens, mask="causal", layers=3)
    sinks = find(trace_of(stack, massive_states(tokens)), "encoder")
    kinds = (SPECIAL, VISUAL)
    queries = np.isin(np.arange(len(tokens)), [RED, PATCH + 4])

    slow = []
    for layer, marked in enumerate(sinks.keys(kinds)):
        rows = [row & ~tokens.is_padding for row in stack.allowed(layer)[queries]]
        slow.append(np.mean([(row & marked).sum() / row.sum() for row in rows]))
        assert sinks.uniform(queries, layer, kinds) == pytest.approx(slow[-1])
    assert slow[0] < slow[-1]
    assert sinks.uniform(queries, kinds=kinds) == pytest.approx(np.mean(slow))
    assert np.isnan(sinks.uniform(np.zeros_like(queries)))


def test_a_stack_that_there_is_not_is_named_with_those_that_there_are():
    """For whoever mistypes it in a notebook; code that expects a KeyError gets one."""
    trace = random_two_stream_trace()

    with pytest.raises(NameOfNoneError, match=r"^The trace has no stack 'nope'\. Its stacks are: "):
        find(trace, "nope")
    with pytest.raises(KeyError):
        find(trace, "nope")


def test_the_order_is_that_of_the_shares():
    """The greatest first, over all layers where none is named."""
    sinks = find(trace_of(random_stack(), massive_states(random_tokens())), "encoder")
    shares = np.linspace(0, 1, 12)

    assert [sink.key for sink in sinks.listed(shares)] == [PATCH + 3, PATCH + 1, SEP, CLS]
    assert [sink.key for sink in sinks.listed(shares, 0)] == [SEP, CLS]
    assert [sink.key for sink in sinks.listed(shares, kinds=[VISUAL])] == [PATCH + 3, PATCH + 1]


def test_scores_do_not_depend_on_how_a_stream_packs_its_states():
    """States of a thousandth and a million times the size."""
    tokens = random_tokens()
    for factor in (1e-3, 1e6):
        sinks = find(trace_of(random_stack(), massive_states(tokens) * factor), "encoder")
        assert found_in(sinks, VISUAL) == [(1, PATCH + 3), (2, PATCH + 1)]
    assert isinstance(random_stream(), Stream)
