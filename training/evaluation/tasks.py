"""The tasks of the original: multiple choice (VCR), sources (WebQA), captions that match or not."""

import random
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from training import baselines
from training.evaluation.scoring import Input, blank, scores
from training.evaluation.subject import CHOOSING_SEEDS, REPORTED_SEEDS, Subject
from training.questions import rendered
from vl_core.datasets.credit import credit
from vl_core.datasets.scenes import (
    ANSWERS,
    CHOICE_KINDS,
    N_CANDIDATES,
    Caption,
    ChoiceItem,
    Scene,
    SourcedItem,
    caption,
    choice_items,
    scene,
    sourced_items,
    spoken,
    wrong_caption,
)
from vl_core.datasets.webqa import best_threshold

_TRAINING_ITEMS = 20_000  # for the baselines
Credits = np.ndarray  # for each item how far it was answered rightly, 0 to 1


def multiple_choice(
    subject: Subject, n_items: int, n_training_items: int = _TRAINING_ITEMS
) -> dict[str, Any]:
    """Q->A, QA->R (given the right answer) and Q->AR, beside what can be had without looking."""
    items = choice_items(REPORTED_SEEDS, n_items)
    systems = {
        "model": [_choice_credits(subject, items, rationales=one) for one in (False, True)],
        "blank picture": [
            _choice_credits(subject, items, rationales=one, is_blank=True) for one in (False, True)
        ],
    }
    for name, with_question in (("text only", True), ("candidate only", False)):
        systems[name] = [
            _words_credits(items, n_training_items, rationales=one, with_question=with_question)
            for one in (False, True)
        ]
    kinds = {kind: [item.asked.kind == kind for item in items] for kind in CHOICE_KINDS}
    return {
        "items": len(items),
        "chance": {"Q->A": 0.25, "QA->R": 0.25, "Q->AR": 0.0625},
        "systems": {name: _choice_figures(*both) for name, both in systems.items()},
        "kinds": {
            kind: _choice_figures(*(own[chosen] for own in systems["model"]))
            for kind, chosen in kinds.items()
        },
    }


def _choice_figures(answers: Credits, rationales: Credits) -> dict[str, float]:
    return {
        "Q->A": float(answers.mean()),
        "QA->R": float(rationales.mean()),
        "Q->AR": float((answers * rationales).mean()),
    }


def _choice_credits(
    subject: Subject, items: Sequence[ChoiceItem], *, rationales: bool, is_blank: bool = False
) -> Credits:
    given = [
        Input(texts, blank(item.scene) if is_blank else rendered(item.scene), item.scene)
        for item in items
        for texts in _candidates(item, rationales=rationales)
    ]
    found = scores(subject.model, subject.processor, given)["candidate_score"]
    return _credits(found, items, rationales=rationales)


def _candidates(item: ChoiceItem, *, rationales: bool) -> list[tuple[str, ...]]:
    asked = item.asked
    if not rationales:
        return [(spoken(asked.question), spoken(one)) for one in asked.answers]
    answer = spoken(asked.answers[asked.answer_label])
    return [(spoken(asked.question), answer, spoken(one)) for one in asked.rationales]


def _words_credits(
    items: Sequence[ChoiceItem], n_training: int, *, rationales: bool, with_question: bool
) -> Credits:
    reader = baselines.candidates_only(
        n_training, rationales=rationales, with_question=with_question
    )
    texts = [
        text
        for item in items
        for text in baselines.candidate_texts(
            item.asked, rationales=rationales, with_question=with_question
        )
    ]
    return _credits(reader.scores(texts)[:, 0], items, rationales=rationales)


def _credits(found: Tensor, items: Sequence[ChoiceItem], *, rationales: bool) -> Credits:
    """By the rule of `vl_core.datasets.vcr`: none of several best candidates is preferred."""
    labels = [
        item.asked.rationale_label if rationales else item.asked.answer_label for item in items
    ]
    pairs = zip(found.view(-1, N_CANDIDATES).tolist(), labels, strict=True)
    return np.array([credit(own, {label}) for own, label in pairs])


def sources(
    subject: Subject, n_items: int, n_training_items: int = _TRAINING_ITEMS
) -> dict[str, Any]:
    """Retrieval F1 of sources scored one by one, and the answer read off the best one."""
    choosing, items = (sourced_items(seeds, n_items) for seeds in (CHOOSING_SEEDS, REPORTED_SEEDS))
    words = baselines.sources_only(n_training_items)
    readers = {
        "model": lambda some: _source_scores(subject, some),
        "blank picture": lambda some: _source_scores(subject, some, is_blank=True),
        "text only": lambda some: _word_scores(words, some),
    }
    systems = {}
    for name, reader in readers.items():
        own = [scored for _, scored in _by_item(reader(choosing), choosing)]
        threshold = best_threshold(own, [_gold(item) for item in choosing])
        found = reader(items)
        systems[name] = {
            "retrieval F1": retrieval_f1(found, items, threshold),
            "where a picture is gold": _f1_where(found, items, threshold, by_text=False),
            "where a text is gold": _f1_where(found, items, threshold, by_text=True),
            "best source is gold": best_is_gold(found, items),
            "threshold": threshold,
        }
    by_text = np.array([item.asked.by_text for item in items])
    best = _best(readers["model"](items), items)
    right = np.array(_answered(subject, items, best))
    return {
        "items": len(items),
        "sources per item": len(items[0].asked.sources),
        "systems": systems,
        "answers": {
            "all": float(right.mean()),
            "from a picture": float(right[~by_text].mean()),
            "from a text": float(right[by_text].mean()),
        },
    }


