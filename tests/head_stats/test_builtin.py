"""Built-in statistics against plain loops that follow their definitions."""

import itertools
import re

import numpy as np
import pytest

from tests.builders import TEXT, random_tokens
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


FEW_VALUES = ("pointing", "class_pointing", "class_auc")


@pytest.mark.parametrize("key", [key for key in KEYS if key not in FEW_VALUES])
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
        assert not re.search(r"\ba [aeio]|\ban [^aeiou]", statistic.definition)
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
    about_both = {"cross_modal_mass", "grounding", "grounding_lift", "pointing", "box_auc"}
    missing = {key for key in KEYS if absent in key.split("_")} | about_both
    if absent == "image":
        missing |= {"reach", "class_grounding", "class_pointing", "class_auc"}

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
    _close(values["box_auc"], 0.5)
    _close(values["class_auc"], 0.5)
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


CLASS = ("class_grounding", "class_pointing", "class_auc")


def _looking_at(place, regions, *, specials=True):
    """All statistics of heads that look from everywhere at this one patch of 2 x 3."""
    tokens = random_tokens(5, 2, 3, specials=specials)
    key = tokens.texts.index(place)
    rows = np.eye(len(tokens))[key]
    it = cases.case(cases.everything(tokens), tokens, change=lambda w: np.zeros_like(w) + rows)
    return head_stats.measure(it.layers, tokens, tokens, regions)


# Patches are 20 x 16 pixels; "star" is a word, and the anchor only helps to find it.
WORD = (TEXT.index("star"), TEXT.index("star") + 4)
STAR = Region("star", (20.0, 0.0, 40.0, 16.0), WORD)
ANCHOR = Region("left", (0.0, 16.0, 20.0, 32.0), (WORD[1] + 1, WORD[1] + 5), is_asked=False)


def test_all_attention_on_the_box_is_the_best_there_is():
    """One word with one box, the class token with what is asked: 1 by every measure."""
    values = _looking_at("patch 1, 2", (STAR, ANCHOR))

    for key in ("grounding", "pointing"):
        _close(values[key], 0.5)  # "star" finds its box, "left" looks at the wrong one
    _close(values["box_auc"], (1 + 0.4) / 2)  # the anchor's patch ties with four of five
    for key in CLASS:
        _close(values[key], 1)


def test_class_token_looking_at_what_only_leads_there_finds_nothing():
    """The anchor is not what is asked about."""
    values = _looking_at("patch 2, 1", (STAR, ANCHOR))

    _close(values["class_grounding"], 0)
    _close(values["class_pointing"], 0)
    _close(values["class_auc"], 0.4)


@pytest.mark.parametrize("key", CLASS)
def test_class_token_is_missing_without_one_or_without_boxes(key):
    """No special tokens, none left, nothing asked about: nan, with specials and without."""
    with_one, dropped = (
        _looking_at("patch 1, 2", (STAR,))[name] for name in (key, f"{key}/without_specials")
    )

    assert not np.isnan(with_one).any()
    assert np.isnan(dropped).all()
    assert np.isnan(_looking_at("patch 1, 2", (STAR,), specials=False)[key]).all()
    assert np.isnan(_looking_at("patch 1, 2", (ANCHOR,))[key]).all()
    assert np.isnan(_looking_at("patch 1, 2", ())[key]).all()


def test_patches_strongest_together_share_the_point():
    """Uniform words over six patches of which two are hits: a third of the point."""
    both = Region("star", (20.0, 0.0, 60.0, 16.0), WORD)
    tokens = random_tokens(5, 2, 3)
    it = cases.case(cases.everything(tokens), tokens, change=lambda w: w * 0 + 1 / len(tokens))
    values = head_stats.measure(it.layers, tokens, tokens, (both,))

    _close(values["pointing"], 2 / 6)
    _close(values["class_pointing"], 2 / 6)
    _close(values["class_grounding"], 2 / 6)


def test_a_word_whose_boxes_cover_everything_takes_no_part_in_the_auc():
    """Without a miss there is nothing to tell apart; the strongest patch is a hit all the same."""
    whole = Region("star", (0.0, 0.0, 60.0, 32.0), WORD)
    values = _looking_at("patch 2, 3", (whole,))

    assert np.isnan(values["box_auc"]).all()
    assert np.isnan(values["class_auc"]).all()
    _close(values["pointing"], 1)
    _close(values["class_grounding"], 1)
