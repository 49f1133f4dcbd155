"""What a model's scores of candidates or sources, and its answers, amount to: the task's figures.

Two rules hold for every figure of scores. A question with a right option that got no score is left
out, as nobody knows how the model would have ranked it (but for retrieval of sources, where each is
judged by itself: there it is missed); a wrong one without a score is as if it were not there. Where
several options have exactly the largest score, each counts by its share (see `credit`).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vl_core.answers import is_same
from vl_core.datasets import webqa
from vl_core.datasets.credit import credit, top
from vl_core.datasets.items import Item

Figure = tuple[str, float]
ANSWERS = "answers"  # the figure of questions without candidates


@dataclass(frozen=True)
class Scored:
    """The scores of one question about an item.

    number: of the item. place: of the question among those about the item; name: its task. scores:
    one for each option, nan for one that could not be read. right: the places of the right ones,
    None where the set does not tell.
    """

    number: int
    item: str
    place: int
    name: str
    scores: tuple[float, ...]
    right: tuple[int, ...] | None

    @classmethod
    def of(cls, number: int, item: Item, place: int, scores: Iterable[float]) -> "Scored":
        """Of what is asked in this place about the item."""
        asked = item.asked[place]
        right = None if asked.right is None else tuple(sorted(asked.right))
        return cls(number, item.name, place, asked.name, tuple(map(float, scores)), right)

    @property
    def top(self) -> tuple[int, ...]:
        """The places of the options with the largest score; none if none could be read."""
        return top(self.scores)

    @property
    def is_told(self) -> bool:
        """Whether it can be said how right the model is: all right options are told and scored."""
        return bool(self.right) and not any(
            math.isnan(self.scores[one]) for one in self.right or ()
        )

    @property
    def credit(self) -> float | None:
        """The share of right ones among the options at the top, 0 to 1; None where not told."""
        if not self.is_told:
            return None
        return credit(self.scores, self.right or ())

    @property
    def is_right(self) -> bool | None:
        """Whether only right options are at the top: a tie with a wrong one is not right.

        None where that is not told.
        """
        return None if self.credit is None else self.credit == 1

    def chosen(self, threshold: float) -> tuple[int, ...]:
        """The places of the options that are scored above the threshold."""
        return webqa.chosen(np.array(self.scores, float), threshold)

    def is_exact(self, threshold: float) -> bool | None:
        """Whether the options above the threshold are the right ones, all of them and no other.

        None where the set does not tell. As in retrieval, one without a score is not chosen.
        """
        return self.chosen(threshold) == self.right if self.right else None


@dataclass(frozen=True)
class Answered:
    """What a model said to a question without candidates, beside the set's own answer.

    number: of the item. place, name: as in Scored. is_cut_off: whether what it said ends only
    because no more tokens were allowed.
    """

    number: int
    item: str
    place: int
    name: str
    said: str
    is_cut_off: bool
    answer: str

    @property
    def is_right(self) -> bool:
        """Whether the two are the same, word for word (see `vl_core.answers`)."""
        return is_same(self.said, self.answer)


def of_answers(answered: Sequence[Answered]) -> list[Figure]:
    """The share of questions without candidates that are answered rightly; none without any."""
    return [(ANSWERS, float(np.mean([one.is_right for one in answered])))] if answered else []


def figures(kind: str, scored: Sequence[Scored], threshold: float | None = None) -> list[Figure]:
    """Name and value of each figure: those of the task, over the questions whose truth is known.

    kind: of the data set. threshold: above which a source counts as chosen; the best on these very
    questions if none is given, which flatters. Empty where no truth is known. `n_left_out` says how
    many questions are in none.
    """
    known = [one for one in scored if one.is_told]
    if kind == "WebQA":
        return _of_sources([one for one in scored if one.right], known, threshold)
    if not known:
        return []
    shares = [(name, _share(own)) for name, own in _by_task(known).items()]
    return shares + (_of_both(known) if kind == "VCR" else [])


def n_left_out(scored: Iterable[Scored]) -> int:
    """Of how many questions the truth is told, but a right option has no score: in no figure."""
    return sum(bool(one.right) and not one.is_told for one in scored)


def counts(kind: str, scored: Sequence[Scored]) -> dict[str, tuple[int, int]]:
    """For each figure: over how many questions or items it is, and how many are left out of it.

    Left out are those with a right option that got no score; none is from retrieval of sources.
    """
    told, known = [one for one in scored if one.right], [one for one in scored if one.is_told]
    if kind == "WebQA":
        found = dict.fromkeys(("retrieval F1", "precision", "recall"), (len(told), 0))
        return found | {"best source is right": (len(known), len(told) - len(known))}
    asked, judged = (
        {name: {one.number for one in own} for name, own in _by_task(some).items()}
        for some in (told, known)
    )
    if kind == "VCR":
        asked["Q->AR"] = set.union(*asked.values()) if asked else set()
        judged["Q->AR"] = judged.get("Q->A", set()) & judged.get("QA->R", set())
    return {
        name: (len(judged.get(name, set())), len(own - judged.get(name, set())))
        for name, own in asked.items()
    }


def _by_task(scored: Sequence[Scored]) -> dict[str, list[Scored]]:
    found: dict[str, list[Scored]] = {}
    for one in scored:
        found.setdefault(one.name, []).append(one)
    return found


def _share(known: Sequence[Scored]) -> float:
    return float(np.mean([one.credit or 0.0 for one in known]))


def _of_both(known: Sequence[Scored]) -> list[Figure]:
    """Q->AR over the items of which both are scored; ties in the two are broken independently."""
    answers, rationales = (
        {one.number: one.credit or 0.0 for one in known if one.name == name}
        for name in ("Q->A", "QA->R")
    )
    both = [answers[number] * rationales[number] for number in answers.keys() & rationales.keys()]
    return [("Q->AR", math.fsum(both) / len(both))] if both else []


def _of_sources(
    asked: Sequence[Scored], known: Sequence[Scored], threshold: float | None
) -> list[Figure]:
    """asked: all whose right sources are told. known: those of which all right ones are scored."""
    scores = [np.array(one.scores, float) for one in asked]
    right = [frozenset(one.right or ()) for one in asked]
    if not asked or np.isnan(np.concatenate(scores)).all():
        return []
    own = webqa.best_threshold(scores, right) if threshold is None else threshold
    found = webqa.retrieval(scores, right, own)
    name = "threshold, the best on these questions" if threshold is None else "threshold"
    return [
        ("retrieval F1", found.f1),
        ("precision", found.precision),
        ("recall", found.recall),
        *([("best source is right", _share(known))] if known else []),
        (name, own),
    ]
