"""Fixed sets of questions, of multiple choice and of questions with sources.

They are the same on every machine.
"""

import random
from dataclasses import dataclass
from itertools import islice

from vl_core.counted import counted
from vl_core.datasets.scenes.choices import CHOICE_KINDS, Choices, choices
from vl_core.datasets.scenes.layout import Scene, scene
from vl_core.datasets.scenes.questions import QUESTION_TYPES, question
from vl_core.datasets.scenes.sources import SourcedQuestion, sourced_question
from vl_core.datasets.scenes.texts import Question
from vl_core.errors import VLError

_SCENES_OFFERED = 60  # to a question that looks for sources
_SEEDS_OFFERED = 64  # to a question: of 480, none needed more than 7


@dataclass(frozen=True, slots=True)
class QuestionItem:
    """A question about the scene of a seed."""

    seed: int
    scene: Scene
    asked: Question


@dataclass(frozen=True, slots=True)
class ChoiceItem:
    """Multiple choice about the scene of a seed."""

    seed: int
    scene: Scene
    asked: Choices


@dataclass(frozen=True, slots=True)
class SourcedItem:
    """A question with its sources; `number` is its place in the set, from 0."""

    number: int
    asked: SourcedQuestion


def question_item(seeds: range, number: int) -> QuestionItem:
    """The question with this number, from 0, of a set in which the types take turns.

    Each has 64 seeds to itself, so that any can be drawn without those before it; the first scene
    among them that offers the type is taken. Raises VLError if the seeds run out.
    """
    question_type = QUESTION_TYPES[number % len(QUESTION_TYPES)]
    for seed in seeds[number * _SEEDS_OFFERED : (number + 1) * _SEEDS_OFFERED]:
        one = scene(seed)
        asked = question(one, question_type, random.Random(f"question {seed}"))
        if asked:
            return QuestionItem(seed, one, asked)
    raise _too_few(seeds, number, number + 1)


def choice_items(seeds: range, count: int) -> list[ChoiceItem]:
    """Multiple choice about `count` scenes, in the seeds' order; each kind is equally frequent.

    Every seed gives one item at most: a scene that does not offer the kind whose turn it is is
    left out. A longer set begins with the shorter one. Raises VLError if the seeds run out.
    """
    items: list[ChoiceItem] = []
    remaining = iter(seeds)
    while len(items) < count:
        seed = next(remaining, None)
        if seed is None:
            raise _too_few(seeds, len(items), count)
        one, kind = scene(seed), CHOICE_KINDS[len(items) % len(CHOICE_KINDS)]
        asked = choices(one, random.Random(f"choices {seed}"), kind)
        if asked:
            items.append(ChoiceItem(seed, one, asked))
    return items


def sourced_items(seeds: range, count: int, n_sources: int = 8) -> list[SourcedItem]:
    """`count` questions, each with sources from 60 consecutive scenes that no other one draws from.

    Scenes that offer no question are left out. A longer set begins with the shorter one. Raises
    VLError if the seeds run out.
    """
    items: list[SourcedItem] = []
    remaining = iter(seeds)
    while len(items) < count:
        drawn = list(islice(remaining, _SCENES_OFFERED))
        if len(drawn) < _SCENES_OFFERED:
            raise _too_few(seeds, len(items), count)
        offered = [scene(seed) for seed in drawn]
        asked = sourced_question(offered, random.Random(f"sources {drawn[0]}"), n_sources)
        if asked:
            items.append(SourcedItem(len(items), asked))
    return items


def _too_few(seeds: range, found: int, wanted: int) -> VLError:
    return VLError(
        f"{counted(found, 'question')} came of {counted(len(seeds), 'seed')}, and {wanted} were "
        "asked for. Ask for fewer or start from an earlier seed."
    )
