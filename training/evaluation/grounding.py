"""Attention against the truth: whether it falls on the object that the question is about.

Maps over the patches (of heads, rollout, relevancy) are measured against the boxes of the asked
objects by three numbers: pointing (is the strongest patch a hit?), energy (the share inside the
boxes) and AUC (does a patch that is a hit get more than one that is not?). Beside them stand a
uniform map (chance), a map that knows only the picture's center, and an untrained model.
"""

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import vl_core
from training.evaluation.subject import CHOOSING_SEEDS, REPORTED_SEEDS, Subject
from training.questions import Asked, question_set
from training.recipe import config, processor
from vl_core import head_stats
from vl_core.attribution.agreement import rank_correlation
from vl_core.attribution.localization import auc, center_prior, energy, pointing, uniform
from vl_core.attribution.relevancy import relevancy
from vl_core.attribution.rollout import rollout_row
from vl_core.datasets.scenes import QUESTION_TYPES, as_example
from vl_core.example import Example
from vl_core.families.kdvlp import KDVLPForTasks
from vl_core.model import Model
from vl_core.trace import TokenTable

MEASURES = {"pointing": pointing, "energy": energy, "AUC": auc}
HEADS = {  # who looks: the statistics that measure it
    "class token": ("class_pointing", "class_grounding", "class_auc"),
    "words": ("pointing", "grounding", "box_auc"),
}
_SIDE = 128

Map = np.ndarray  # one number for each patch
HeadMeans = dict[str, np.ndarray]  # statistic -> layer x head
Row = dict[str, float]


@dataclass(frozen=True)
class Measured:
    """One question: each map's measures, and the statistics of all heads."""

    type: str
    maps: dict[str, Row]
    heads: HeadMeans


