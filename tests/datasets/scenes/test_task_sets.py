"""Fixed sets: the same each time, even over kinds, and no scene used twice."""

from collections import Counter
from itertools import pairwise

import pytest

from vl_core.datasets.scenes import (
    CHOICE_KINDS,
    UNSEEN_SEEDS,
    choice_items,
    scene,
    sourced_items,
)
from vl_core.datasets.scenes.sources import CATEGORIES
from vl_core.errors import VLError


def test_multiple_choice_comes_from_one_scene_each_in_the_order_of_the_seeds():
    """A few scenes are left out, none is used twice, and each item shows its seed's scene."""
    items = choice_items(UNSEEN_SEEDS, 210)
    seeds = [item.seed for item in items]

    assert len(items) == 210
    assert seeds == sorted(set(seeds))
    assert UNSEEN_SEEDS.start <= seeds[0] < seeds[-1] < UNSEEN_SEEDS.start + 300
    assert all(item.scene == scene(item.seed) for item in items)


def test_kinds_of_multiple_choice_take_turns():
    """Each is equally frequent, in any set whose length they divide."""
    items = choice_items(range(500), 200)

    assert [item.asked.kind for item in items] == list(CHOICE_KINDS) * 50


def test_sets_are_the_same_each_time_and_longer_ones_begin_with_shorter_ones():
    """Nothing but the seeds decides."""
    assert choice_items(range(90), 60)[:25] == choice_items(range(40), 25)
    assert sourced_items(range(1200), 12)[:5] == sourced_items(range(600), 5)


def test_sets_from_other_seeds_are_others():
    """No question of one is in the other."""
    first, second = choice_items(range(100), 40), choice_items(range(100, 200), 40)

    assert not {item.scene for item in first} & {item.scene for item in second}


def test_each_question_with_sources_draws_from_sixty_scenes_of_its_own():
    """No picture of one question is that of another, and all are of the seeds."""
    items = sourced_items(range(2400), 30)
    drawn = [{one.scene for one in item.asked.sources if one.scene} for item in items]

    assert [item.number for item in items] == list(range(30))
    assert sum(map(len, drawn)) == len(set().union(*drawn))
    starts = []
    scenes = [scene(seed) for seed in range(2400)]
    for own in drawn:
        places = [scenes.index(one) // 60 for one in own]
        assert len(set(places)) <= 1
        starts += places[:1]
    assert all(before < after for before, after in pairwise(starts))


def test_categories_and_the_kind_of_the_gold_source_vary():
    """Every category is asked, and texts answer about as often as pictures do."""
    items = sourced_items(range(9000), 120)
    categories = Counter(item.asked.category for item in items)
    by_text = sum(item.asked.by_text for item in items) / len(items)

    assert set(categories) == set(CATEGORIES)
    assert min(categories.values()) >= 10
    assert 0.25 < by_text < 0.55


def test_the_number_of_sources_is_eight_unless_asked_otherwise():
    """Each question has all of them."""
    assert {len(item.asked.sources) for item in sourced_items(range(400), 5)} == {8}
    assert {len(item.asked.sources) for item in sourced_items(range(400), 5, 11)} == {11}


def test_too_few_seeds_are_refused_with_both_numbers():
    """A set is never shorter than asked for."""
    with pytest.raises(VLError, match=r"^\d questions? came of 9 seeds, and 10 were asked for"):
        choice_items(range(9), 10)
    with pytest.raises(VLError, match=r"^1 question came of 119 seeds, and 2 were asked for"):
        sourced_items(range(119), 2)
