"""VL-InterpreT's seven statistics, bug for bug, against its formulas written as loops."""

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens
from vl_core.errors import StatisticError
from vl_core.head_stats import vlinterpret
from vl_core.trace import Block, KeptWeights, Stack


def _stack(weights, tokens):
    """A stack with exactly these weights (layer x head x query x key)."""
    n = len(tokens)
    kept = [KeptWeights(layer.astype(np.float16)) for layer in weights]
    blocks = tuple((Block(np.arange(n), np.arange(n), k),) for k in kept)
    return Stack("encoder", "encoder", "encoder", tokens, tokens, tuple(range(len(kept))), blocks)


def _looking_at(targets, tokens, layers=2, heads=3):
    """Every query looks evenly at its targets: query x key of 0 and 1, the same in every head."""
    row = targets / targets.sum(axis=1, keepdims=True)
    return _stack(np.broadcast_to(row, (layers, heads, *row.shape)), tokens)


def _slow_means(stack):
    """The tool's five means: delete [CLS] and [SEP], then split where the text ended before."""
    whole, texts = np.asarray(stack.weights, float), stack.queries.texts
    txt_len = sum(not is_image for is_image in stack.queries.is_image)
    left = [i for i, text in enumerate(texts) if text not in {"[SEP]", "[CLS]"}]
    means = {label: np.zeros(whole.shape[:2]) for label in vlinterpret.LABELS[:5]}
    for layer, head in np.ndindex(whole.shape[:2]):
        attn = [[whole[layer, head, i, j] for j in left] for i in left]
        text, image = range(txt_len), range(txt_len, len(left))
        values = {
            vlinterpret.IMAGE_TO_TEXT: [attn[i][j] for i in text for j in image],
            vlinterpret.TEXT_TO_IMAGE: [attn[i][j] for i in image for j in text],
            vlinterpret.IMAGE_TO_IMAGE: [attn[i][j] for i in image for j in image],
            vlinterpret.WITHOUT_SELF: [
                0 if i == j or i == j + 1 or j == i + 1 else attn[i][j]
                for i in image
                for j in image
            ],
            vlinterpret.TEXT_TO_TEXT: [attn[i][j] for i in text for j in text],
        }
        for label, numbers in values.items():
            means[label][layer, head] = sum(numbers) / len(numbers)
    return means


def _slow_z(values):
    """scipy.stats.zscore with its default axis: over layers, for each head."""
    scores = np.zeros_like(values)
    layers = len(values)
    for head in range(values.shape[1]):
        column = [values[layer, head] for layer in range(layers)]
        mean = sum(column) / layers
        deviation = (sum((value - mean) ** 2 for value in column) / layers) ** 0.5
        for layer in range(layers):
            scores[layer, head] = (column[layer] - mean) / deviation
    return scores


def _slow_statistics(stack):
    labels = vlinterpret.LABELS
    scores = {label: _slow_z(values) for label, values in _slow_means(stack).items()}
    scores[labels[5]] = _slow_z((scores[labels[0]] + scores[labels[1]]) / 2)
    scores[labels[6]] = _slow_z((scores[labels[2]] + scores[labels[3]]) / 2)
    return scores


@pytest.mark.parametrize("seed", range(3))
def test_all_seven_follow_the_original(seed):
    """Means, z-scores and the combined maps equal the transcription, in the menu's order."""
    stack = random_stack(seed, layers=4, heads=3, queries=random_tokens(5, 3, 4))
    wanted = _slow_statistics(stack)

    came = vlinterpret.statistics(stack)

    assert tuple(came) == vlinterpret.LABELS
    for label, values in came.items():
        np.testing.assert_allclose(values, wanted[label], atol=1e-6)
    for label, values in vlinterpret.mean_weights(stack).items():
        np.testing.assert_allclose(values, _slow_means(stack)[label], atol=1e-9)


def test_first_patches_count_as_text():
    """Its boundary is not moved after the deletion: a full block of 1.0 reads 0.625.

    Eight text positions, three of them deleted: five of the eight "text" rows are words, the other
    three are patches, which do not look at the image here.
    """
    tokens = random_tokens(6, 3, 4)
    texts = ["[SEP]" if i == 4 else text for i, text in enumerate(tokens.texts)]
    kinds = [
        "special" if text == "[SEP]" else kind
        for text, kind in zip(texts, tokens.kinds, strict=True)
    ]
    tokens = type(tokens).of(texts, kinds, tokens.boxes, tokens.spans)
    n, n_text = len(tokens), 8
    targets = np.zeros((n, n))
    targets[:n_text, n_text:] = targets[n_text:, :n_text] = 1
    stack = _looking_at(targets, tokens)

    came = vlinterpret.mean_weights(stack)[vlinterpret.IMAGE_TO_TEXT]

    # Each word gives 1/12 to each of 12 patches: a block of ones, scaled.
    np.testing.assert_allclose(came * 12, 0.625, atol=1e-3)


