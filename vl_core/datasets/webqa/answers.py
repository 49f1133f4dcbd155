"""Accuracy of WebQA's answers by their key words, without the stems and the fluency.

The authors' score of an answer is its fluency times its accuracy. Fluency needs BART-large
fine-tuned on paraphrases, and is not computed here; accuracy is theirs but for the word lists and
for the stems of words (see `answer_words`), so it must not be set beside published figures as
equal.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from vl_core.datasets.items import Item
from vl_core.datasets.webqa.answer_words import COLORS, SHAPES, YES_NO, whole_numbers, words
from vl_core.datasets.webqa.data_set import KEYWORDS

METHOD = "no lemmas, own lists of colors and shapes"
_LISTS = {"color": COLORS, "shape": SHAPES, "YesNo": YES_NO}
_TINY = 1e-5  # in the authors' denominator: a perfect F1 is 0.999995


@dataclass(frozen=True)
class AnswerFigures:
    """Mean accuracy, 0..1, over the questions with key words: all of them, and each category.

    accuracy is None if no question has key words; n_without: those that have none, which are left
    out (those that texts answer, and the whole test split).
    """

    accuracy: float | None
    by_category: dict[str, float]
    n_scored: int
    n_without: int
    method: str = METHOD
    fluency: str = "not computed"


def answer_accuracy(answer: str, keywords: str, category: str) -> float:
    """How well the words of an answer agree with the key words, 0..1; 0 if none is shared.

    color, shape, YesNo: F1 over those of the category's words that each of the two has; number: F1
    over whole numbers, as often as they are said; any other category: the share of key words that
    the answer has, whatever else it says.
    """
    said, wanted = words(answer), words(keywords)
    if category in _LISTS:
        said, wanted = ([*_LISTS[category].intersection(one)] for one in (said, wanted))
    elif category == "number":
        said, wanted = whole_numbers(said), whole_numbers(wanted)
    n_shared = (Counter(said) & Counter(wanted)).total()
    if not n_shared:
        return 0.0
    precision, recall = n_shared / len(said), n_shared / len(wanted)
    if category in _LISTS or category == "number":
        return 2 * precision * recall / (precision + recall + _TINY)
    return recall


def answer_figures(items: Sequence[Item], answers: Sequence[str]) -> AnswerFigures:
    """The accuracy of the answers to these items of WebQA, one for each."""
    found: dict[str, list[float]] = {}
    for item, answer in zip(items, answers, strict=True):
        if keywords := item.facts.get(KEYWORDS):
            accuracy = answer_accuracy(answer, keywords, item.category)
            found.setdefault(item.category, []).append(accuracy)
    every = [accuracy for own in found.values() for accuracy in own]
    return AnswerFigures(
        accuracy=fmean(every) if every else None,
        by_category={category: fmean(own) for category, own in found.items()},
        n_scored=len(every),
        n_without=len(items) - len(every),
    )
