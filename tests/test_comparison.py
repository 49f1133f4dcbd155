"""Two examples beside each other, against plain loops; sizes differ on every axis."""

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import (
    TEXT,
    random_example,
    random_picture,
    random_provenance,
    random_stack,
    random_stream,
    random_tokens,
    random_two_stream_trace,
)
from tests.decoders import language_tokens, looking_across, tower_tokens
from tests.test_token_attention import plain_weights
from vl_core import head_stats
from vl_core.comparison import (
    attention_in_both,
    caution,
    check_comparable,
    has_same_picture,
    head_differences,
    heads_in_both,
    why_no_common_grid,
)
from vl_core.errors import ComparisonError, EmptySelectionError
from vl_core.matched_tokens import matched_tokens
from vl_core.trace import Prediction, Trace


def trace_of(seed, n_text, *, rows=2, columns=3, padding=0, example=None, **stack):
    """So many words before rows x columns patches, under 3 layers of 5 heads."""
    tokens = random_tokens(n_text, rows, columns, padding)
    example = example or replace(random_example(), regions=())
    return Trace(
        example,
        {"encoder": random_stream("encoder", tokens, seed=seed)},
        {"encoder": random_stack(seed, queries=tokens, **stack)},
        Prediction("answer", (("yes", 0.75),)),
        random_provenance(),
    )


def by(trace, **changes):
    """The trace as if another model had made it."""
    return replace(trace, provenance=replace(trace.provenance, **changes))


@pytest.fixture
def both():
    """A with 4 words and one of padding, B with 6 words; otherwise alike."""
    return trace_of(1, 4, padding=1), trace_of(2, 6)


def plain_mass(stack, looking, seen):
    """Layer x head: the mean over `looking` of what falls on `seen`, one weight after another."""
    weights = np.asarray(stack.weights, np.float64)
    n_layers, n_heads, n_queries, n_keys = weights.shape
    found = np.zeros((n_layers, n_heads))
    for layer in range(n_layers):
        for head in range(n_heads):
            for query in range(n_queries):
                for key in range(n_keys):
                    if looking[query] and seen[key]:
                        found[layer, head] += weights[layer, head, query, key]
    return found / sum(looking)


def test_a_difference_is_b_minus_a_for_each_head(both):
    """Layer by head, from the weights of either."""
    stacks = [trace.stacks["encoder"] for trace in both]
    masses = [plain_mass(one, one.queries.is_text, one.keys.is_image) for one in stacks]

    found = head_differences(*both, head_stats.TEXT_TO_IMAGE_MASS, "encoder")

    assert found.shape == (3, 5)
    np.testing.assert_allclose(found, masses[1] - masses[0], atol=1e-6)
    pair = heads_in_both(*both, head_stats.TEXT_TO_IMAGE_MASS, "encoder")
    np.testing.assert_allclose(pair, masses, atol=1e-6)


def test_special_tokens_take_part_or_not(both):
    """As the statistic itself has it, on both sides."""
    one, other = both
    statistic = head_stats.ENTROPY

    without = head_differences(one, other, statistic, "encoder", with_specials=False)

    values = [statistic.of(trace.stacks["encoder"], with_specials=False) for trace in both]
    np.testing.assert_array_equal(without, values[1] - values[0])
    assert not np.allclose(without, head_differences(one, other, statistic, "encoder"))


def test_what_one_of_them_lacks_is_missing(both):
    """Without words nothing looks at the picture as a word."""
    silent = trace_of(3, 0)

    for pair in ((silent, both[0]), (both[0], silent)):
        assert np.isnan(head_differences(*pair, head_stats.TEXT_TO_IMAGE_MASS, "encoder")).all()


@pytest.mark.parametrize("shape", [{"layers": 2}, {"heads": 4}])
def test_stacks_of_another_shape_are_refused_in_a_sentence(both, shape):
    """It names both shapes; neither does it add up what does not belong together."""
    other = trace_of(2, 6, **shape)

    with pytest.raises(ComparisonError, match="A has 5 heads in each of the layers 1, 2, 3 and B"):
        head_differences(both[0], other, head_stats.ENTROPY, "encoder")


def test_layers_of_other_numbers_are_refused(both):
    """Layers 1, 3 and 5 of a model are not layers 1, 2 and 3."""
    stack = replace(both[1].stacks["encoder"], layers=(0, 2, 4))
    other = replace(both[1], stacks={"encoder": stack})

    with pytest.raises(ComparisonError, match="B has 5 heads in each of the layers 1, 3, 5"):
        check_comparable(both[0], other, "encoder")


def test_a_stack_that_one_of_them_lacks_is_refused(both):
    """The sentence says what there is."""
    one = both[0]
    with pytest.raises(ComparisonError, match="B has no attention called encoder; it has language"):
        check_comparable(one, random_two_stream_trace(), "encoder")
    with pytest.raises(ComparisonError, match="A has no attention called vision; it has encoder"):
        check_comparable(one, random_two_stream_trace(), "vision")