def test_without_self_drops_neighbours_and_keeps_the_denominator():
    """A block of ones of 33 patches reads 0.911, where a mean over the other pairs is 1."""
    tokens = random_tokens(4, 1, 33, specials=False)
    n = len(tokens)
    stack = _looking_at(np.ones((n, n)), tokens)

    came = vlinterpret.mean_weights(stack)[vlinterpret.WITHOUT_SELF]

    np.testing.assert_allclose(came * n, 0.911, atol=1e-3)


def test_scores_compare_a_head_with_itself_only():
    """Its z-score runs over layers: ten times the attention of one head changes nothing."""
    rng = np.random.default_rng(0)
    tokens = random_tokens(4, 2, 3, specials=False)
    weights = rng.dirichlet(np.full(10, 0.5), size=(4, 3, 10))
    # Head 2 gives each image key a tenth of what it gave, and what is left to the first word.
    scaled = weights.copy()
    scaled[:, 1, :, 4:] *= 0.1
    scaled[:, 1, :, 0] += 0.9 * weights[:, 1, :, 4:].sum(-1)

    before = vlinterpret.statistics(_stack(weights, tokens))
    after = vlinterpret.statistics(_stack(scaled, tokens))

    label = vlinterpret.IMAGE_TO_TEXT
    raw = vlinterpret.mean_weights(_stack(scaled, tokens))[label]
    assert (raw[:, 1] < raw[:, [0, 2]].min(1)).all()
    np.testing.assert_allclose(after[label], before[label], atol=5e-3)
    np.testing.assert_allclose(after[label].mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(after[label].std(0), 1)


def test_intra_modal_leaves_text_out():
    """Its "intra-modal" follows from the two image maps alone."""
    stack = random_stack(1, layers=4, heads=3)
    came = vlinterpret.statistics(stack)
    image = came[vlinterpret.IMAGE_TO_IMAGE] + came[vlinterpret.WITHOUT_SELF]

    np.testing.assert_allclose(came[vlinterpret.INTRA_MODAL], _slow_z(image), atol=1e-9)


def test_combined_maps_are_scored_twice():
    """Its "cross-modal" is the z-score of a mean of z-scores, not the mean itself."""
    came = vlinterpret.statistics(random_stack(1, layers=4, heads=3))
    mean = (came[vlinterpret.IMAGE_TO_TEXT] + came[vlinterpret.TEXT_TO_IMAGE]) / 2

    assert abs(mean.std(0) - 1).min() > 1e-3
    np.testing.assert_allclose(came[vlinterpret.CROSS_MODAL].std(0), 1)


def test_constant_attention_is_missing():
    """Where a head has one value in all layers its score is 0 / 0: nan, as in the original."""
    tokens = random_tokens(4, 2, 3)
    came = vlinterpret.statistics(_looking_at(np.ones((12, 12)), tokens))

    assert all(np.isnan(values).all() for values in came.values())


def test_layer_means_are_means_of_scores():
    """The column "Mean" is the mean over heads, however many layers there are."""
    values = np.arange(6.0).reshape(2, 3)

    np.testing.assert_allclose(vlinterpret.layer_means(values), [1.0, 4.0])


def test_only_text_followed_by_patches_can_be_split():
    """Cross-attention, text alone, padding behind the patches: refused with what to do."""
    words, patches = random_tokens(4, 0, 0), random_tokens(0, 2, 3)
    stacks = (
        random_stack(queries=words, keys=patches),
        random_stack(queries=words),
        random_stack(queries=random_tokens(4, 2, 3, padding=1)),
        random_stack(queries=random_tokens(4, 1, 2)),
    )
    for stack in stacks:
        assert not vlinterpret.applies_to(stack)
        with pytest.raises(StatisticError, match="one stream of text followed by"):
            vlinterpret.statistics(stack)
    assert vlinterpret.applies_to(random_stack())
