"""Rows: one text about one picture each, with what is asked of the model for it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from training.recipe import Phase
from vl_core.datasets.scenes import (
    ANSWERS,
    QUESTION_TYPES,
    Phrase,
    Question,
    Scene,
    caption,
    paraphrased,
    question,
    wrong_caption,
)

EASY_TYPES = ("color", "shape", "size", "side", "exist", "color", "shape")
ALL_TYPES = (*QUESTION_TYPES, "relation_query", "compare_size", "nearest", "same")
"""Twice those that only about every other scene can be asked."""

UNTAGGED_TYPES = ("exist", "count", "extreme")  # ask for more than one object that has a name
_TAGS = range(1, 7)
_MASKED_SHARE = 0.5  # of the captions are for masked modelling, the others for matching
_WRONG_SHARE = 0.55  # of those for matching are drawn wrong; not every scene has a wrong caption


@dataclass(frozen=True)
class Row:
    """A text, the phrases in it, and a task: an answer, whether it matches, or masked modelling.

    A row whose matching is asked is never masked as well: the mask would tell which captions are
    true.
    """

    picture: int | None  # number in the step's batch; None for text alone
    text: str
    phrases: tuple[Phrase, ...]
    kind: str  # type of the question, or "matching", "masked", "answers", "rationales", "sources"
    more: tuple[str, ...] = ()  # the texts that follow: a candidate, an answer and its rationale
    answer: int | None = None
    matches: bool | None = None
    is_right: bool | None = None  # of candidates, which come in fours
    is_relevant: bool | None = None  # of sources, which come in groups of n_sources
    n_sources: int = 0
    tags: dict[int, int] = field(default_factory=dict)  # object -> tag


def rows_about(
    picture: int,
    scene: Scene,
    rng: random.Random,
    types: Sequence[str],
    n_questions: int,
    phase: Phase,
) -> list[Row]:
    """Questions and one caption about a scene."""
    asked = [question_row(picture, scene, rng, types, phase) for _ in range(n_questions)]
    return [*asked, caption_row(picture, scene, rng)]


def question_row(
    picture: int, scene: Scene, rng: random.Random, types: Sequence[str], phase: Phase
) -> Row:
    """A question of one of the types; a scene that cannot be asked one is asked another.

    In the phase's shares it names objects by their tags or is put in other words.
    """
    asked = None
    while asked is None:
        asked = question(scene, rng.choice(types), rng)
    tags: dict[int, int] = {}
    text, phrases = asked.text, asked.phrases
    if asked.type not in UNTAGGED_TYPES and rng.random() < phase.tag_share:
        tags = dict(
            zip(range(len(scene.objects)), rng.sample(_TAGS, len(scene.objects)), strict=True)
        )
        text, phrases = tagged(asked, tags)
    elif rng.random() < phase.paraphrased_share:
        asked = paraphrased(asked, rng)
        text, phrases = asked.text, asked.phrases
    return Row(picture, text, phrases, asked.type, answer=ANSWERS.index(asked.answer), tags=tags)


def caption_row(picture: int, scene: Scene, rng: random.Random) -> Row:
    """A true caption for masked modelling, or a true or false one for matching."""
    if rng.random() < _MASKED_SHARE:
        true = caption(scene, rng)
        return Row(picture, true.text, true.phrases, "masked")
    drawn = (wrong_caption(scene, rng) if rng.random() < _WRONG_SHARE else None) or caption(
        scene, rng
    )
    phrases = drawn.phrases if drawn.matches else ()
    return Row(picture, drawn.text, phrases, "matching", matches=drawn.matches)


def tagged(asked: Question, tags: dict[int, int]) -> tuple[str, tuple[Phrase, ...]]:
    """The question with objects named by tag: "is the [3] above the [1]?".

    A bare "object" stays: which one it is, is the question.
    """
    text, phrases, copied = "", [], 0
    for phrase in asked.phrases:
        text += asked.text[copied : phrase.start]
        words = asked.text[phrase.start : phrase.end]
        if len(phrase.objects) == 1 and words != "object":
            words = f"[{tags[phrase.objects[0]]}]"
        phrases.append(Phrase(len(text), len(text) + len(words), phrase.objects))
        text += words
        copied = phrase.end
    return text + asked.text[copied:], tuple(phrases)