def test_models_of_two_kinds_are_refused_and_two_checkpoints_only_warned_of(both):
    """Of one family, heads may correspond; what made them so is not known here."""
    one, other = both
    tuned = by(other, model_id="tuned", weights_hash="4567")

    assert caution(one, other) == ""
    check_comparable(one, tuned, "encoder")
    assert "A was read by tiny and B by tuned." in caution(one, tuned)
    with pytest.raises(ComparisonError, match="by tiny and B by vilt, models of different kinds"):
        check_comparable(one, by(other, model_id="vilt", family="vilt"), "encoder")


def test_tensors_from_elsewhere_are_told_apart_by_the_model_s_name(both):
    """Their weights are not known."""
    told = [by(trace, weights_hash="", family="", model_id="theirs") for trace in both]

    assert caution(*told) == ""
    assert "theirs and B by another" in caution(told[0], by(told[1], model_id="another"))


LAYERS_AND_HEADS = [(0, 0), (2, 4), (1, None), (None, 3), (None, None)]


@pytest.mark.parametrize(("layer", "head"), LAYERS_AND_HEADS)
@pytest.mark.parametrize("words", [[3], [4, 1, 2]])
def test_a_word_s_attention_in_both_is_that_of_its_rows(both, layer, head, words):
    """The mean of these rows on each token that both have; the rest of them falls elsewhere."""
    one, other = (trace.stacks["encoder"] for trace in both)
    pairs = {int(i): int(j) for i, j in matched_tokens(one.queries, other.queries)}
    rows = np.array([(word, pairs[word]) for word in words])

    found = attention_in_both(one, other, rows, layer, head)

    assert found.tokens.tolist() == [list(pair) for pair in pairs.items()]
    of_one, of_other = found.common
    mine, its = plain_weights(one, layer, head), plain_weights(other, layer, head)
    for place, (i, j) in enumerate(pairs.items()):
        in_one = sum(mine[word, i] for word in words) / len(words)
        in_other = sum(its[pairs[word], j] for word in words) / len(words)
        assert of_one[place] == pytest.approx(in_one, abs=1e-6)
        assert of_other[place] == pytest.approx(in_other, abs=1e-6)
        assert found.difference[place] == pytest.approx(in_other - in_one, abs=1e-6)
    for weights, rows_of, row, common, elsewhere in zip(
        (mine, its),
        (words, [pairs[word] for word in words]),
        found.shares,
        found.common,
        found.elsewhere,
        strict=True,
    ):
        np.testing.assert_allclose(row, weights[rows_of].mean(axis=0), atol=1e-6)
        assert common.sum() + elsewhere == pytest.approx(row.sum(), abs=1e-6)
    assert found.elsewhere[0] == 0  # A has padding only that B has not, and nobody looks at it
    assert found.elsewhere[1] > 0.01  # two words that A has not


@pytest.mark.parametrize(("layer", "head"), LAYERS_AND_HEADS)
@pytest.mark.parametrize("words", [[3], [4, 1, 2]])
def test_what_looks_at_a_word_in_both_is_told_of_its_columns(both, layer, head, words):
    """The mean of these columns: what each token of A, and of B, gives to the words."""
    one, other = (trace.stacks["encoder"] for trace in both)
    pairs = {int(i): int(j) for i, j in matched_tokens(one.queries, other.queries)}

    found = attention_in_both(
        one, other, np.array([(i, pairs[i]) for i in words]), layer, head, "looked_at_by"
    )

    assert found.tokens.tolist() == [list(pair) for pair in pairs.items()]
    mine, its = plain_weights(one, layer, head), plain_weights(other, layer, head)
    for weights, of_words, shares in zip(
        (mine, its), (words, [pairs[i] for i in words]), found.shares, strict=True
    ):
        for query, share in enumerate(shares):
            wanted = sum(weights[query, word] for word in of_words) / len(words)
            assert share == pytest.approx(wanted, abs=1e-6)
    for place, (i, j) in enumerate(pairs.items()):
        change = np.mean([its[j, pairs[word]] - mine[i, word] for word in words])
        assert found.difference[place] == pytest.approx(change, abs=1e-6)


def test_across_streams_those_that_look_at_a_word_are_of_the_other_stream():
    """Patches that look at a word which stands elsewhere in the other text."""
    stacks = [
        random_stack(i, queries=tower_tokens(), keys=language_tokens(question=text), layers=2)
        for i, text in enumerate((TEXT, "so is it a red star"))
    ]
    word = [stack.keys.texts.index("red") for stack in stacks]
    assert word[0] != word[1]

    found = attention_in_both(*stacks, np.array([word]), 1, 2, "looked_at_by")

    assert found.tokens.tolist() == [[i, i] for i in range(len(stacks[0].queries))]
    for values, stack, column in zip(found.common, stacks, word, strict=True):
        np.testing.assert_allclose(values, plain_weights(stack, 1, 2)[:, column], atol=1e-6)