def grounding(subject: Subject, per_type: int) -> dict[str, Any]:
    """Every map's measures by type of question, and every head's mean statistics."""
    model = vl_core.load(str(subject.folder))
    found = list(_measured(model, REPORTED_SEEDS, per_type))
    choosing = list(_measured(model, CHOOSING_SEEDS, per_type, with_maps=False))
    with untrained() as blank_model:
        nobody = list(_measured(blank_model, REPORTED_SEEDS, max(1, per_type // 4)))
    types = {name: [one for one in found if one.type == name] for name in QUESTION_TYPES}
    return {
        "questions_per_type": per_type,
        "types": {
            name: _about_type(
                own,
                [one for one in choosing if one.type == name],
                [one for one in nobody if one.type == name],
            )
            for name, own in types.items()
        },
        "mean": _about_type(found, choosing, nobody),
        "heads": {
            "all": _rounded(_mean_heads(found)),
            **{name: _rounded(_mean_heads(own, _BOXED)) for name, own in types.items() if own},
        },
        "layers": _layers(found),
    }


_BOXED = tuple(key for keys in HEADS.values() for key in keys)


def _about_type(
    found: Sequence[Measured], choosing: Sequence[Measured], nobody: Sequence[Measured]
) -> dict[str, Any]:
    """Means over the questions; the best head of each kind was chosen on other questions."""
    if not (found and choosing and nobody):
        return {"questions": 0}
    table: dict[str, Any] = {name: _mean([one.maps[name] for one in found]) for name in MAPS}
    for looking, keys in HEADS.items():
        best = np.nanargmax(_mean_heads(choosing, keys[:1])[keys[0]])
        own = _mean_heads(found, keys)
        layer, head = divmod(int(best), own[keys[0]].shape[1])
        figures = zip(MEASURES, (float(own[key][layer, head]) for key in keys), strict=True)
        table[f"best head, {looking}"] = {"layer": layer, "head": head, **dict(figures)}
    table["untrained, relevancy"] = _mean([one.maps["relevancy"] for one in nobody])
    for looking, keys in HEADS.items():
        own = _mean_heads(nobody, keys)
        table[f"untrained, best head, {looking}"] = {
            name: float(np.nanmax(own[key])) for name, key in zip(MEASURES, keys, strict=True)
        }
    return table | {"questions": len(found)}


def _measured(
    model: Model, seeds: range, per_type: int, *, with_maps: bool = True
) -> Iterator[Measured]:
    for asked in question_set(seeds, per_type):
        example = _example(asked)
        if not any(region.is_asked for region in example.regions):
            continue  # the question names nothing that is there
        trace = model.trace(example)
        stack = next(iter(trace.stacks.values()))
        maps = (
            {
                name: _row(make(model, example), stack.queries, example)
                for name, make in MAPS.items()
            }
            if with_maps
            else {}
        )
        stats = {one.key: np.asarray(one.of(stack)) for one in head_stats.STATISTICS}
        yield Measured(asked.question.type, maps, stats)


def _example(asked: Asked) -> Example:
    return as_example(asked.scene, asked.question, _SIDE)


def _row(values: np.ndarray, tokens: TokenTable, example: Example) -> Row:
    """The measures of a map over all tokens, or over the patches already."""
    patches = tokens.is_image
    shown = values[patches] if len(values) == len(tokens) else values
    boxes = np.array([region.box for region in example.regions if region.is_asked])
    places = tokens.boxes[patches]
    return {name: measure(shown, places, boxes) for name, measure in MEASURES.items()}


def _rollout(model: Model, example: Example) -> Map:
    stack = next(iter(model.trace(example).stacks.values()))
    return rollout_row(stack, 0)


def _patches(model: Model, example: Example) -> np.ndarray:
    tokens = _tokens(model, example)
    return tokens.boxes[tokens.is_image]


MAPS: Mapping[str, Callable[[Model, Example], Map]] = {
    "relevancy": lambda model, example: relevancy(model, example).row,
    "rollout": _rollout,
    "chance": lambda model, example: uniform(_patches(model, example)),
    "center": lambda model, example: center_prior(_patches(model, example), example.size),
}


def randomised(subject: Subject, per_type: int) -> list[dict[str, Any]]:
    """The maps once the layers' weights are drawn anew, one after the other from the last.

    A map that stays the same does not explain these weights (Adebayo et al. 2018).
    """
    model = vl_core.load(str(subject.folder))
    examples = [_example(one) for one in question_set(REPORTED_SEEDS, per_type)]
    examples = [one for one in examples if any(region.is_asked for region in one.regions)]
    own = _answer_maps(model, examples)
    figures = []
    for count in range(config().num_hidden_layers + 1):
        with _without_layers(subject, count) as changed:
            maps = _answer_maps(changed, examples)
            figures.append(
                {"layers": count}
                | {
                    name: {
                        "rank correlation": float(
                            np.nanmean(
                                [
                                    rank_correlation(one, other)
                                    for one, other in zip(own[name], maps[name], strict=True)
                                ]
                            )
                        ),
                        **_mean(
                            [
                                _row(values, _tokens(changed, example), example)
                                for values, example in zip(maps[name], examples, strict=True)
                            ]
                        ),
                    }
                    for name in maps
                }
            )
    return figures


def _answer_maps(model: Model, examples: Sequence[Example]) -> dict[str, list[Map]]:
    found: dict[str, list[Map]] = {"relevancy": [], "rollout": []}
    for example in examples:
        is_image = _tokens(model, example).is_image
        for name, maps in found.items():
            maps.append(MAPS[name](model, example)[is_image])
    return found


def _tokens(model: Model, example: Example) -> TokenTable:
    return next(iter(model.family.streams(example, model.family.inputs(example)).values()))


@contextmanager
def untrained() -> Iterator[Model]:
    """A model of the same shape with new weights."""
    torch.manual_seed(0)
    with _saved(KDVLPForTasks(config())) as model:
        yield model


@contextmanager
def _without_layers(subject: Subject, count: int) -> Iterator[Model]:
    """The subject with new weights in its last layers."""
    torch.manual_seed(1)
    model = KDVLPForTasks.from_pretrained(subject.folder, dtype=torch.float32)
    layers, new = model.kdvlp.encoder.layers, KDVLPForTasks(config()).kdvlp.encoder.layers
    for number in range(len(layers) - count, len(layers)):
        layers[number].load_state_dict(new[number].state_dict())
    with _saved(model) as changed:
        yield changed


@contextmanager
def _saved(model: KDVLPForTasks) -> Iterator[Model]:
    """The model as the app would load it, from a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        processor().save_pretrained(folder)
        yield vl_core.load(folder)


def _mean(rows: Sequence[Row]) -> Row:
    return {
        name: float(np.nanmean([row[name] for row in rows])) if rows else float("nan")
        for name in MEASURES
    }


def _mean_heads(
    found: Sequence[Measured], keys: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    names = keys or list(found[0].heads)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Mean of empty slice"
        )  # a head that is missing throughout
        return {key: np.nanmean([one.heads[key] for one in found], axis=0) for key in names}


def _rounded(heads: HeadMeans) -> dict[str, list[list[float]]]:
    return {key: np.round(values, 4).tolist() for key, values in heads.items()}


def _layers(found: Sequence[Measured]) -> dict[str, list[float]]:
    """For each statistic of boxes its best head's value in each layer."""
    return {
        key: np.round(np.nanmax(values, axis=1), 4).tolist()
        for key, values in _mean_heads(found, _BOXED).items()
    }
