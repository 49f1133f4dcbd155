"""In words, what it means that a model was right about an item of a data set."""

from collections.abc import Mapping
from dataclasses import dataclass

from pages.shared.data_sets import set_scores, sets
from pages.shared.data_sets.sets import SOURCES
from pages.shared.said import score
from vl_core.datasets.items import PLAIN

UNKNOWN = "Not yet known"
WORD_FOR_WORD = (
    "Compared word for word, without upper case, punctuation and articles: another word of the "
    "same meaning counts as wrong."
)


@dataclass(frozen=True)
class Words:
    """How the outcomes of a set are called.

    whose: what stands above them. names: of each outcome, alone. items: how items of that outcome
    are called within a sentence. help: what is compared, empty where that is plain.
    """

    whose: str
    names: Mapping[str, str]
    items: Mapping[str, str]
    help: str = ""


def words(model: str, name: str) -> Words | None:
    """What a visitor can choose items of this set by; None where no model can be judged."""
    if sets.holds_traces(name):
        return _plain("Its own model is")
    tasks, who = sets.tasks(name), set_scores.called(model)
    if SOURCES in tasks:
        return _of_sources(who, set_scores.threshold(model, name))
    if not tasks:
        return None
    return _plain(f"{who} is", WORD_FOR_WORD if PLAIN in tasks else "")


def _plain(whose: str, compared: str = "") -> Words:
    return Words(
        whose,
        {"any": "All", "right": "Right", "wrong": "Wrong", "unknown": UNKNOWN},
        {"right": "the right ones", "wrong": "the wrong ones", "unknown": "those not yet known"},
        compared,
    )


def _of_sources(who: str, threshold: float | None) -> Words:
    above = "" if threshold is None else f", now {score(threshold)}"
    return Words(
        f"{who} chooses",
        {"any": "All", "right": "The right sources", "wrong": "Others", "unknown": UNKNOWN},
        {
            "right": "those with exactly the right sources",
            "wrong": "those with others chosen",
            "unknown": "those not yet known",
        },
        f"Chosen is every source that is scored above the threshold{above}. The right sources: all "
        "of them and no other, so that the F1 of the question is 1.",
    )