def retrieval_f1(found: np.ndarray, items: Sequence[SourcedItem], threshold: float) -> float:
    """Mean over the questions of F1 between sources scored above the threshold and the gold ones.

    0 for a question without a hit; the definition of WebQA's baseline, without its 1e-5.
    """
    values = []
    for item, own in _by_item(found, items):
        gold = np.array([one.is_gold for one in item.asked.sources])
        chosen = own.astype(np.float64) > threshold  # which float32 would round
        hits = (gold & chosen).sum()
        values.append(2 * hits / (gold.sum() + chosen.sum()) if hits else 0.0)
    return fmean(values)


def best_is_gold(found: np.ndarray, items: Sequence[SourcedItem]) -> float:
    """How often the source with the highest score is gold; of equals none is preferred."""
    return fmean(credit(own.tolist(), _gold(item)) for item, own in _by_item(found, items))


def _f1_where(
    found: np.ndarray, items: Sequence[SourcedItem], threshold: float, *, by_text: bool
) -> float:
    """The same on the questions that a text answers, or a picture."""
    chosen = [(item, own) for item, own in _by_item(found, items) if item.asked.by_text == by_text]
    return retrieval_f1(
        np.concatenate([own for _, own in chosen]), [item for item, _ in chosen], threshold
    )


def _source_scores(
    subject: Subject, items: Sequence[SourcedItem], *, is_blank: bool = False
) -> np.ndarray:
    given = [
        Input((item.asked.text, one.text), _shown(one.scene, is_blank=is_blank))
        for item in items
        for one in item.asked.sources
    ]
    return scores(subject.model, subject.processor, given)["source_score"].numpy()


def _shown(shown: Scene | None, *, is_blank: bool) -> Image.Image | None:
    if shown is None:
        return None
    return blank(shown) if is_blank else rendered(shown)


def _word_scores(words: baselines.Words, items: Sequence[SourcedItem]) -> np.ndarray:
    texts = [
        baselines.source_text(item.asked.text, one.text, has_picture=one.scene is not None)
        for item in items
        for one in item.asked.sources
    ]
    return words.scores(texts)[:, 0].numpy()


def _by_item(
    found: np.ndarray, items: Sequence[SourcedItem]
) -> list[tuple[SourcedItem, np.ndarray]]:
    ends = np.cumsum([len(item.asked.sources) for item in items])
    return list(zip(items, np.split(found, ends[:-1]), strict=True))


def _gold(item: SourcedItem) -> frozenset[int]:
    """The places of the sources that answer the question."""
    return frozenset(place for place, one in enumerate(item.asked.sources) if one.is_gold)


def _best(found: np.ndarray, items: Sequence[SourcedItem]) -> list[int]:
    return [int(own.argmax()) for _, own in _by_item(found, items)]


def _answered(subject: Subject, items: Sequence[SourcedItem], best: Sequence[int]) -> list[bool]:
    """Whether the answer read off the chosen source is right."""
    chosen = [item.asked.sources[place] for item, place in zip(items, best, strict=True)]
    given = [
        Input((item.asked.text, one.text), _shown(one.scene, is_blank=False))
        for item, one in zip(items, chosen, strict=True)
    ]
    found = scores(subject.model, subject.processor, given)["answer_logits"].argmax(-1).tolist()
    return [ANSWERS[index] == item.asked.answer for index, item in zip(found, items, strict=True)]


def captions(subject: Subject, n_captions: int, n_training: int = 40_000) -> dict[str, Any]:
    """Image-text matching: whether a caption, true or false in one word, is told for what it is."""
    said = list(_captions(n_captions))
    targets = np.array([one.matches for _, one in said])
    pictures = {
        "model": [rendered(shown) for shown, _ in said],
        "blank picture": [blank(shown) for shown, _ in said],
    }
    told = {}
    for name, shown in pictures.items():
        given = [Input((one.text,), picture) for (_, one), picture in zip(said, shown, strict=True)]
        logits = scores(subject.model, subject.processor, given)["matching_logits"]
        told[name] = logits.argmax(-1).numpy().astype(bool)
    words = baselines.captions_only(n_training)
    told["text only"] = (words.scores([one.text for _, one in said])[:, 0] > 0).numpy()
    return {
        "captions": len(said),
        "true": float(targets.mean()),
        "accuracy": {name: float((own == targets).mean()) for name, own in told.items()},
    }


def _captions(number: int) -> list[tuple[Scene, Caption]]:
    """A caption about each of the unseen scenes, every other one false where that can be."""
    said = []
    for place, seed in enumerate(REPORTED_SEEDS[:number]):
        drawn, rng = scene(seed), random.Random(f"captions {seed}")
        wrong = wrong_caption(drawn, rng) if place % 2 else None
        said.append((drawn, wrong or caption(drawn, rng)))
    return said
