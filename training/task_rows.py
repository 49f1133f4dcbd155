"""Rows of the original's tasks: answer candidates and reasons (VCR), sources (WebQA)."""

import random
from collections.abc import Sequence

from training.rows import Row
from vl_core.datasets.scenes import (
    ANSWERS,
    Choices,
    Scene,
    SourcedQuestion,
    choices,
    sourced_question,
    spoken,
)

_SCENES_TRIED = 80  # in which a question's sources are looked for


def candidate_rows(picture: int, asked: Choices, rng: random.Random) -> list[Row]:
    """The four answers, or the four reasons for the right answer; every object has its tag."""
    question, tags = spoken(asked.question), {one: one + 1 for one in range(6)}
    if rng.random() < 0.5:
        kind, label = "answers", asked.answer_label
        texts = [(spoken(one),) for one in asked.answers]
    else:
        kind, label = "rationales", asked.rationale_label
        answer = spoken(asked.answers[asked.answer_label])
        texts = [(answer, spoken(one)) for one in asked.rationales]
    return [
        Row(picture, question, (), kind, more=more, is_right=number == label, tags=tags)
        for number, more in enumerate(texts)
    ]


def drawn_choices(scenes: Sequence[Scene], rng: random.Random) -> tuple[int, Choices]:
    """A scene's number and multiple choice about it."""
    while True:
        number = rng.randrange(len(scenes))
        asked = choices(scenes[number], rng)
        if asked:
            return number, asked


def drawn_sources(
    scenes: Sequence[Scene], rng: random.Random, n_sources: int
) -> tuple[SourcedQuestion, list[int | None]]:
    """A question with sources, and the number of each source's scene; None for a text."""
    while True:
        numbers = [rng.randrange(len(scenes)) for _ in range(_SCENES_TRIED)]
        offered = [scenes[number] for number in numbers]
        asked = sourced_question(offered, rng, n_sources)
        if asked:
            return asked, [
                None if one.scene is None else numbers[offered.index(one.scene)]
                for one in asked.sources
            ]


def source_rows(pictures: Sequence[int | None], asked: SourcedQuestion) -> list[Row]:
    """One row for each source; the gold one is also asked for the answer.

    That it matches says that it has what is asked for, of whatever place.
    """
    return [
        Row(
            picture,
            asked.text,
            (),
            "sources",
            more=(source.text,),
            answer=ANSWERS.index(asked.answer) if source.is_gold else None,
            is_relevant=source.is_gold,
            n_sources=len(asked.sources),
            matches=source.shows_asked,
        )
        for picture, source in zip(pictures, asked.sources, strict=True)
    ]
