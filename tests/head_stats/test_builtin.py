"""Built-in statistics against plain loops that follow their definitions."""

import itertools

import numpy as np
import pytest

from tests.head_stats import cases, slow
from vl_core import head_stats
from vl_core.example import Region
from vl_core.head_stats import STATISTICS
from vl_core.head_stats.passes import stored_key

KEYS = [statistic.key for statistic in STATISTICS]


def _close(came, wanted, key=""):
    np.testing.assert_allclose(came, wanted, rtol=0, atol=1e-10, equal_nan=True, err_msg=key)


@pytest.mark.parametrize("name", cases.MAKERS)
@pytest.mark.parametrize("with_specials", [True, False], ids=["with", "without"])
def test_statistics_are_what_their_definitions_say(with_specials, name):
    """On float64 weights every statistic equals the loop over its definition."""
    wanted = slow.head_maps(cases.named(name), with_specials=with_specials)

    assert wanted.keys() == set(KEYS)
    for key, values in wanted.items():
        came = cases.measured(name)[stored_key(key, with_specials=with_specials)]
        _close(came, values, key)


@pytest.mark.parametrize("key", KEYS)
def test_statistic_tells_heads_and_layers_apart(key):
    """Each statistic differs between heads and layers in the plain case: no axis is averaged."""
    values = cases.measured("plain")[key]

    assert len(np.unique(values)) == values.size


@pytest.mark.parametrize("name", cases.MAKERS)
def test_values_lie_in_the_declared_range(name):
    """No value lies outside the range shown beside it."""
    for statistic, with_specials in itertools.product(STATISTICS, (True, False)):
        low, high = statistic.range
        values = cases.measured(name)[stored_key(statistic.key, with_specials=with_specials)]
        present = values[~np.isnan(values)]
        assert low is None or (present >= low - 1e-12).all(), statistic.key
        assert high is None or (present <= high + 1e-12).all(), statistic.key


def test_every_statistic_has_a_plain_sentence_beside_it():
    """Key, name and definition are unique, and each definition is one sentence with its unit."""
    for field in ("key", "name", "definition"):
        assert len({getattr(s, field) for s in STATISTICS}) == len(STATISTICS)
    for statistic in STATISTICS:
        assert statistic.definition.endswith(".")
        assert ". " not in statistic.definition
        assert statistic.unit
        assert statistic.source


def test_directions_carry_the_original_wording():
    """Text looking at the image was "image-to-text" in the original's menu."""
    assert head_stats.TEXT_TO_IMAGE_MASS.flow_name == "image-to-text"
    assert head_stats.IMAGE_TO_TEXT_LIFT.flow_name == "text-to-image"
    assert head_stats.ENTROPY.flow_name == ""


@pytest.mark.parametrize(("side", "absent"), [("queries", "image"), ("keys", "text")])
def test_empty_sets_are_missing_and_never_zero(side, absent):
    """Without words or without patches, what is about them is nan, and all else is a number."""
    table = getattr(cases.named("cross"), side)
    it = cases.case(cases.everything(table), table)
    values = head_stats.measure(it.layers, table, table, it.regions)
    about_both = {"cross_modal_mass", "grounding", "grounding_lift"}
    missing = {key for key in KEYS if absent in key.split("_")} | about_both
    if absent == "image":
        missing |= {"reach"}

    assert {key for key in KEYS if np.isnan(values[key]).all()} == missing
    assert {key for key in KEYS if np.isnan(values[key]).any()} == missing


def test_structural_zero_is_a_mass_of_zero_but_no_lift():
    """Patches before the words cannot look at them: mass 0, and no lift over nothing."""
    values = cases.measured("image_first")

    assert (values["image_to_text_mass"] == 0).all()
    assert np.isnan(values["image_to_text_lift"]).all()
    assert np.isnan(values["image_to_text_mean_weight"]).all()


def test_constant_attention_has_known_values():
    """Uniform heads: lift 1, entropy 1, no concentration, masses by counting."""
    tokens = cases.named("plain").queries
    n = len(tokens)
    it = cases.case(cases.everything(tokens), tokens, change=lambda w: np.full_like(w, 1 / n))
    values = head_stats.measure(it.layers, tokens, tokens, it.regions)

    _close(values["text_to_image_lift"], 1)
    _close(values["image_to_text_lift/without_specials"], 1)
    _close(values["grounding_lift"], 1)
    _close(values["entropy"], 1)
    _close(values["entropy_in_nats"], np.log(n))
    _close(values["concentration"], 0)
    _close(values["text_to_image_mass"], 6 / n)
    _close(values["text_to_image_mass/without_specials"], 6 / (n - 2))
    _close(values["text_to_image_mean_weight"], 1 / n)
    _close(values["diagonal"], 1 / n)
    _close(values["image_to_image_without_self_mass"], 5 / (n - 1))


def test_one_key_takes_all():
    """A head that looks at itself alone: no entropy, full concentration, no reach."""
    tokens = cases.named("plain").queries
    n = len(tokens)
    it = cases.case(cases.everything(tokens), tokens, change=lambda w: np.zeros_like(w) + np.eye(n))
    values = head_stats.measure(it.layers, tokens, tokens, it.regions)

    assert (values["diagonal"] == 1).all()
    assert (values["entropy"] == 0).all()
    assert (values["reach"] == 0).all()
    _close(values["concentration"], (n - 1) / n)
    assert np.isnan(values["image_to_image_without_self_mass"]).all()
    assert np.isnan(values["grounding"]).all()


def test_box_that_covers_whole_patches_is_counted_exactly():
    """A box of exactly two patches: grounding is the weight on these two, to the last digit."""
    tokens = cases.named("plain").queries
    first = tokens.texts.index("patch 1, 2")
    left, top, right, bottom = (*tokens.boxes[first, :2], *tokens.boxes[first + 3, 2:])
    word = 3
    region = Region("both", (left, top, right, bottom), tuple(tokens.spans[word].tolist()))
    it = cases.named("plain")
    values = head_stats.measure(it.layers, tokens, tokens, (region,))

    row = it.weights[:, :, word]
    wanted = row[..., [first, first + 3]].sum(-1) / row[..., tokens.is_image].sum(-1)
    _close(values["grounding"], wanted)
    _close(values["grounding_lift"], wanted * 3)
