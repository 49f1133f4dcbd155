"""What a model's scores of candidates or sources amount to: one file, and the task's own figures.

Scores are written line by line while a set is gone through, so that a run that was stopped goes on.
"""

import json
import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vl_core.datasets import vcr, webqa
from vl_core.datasets.items import Dataset, Item
from vl_core.errors import DatasetError

Figure = tuple[str, float]


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
    def best(self) -> int | None:
        """The place of the option with the largest score; None if none could be read."""
        known = [place for place, score in enumerate(self.scores) if not math.isnan(score)]
        return max(known, key=self.scores.__getitem__) if known else None

    @property
    def is_right(self) -> bool | None:
        """Whether the best option is a right one; None where that is not known."""
        return None if self.right is None or self.best is None else self.best in self.right


class ScoreFile:
    """Scores as lines of JSON; the first line says what they are of, and of nothing else they are.

    made_by: the data set and the model, as plain values. Raises DatasetError for a file with
    scores of another set or model, or with none.
    """

    def __init__(self, path: Path, made_by: dict[str, Any]) -> None:
        self._path = path
        if not path.exists():
            path.write_text(json.dumps(made_by) + "\n", encoding="utf-8")
        elif self._lines()[:1] != [json.dumps(made_by)]:
            raise DatasetError(
                f"{path.name} holds something else than scores of this set by this model. Name "
                "another file."
            )

    def read(self) -> list[Scored]:
        """What was added so far; a line that was cut short is as if it were not there."""
        found = []
        for line in self._lines()[1:]:
            with suppress(ValueError, TypeError, KeyError):
                found.append(_scored(json.loads(line)))
        return found

    def append(self, scored: Scored) -> None:
        """Add a line; one before it that was cut short keeps to itself."""
        scores = [None if math.isnan(one) else one for one in scored.scores]
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(scored) | {"scores": scores}) + "\n")

    def _lines(self) -> list[str]:
        return self._path.read_text(encoding="utf-8").splitlines()


def _scored(told: dict[str, Any]) -> Scored:
    scores = tuple(math.nan if one is None else float(one) for one in told["scores"])
    right = None if told["right"] is None else tuple(told["right"])
    return Scored(**told | {"scores": scores, "right": right})


def figures(kind: str, scored: Sequence[Scored], threshold: float | None = None) -> list[Figure]:
    """Name and value of each figure: those of the task, over the questions whose truth is known.

    kind: of the data set. threshold: above which a source counts as chosen; the best on these very
    questions if none is given, which flatters. Empty where no truth is known.
    """
    known = [one for one in scored if one.right and one.best is not None]
    if not known:
        return []
    if kind == "WebQA":
        return _of_sources(known, threshold)
    shares = [(name, _share(own)) for name, own in _by_task(known).items()]
    return shares + (_of_both(known) if kind == "VCR" else [])


def _by_task(scored: Sequence[Scored]) -> dict[str, list[Scored]]:
    found: dict[str, list[Scored]] = {}
    for one in scored:
        found.setdefault(one.name, []).append(one)
    return found


def _share(scored: Sequence[Scored]) -> float:
    return float(np.mean([bool(one.is_right) for one in scored]))


def _of_both(known: Sequence[Scored]) -> list[Figure]:
    """Q->AR over the items of which both are scored."""
    answers, rationales = (
        {one.number: one for one in known if one.name == name} for name in ("Q->A", "QA->R")
    )
    both = sorted(answers.keys() & rationales.keys())
    if not both:
        return []
    parts = [(_array(own, both), _labels(own, both)) for own in (answers, rationales)]
    found = vcr.accuracy(*parts[0], *parts[1])
    return [("Q->AR", found.both)]


def _array(scored: dict[int, Scored], numbers: Sequence[int]) -> np.ndarray:
    scores = np.array([scored[number].scores for number in numbers], float)
    return np.nan_to_num(scores, nan=-np.inf)


def _labels(scored: dict[int, Scored], numbers: Sequence[int]) -> np.ndarray:
    return np.array([(scored[number].right or (0,))[0] for number in numbers])


def _of_sources(known: Sequence[Scored], threshold: float | None) -> list[Figure]:
    scores = [np.array(one.scores) for one in known]
    right = [frozenset(one.right or ()) for one in known]
    own = webqa.best_threshold(scores, right) if threshold is None else threshold
    found = webqa.retrieval(scores, right, own)
    name = "threshold, the best on these questions" if threshold is None else "threshold"
    return [
        ("retrieval F1", found.f1),
        ("precision", found.precision),
        ("recall", found.recall),
        ("best source is right", _share(known)),
        (name, own),
    ]


def submit(
    data: Dataset, scored: Sequence[Scored], path: Path, threshold: float | None = None
) -> None:
    """Write the file that the task's server takes.

    threshold: above which a source of WebQA is chosen; its answers are left empty, as scores give
    none. Raises DatasetError as `check_submission` does, and where a question is not scored:
    servers want all.
    """
    check_submission(data, threshold)
    if isinstance(data, webqa.WebQA) and threshold is not None:
        _submit_sources(data, scored, path, threshold)
    else:
        _submit_choices(scored, path)


def check_submission(data: Dataset, threshold: float | None = None) -> None:
    """Raise DatasetError for a set that has no server, and for WebQA without a threshold."""
    if data.kind not in ("VCR", "WebQA"):
        raise DatasetError(
            f"There is no submission file of scores for a set of the kind {data.kind}."
        )
    if data.kind == "WebQA" and threshold is None:
        raise DatasetError(
            "A submission chooses the sources above a threshold, and none came. Find it with "
            "`score` on the validation split, and give it with --threshold."
        )


def _submit_sources(
    data: webqa.WebQA, scored: Sequence[Scored], path: Path, threshold: float
) -> None:
    chosen = {one.number: webqa.chosen(np.array(one.scores), threshold) for one in scored}
    lacking = sum(number not in chosen for number in range(len(data)))
    if lacking:
        raise DatasetError(
            f"{lacking} of {len(data)} questions are not scored, and the server wants all. Score "
            "the whole split."
        )
    told = [webqa.Submitted(chosen[number]) for number in range(len(data))]
    webqa.write_submission(path, data, told)


def _submit_choices(scored: Sequence[Scored], path: Path) -> None:
    """Answers, and rationales given each of them."""
    items: dict[str, dict[int, tuple[float, ...]]] = {}
    for one in scored:
        items.setdefault(one.item, {})[one.place] = one.scores
    wanted = range(5)  # the answers, then the rationales given each of the four
    lacking = [name for name, own in items.items() if sorted(own) != list(wanted)]
    if lacking or not items:
        raise DatasetError(
            f"{len(lacking)} of {len(items)} items are not scored as a submission wants them, "
            "answers and the rationales given each of the four. Score the whole test split."
        )
    answers = np.array([own[0] for own in items.values()])
    rationales = np.array([[own[place] for place in wanted[1:]] for own in items.values()])
    vcr.write_submission(path, list(items), answers, rationales)
