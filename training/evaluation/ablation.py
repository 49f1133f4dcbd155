"""Cause: what is lost without a head, and whether attention foretells it.

Every head of every layer says what it says on average, one at a time, on the same questions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import vl_core
from training.evaluation.scoring import BATCH, Input, inputs
from training.evaluation.subject import CHOOSING_SEEDS, EMBEDDED, REPORTED_SEEDS, Subject
from training.questions import Asked, question_set
from vl_core import head_stats
from vl_core.attribution.ablation import ROLES, HeadMeans, head_means, without_heads
from vl_core.attribution.agreement import rank_correlation
from vl_core.attribution.bootstrap import interval
from vl_core.datasets.scenes import ANSWERS, QUESTION_TYPES, as_example
from vl_core.findings import HEAD_MEANS
from vl_core.model import Model

_SIDE = 128
_PLACES = 4  # decimals in the file

PerQuestion = np.ndarray  # layer x head x question


@dataclass(frozen=True)
class _Outcome:
    """Of each question: whether it is answered rightly, the right answer's log-probability."""

    right: np.ndarray
    surprise: np.ndarray


def keep_head_means(subject: Subject, per_type: int) -> HeadMeans:
    """The heads' means over questions that nothing is reported on; those of the shipped model stay.

    The app takes them from there.
    """
    model = vl_core.load(str(subject.folder))
    asked = question_set(CHOOSING_SEEDS, per_type)
    means = head_means(model, (as_example(one.scene, one.question, _SIDE) for one in asked))
    if subject.folder == EMBEDDED:
        means.save(HEAD_MEANS)
        HEAD_MEANS.chmod(0o644)  # safetensors lets nobody else read what it writes
    return means


def ablation(
    subject: Subject, means: HeadMeans, per_type: int, statistics: dict[str, Any] | None
) -> dict[str, Any]:
    """Change in accuracy without each head, by type of question, with a 95 % interval.

    statistics: each head's mean statistics, layer x head, as `grounding` measured them; how well
    they foretell the changes is told by rank correlations.
    """
    model = vl_core.load(str(subject.folder))
    asked = question_set(REPORTED_SEEDS, per_type)
    intact, right, surprise = _outcomes(model, subject, means, asked)
    change = right - intact.right
    loss = surprise - intact.surprise
    types = {
        name: _about_type(change, loss, intact, _is_of(asked, name)) for name in QUESTION_TYPES
    }
    every = np.ones(len(asked), bool)
    return {
        "questions_per_type": per_type,
        "types": types,
        "all": _about_type(change, loss, intact, every),
        "agreement": _agreement(statistics, loss.mean(axis=-1), change.mean(axis=-1)),
        "agreement by type": {
            name: _agreement_of_boxes(statistics, name, loss[..., _is_of(asked, name)])
            for name in QUESTION_TYPES
        },
    }


def _is_of(asked: Sequence[Asked], name: str) -> np.ndarray:
    return np.array([one.question.type == name for one in asked])


def _about_type(
    change: PerQuestion, loss: PerQuestion, intact: _Outcome, chosen: np.ndarray
) -> dict[str, Any]:
    own = change[..., chosen]
    intervals = np.array(
        [[interval(one, seed=0) for one in layer] for layer in own]
    )  # layer, head, 2
    return {
        "accuracy": float(intact.right[chosen].mean()),
        "change": _rounded(own.mean(axis=-1)),
        "low": _rounded(intervals[..., 0]),
        "high": _rounded(intervals[..., 1]),
        "surprise": _rounded(loss[..., chosen].mean(axis=-1)),
    }


def _outcomes(
    model: Model, subject: Subject, means: HeadMeans, asked: Sequence[Asked]
) -> tuple[_Outcome, PerQuestion, PerQuestion]:
    """The intact model's outcome, then for each head whether right and how surprised."""
    heads = [(layer, head) for layer in range(means.n_layers) for head in range(means.n_heads)]
    found: dict[Any, list[_Outcome]] = {head: [] for head in (None, *heads)}
    for batch, roles, targets in _batches(subject, asked):
        for head, outcomes in found.items():
            with (
                torch.inference_mode(),
                without_heads(model, means, [head] * len(targets), roles),
            ):
                logits = model.family.model(**batch).answer_logits
            outcomes.append(_outcome(logits, targets))
    joined = {
        head: _Outcome(
            np.concatenate([one.right for one in outcomes]),
            np.concatenate([one.surprise for one in outcomes]),
        )
        for head, outcomes in found.items()
    }
    shape = means.n_layers, means.n_heads, len(asked)
    right = np.stack([joined[head].right for head in heads]).reshape(shape)
    surprise = np.stack([joined[head].surprise for head in heads]).reshape(shape)
    return joined[None], right, surprise


def _outcome(logits: Tensor, targets: Tensor) -> _Outcome:
    surprise = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    right = logits.argmax(-1) == targets
    return _Outcome(right.double().numpy(), surprise.double().numpy())


def _batches(
    subject: Subject, asked: Sequence[Asked]
) -> Iterator[tuple[dict[str, Any], Tensor, Tensor]]:
    """Inputs with the backbone's work done, each token's role, and the right answers."""
    for start in range(0, len(asked), BATCH):
        some = asked[start : start + BATCH]
        batch = inputs(
            subject.processor, [Input((one.question.text,), one.picture) for one in some]
        )
        pixels, mask = batch.pop("pixel_values"), batch.pop("pixel_mask", None)
        with torch.inference_mode():
            cells = subject.model.kdvlp.cells(pixels, mask)
        roles = torch.cat([_text_roles(subject, batch), _cell_roles(cells.mask)], dim=1)
        targets = torch.tensor([ANSWERS.index(one.question.answer) for one in some])
        yield batch | {"cells": cells}, roles, targets


def _text_roles(subject: Subject, batch: dict[str, Tensor]) -> Tensor:
    ids = batch["input_ids"]
    roles = torch.full_like(ids, ROLES.index("text"))
    roles[ids == subject.processor.tokenizer.sep_token_id] = ROLES.index("special")
    roles[:, 0] = ROLES.index("class")
    return roles.masked_fill(batch["attention_mask"] == 0, -1)


def _cell_roles(mask: Tensor) -> Tensor:
    return torch.where(mask, ROLES.index("image"), -1)


def _agreement(
    statistics: dict[str, Any] | None, loss: np.ndarray, change: np.ndarray
) -> dict[str, Any]:
    """Spearman's rank correlation over all heads of each statistic with what is lost."""
    if statistics is None:
        return {}
    return {
        one.key: {
            "with surprise": _correlation(statistics["all"][one.key], loss),
            "with accuracy lost": _correlation(statistics["all"][one.key], -change),
        }
        for one in head_stats.STATISTICS
    }


def _agreement_of_boxes(
    statistics: dict[str, Any] | None, name: str, loss: PerQuestion
) -> dict[str, float]:
    if statistics is None:
        return {}
    return {
        key: _correlation(values, loss.mean(axis=-1))
        for key, values in statistics.get(name, {}).items()
    }


def _correlation(values: Sequence[Sequence[float]], effect: np.ndarray) -> float:
    return float(rank_correlation(np.array(values, float).ravel(), effect.ravel()))


def _rounded(values: np.ndarray) -> list[list[float]]:
    return np.round(values, _PLACES).tolist()