def test_across_streams_the_keys_are_those_of_the_other_stream():
    """Words of two questions about one picture, of which only words look; specials have no row."""
    asked = [language_tokens(question=text) for text in (TEXT, "is a red star here")]
    stacks = [looking_across(i, one, tower_tokens(), heads=6, dim=7) for i, one in enumerate(asked)]
    word = [int(stack.queries.texts.index("red")) for stack in stacks]

    found = attention_in_both(*stacks, np.array([word]), 1, 2)

    assert found.tokens.tolist() == [[i, i] for i in range(len(stacks[0].keys))]
    for values, stack, row in zip(found.common, stacks, word, strict=True):
        np.testing.assert_allclose(values, plain_weights(stack, 1, 2)[row], atol=1e-6)
    assert found.elsewhere == (0, 0)
    nobody = attention_in_both(*stacks, np.array([[0, 0]]), 1, 2)
    assert np.isnan(nobody.difference).all()


def test_the_attention_of_no_word_is_refused(both):
    """The mean over nothing is undefined."""
    stacks = (trace.stacks["encoder"] for trace in both)
    with pytest.raises(EmptySelectionError, match="No word is chosen that both texts have"):
        attention_in_both(*stacks, np.zeros((0, 2), int), 0, 0)


def with_picture(size, rows, columns, left_out=0):
    """Patches over a picture of that size, without the last ones."""
    picture = None if size is None else random_picture(size)
    seen = {"image": picture, "picture": picture, "original_size": size}
    example = replace(random_example(), regions=(), **seen)
    tokens = random_tokens(4, rows, columns, size=size or (60, 32))
    tokens = tokens.chosen(slice(0, len(tokens) - left_out))
    return Trace(
        example,
        {"encoder": random_stream("encoder", tokens)},
        {"encoder": random_stack(queries=tokens)},
        Prediction("answer", (("yes", 0.75),)),
        random_provenance(),
    )


def looking_at_words(n_text, rows, columns):
    """Patches of a stream of their own, which look at words: "vision<-language"."""
    tables = {
        "vision": random_tokens(0, rows, columns, specials=False),
        "language": random_tokens(n_text, 0, 0),
    }
    stack = random_stack(
        n_text, queries=tables["vision"], keys=tables["language"], streams=tuple(tables)
    )
    return Trace(
        replace(random_example(), regions=()),
        {name: random_stream(name, table) for name, table in tables.items()},
        {stack.name: stack},
        Prediction("answer", (("yes", 0.75),)),
        random_provenance(),
    )


def test_maps_are_laid_over_each_other_on_one_grid_only(both):
    """Of one size and cut alike; otherwise it is said what differs."""
    one = with_picture((60, 32), 2, 3)

    assert why_no_common_grid(one, with_picture((60, 32), 2, 3), "encoder") == ""
    larger, finer = with_picture((64, 36), 2, 3), with_picture((60, 32), 2, 6)
    assert "60 × 32 pixels and B's 64 × 36." in why_no_common_grid(one, larger, "encoder")
    assert "6 patches and B's into 12, of which 0" in why_no_common_grid(one, finer, "encoder")
    fewer = with_picture((60, 32), 2, 3, left_out=2)
    for pair, counts in (((one, fewer), (6, 4)), ((fewer, one), (4, 6))):
        said = "A's picture is cut into {} patches and B's into {}, of which 4".format(*counts)
        assert said in why_no_common_grid(*pair, "encoder")
    blind = with_picture(None, 0, 0)
    assert why_no_common_grid(one, blind, "encoder") == "B has no picture."
    assert why_no_common_grid(blind, one, "encoder") == "A has no picture."
    crossing = [looking_at_words(4, 2, columns) for columns in (3, 6)]
    said = why_no_common_grid(*crossing, "vision<-language", "looked_at_by")
    assert "6 patches and B's into 12, of which 0" in said
    assert why_no_common_grid(*crossing, "vision<-language") == (
        "No token that is looked at here has a place in the picture."
    )
    unplaced = with_picture((60, 32), 0, 0)
    assert why_no_common_grid(unplaced, unplaced, "encoder").startswith("No token")


def test_the_same_pixels_are_the_same_picture():
    """Not merely the same size; and no picture is not the same as none."""
    one = with_picture((60, 32), 2, 3)
    other = replace(one, example=replace(one.example, image=random_picture((60, 32), seed=1)))
    blind = with_picture(None, 0, 0)

    assert has_same_picture(one, with_picture((60, 32), 4, 1))
    assert not has_same_picture(one, other)
    assert not has_same_picture(blind, blind)
