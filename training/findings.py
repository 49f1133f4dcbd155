"""What was found out about the embedded model's attention, in words: `docs/findings.md`.

Every figure in it comes from `evaluation.json`; `python -m training.findings` writes it again.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
EMBEDDED = ROOT / "models" / "embedded"
FINDINGS = ROOT / "docs" / "findings.md"
_FOUND = 0.9  # pointing above which a head is said to find the object
_LOST = 0.6  # ... and below which it is said not to
_NEEDED = 0.02  # accuracy lost without a head that is said to be needed

Figures = Mapping[str, Any]


def main() -> None:
    """Write the page."""
    FINDINGS.write_text(findings(EMBEDDED), encoding="utf-8")


def findings(folder: Path) -> str:
    """The page's text."""
    evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    text = (Path(__file__).parent / "findings.md").read_text(encoding="utf-8")
    grounding, ablation = evaluation["grounding"], evaluation["ablation"]
    return text.format(
        **_words(grounding),
        **_class_token(grounding),
        **_maps(grounding, evaluation["randomised"]),
        **_needed(ablation),
        **_agreement(ablation),
        n_grounded=f"{grounding['mean']['questions']:,}",
        n_ablated=ablation["questions_per_type"],
    )


def _words(grounding: Figures) -> dict[str, str]:
    """Heads in which words look at what they name."""
    values = _map(grounding["heads"]["all"]["pointing"])
    order = np.argsort(-values, axis=None)[:3]
    best = [np.unravel_index(place, values.shape) for place in order]
    mean = grounding["mean"]
    return {
        "n_heads": str(values.size),
        "n_word_heads": str(int((values >= _FOUND).sum())),
        "n_half_heads": str(int((values >= 0.5).sum())),
        "word_heads": _listed(f"{_head(*one)} ({values[one]:.2f})" for one in best),
        "word_layers": _listed(
            f"layer {layer + 1} {value:.2f}" for layer, value in enumerate(values.max(axis=1))
        ),
        "chance": f"{mean['chance']['pointing']:.2f}",
        "center": f"{mean['center']['pointing']:.2f}",
        "untrained_words": f"{mean['untrained, best head, words']['pointing']:.2f}",
    }


def _class_token(grounding: Figures) -> dict[str, str]:
    """Heads in which the class token looks at what is asked about."""
    best = grounding["mean"]["best head, class token"]
    by_type = {
        name: row["best head, class token"]["pointing"]
        for name, row in grounding["types"].items()
        if row["questions"]
    }
    return {
        "class_head": _head(best["layer"], best["head"]),
        "class_pointing": f"{best['pointing']:.2f}",
        "class_layers": _listed(
            f"layer {layer + 1} {value:.2f}"
            for layer, value in enumerate(grounding["layers"]["class_pointing"])
        ),
        "class_found": _types(by_type, lambda value: value >= _FOUND),
        "class_lost": _types(by_type, lambda value: value < _LOST),
    }


def _maps(grounding: Figures, randomised: Sequence[Figures]) -> dict[str, str]:
    """Relevancy and rollout, and whether they depend on the weights."""
    mean, last = grounding["mean"], randomised[-1]
    relevancy = {
        name: row["relevancy"]["pointing"]
        for name, row in grounding["types"].items()
        if row["questions"]
    }
    return {
        "relevancy": f"{mean['relevancy']['pointing']:.2f}",
        "rollout": f"{mean['rollout']['pointing']:.2f}",
        "untrained_relevancy": f"{mean['untrained, relevancy']['pointing']:.2f}",
        "relevancy_found": _types(relevancy, lambda value: value >= _FOUND),
        "relevancy_lost": _types(relevancy, lambda value: value < _LOST),
        "one_layer_relevancy": f"{randomised[1]['relevancy']['rank correlation']:.2f}",
        "one_layer_rollout": f"{randomised[1]['rollout']['rank correlation']:.2f}",
        "all_layers_relevancy": f"{last['relevancy']['rank correlation']:.2f}",
        "all_layers_rollout": f"{last['rollout']['rank correlation']:.2f}",
        "all_layers_rollout_pointing": f"{last['rollout']['pointing']:.2f}",
    }


def _needed(ablation: Figures) -> dict[str, str]:
    """Heads without which accuracy is lost beyond doubt."""
    found = []
    for name, row in ablation["types"].items():
        change, high = _map(row["change"]), _map(row["high"])
        for layer, head in np.argwhere((high < 0) & (change <= -_NEEDED)):
            found.append((float(change[layer, head]), name, int(layer), int(head), row))
    found.sort(key=lambda one: one[0])
    heads = {(layer, head) for _, _, layer, head, _ in found}
    n_heads = np.size(next(iter(ablation["types"].values()))["change"])
    spared = [name for name in ablation["types"] if name not in {one[1] for one in found}]
    return {
        "n_needed": str(len(heads)),
        "n_tests": str(n_heads * len(ablation["types"])),
        "no_agreement": f"{1.96 / (n_heads - 1) ** 0.5:.2f}",
        "needed": "\n".join(
            f"- {_head(layer, head)}, {_spaced(name)}: {100 * change:+.1f} points "
            f"[{100 * row['low'][layer][head]:+.1f}, {100 * row['high'][layer][head]:+.1f}]"
            for change, name, layer, head, row in found[:8]
        )
        or "- none",
        "spared": _listed(map(_spaced, spared)) or "none",
    }


def _agreement(ablation: Figures) -> dict[str, str]:
    """How well attention foretells what is lost."""
    agreement = {
        key: row["with surprise"]
        for key, row in ablation["agreement"].items()
        if row["with surprise"] is not None
    }
    best = max(agreement, key=lambda key: abs(agreement[key]))
    return {
        "best_statistic": _spaced(best),
        "best_agreement": f"{agreement[best]:+.2f}",
        "n_statistics": str(len(agreement)),
        **{
            f"agreement_{key}": f"{agreement[key]:+.2f}" if key in agreement else "missing"
            for key in _FORETELLING
        },
    }


_FORETELLING = (
    "pointing",
    "grounding",
    "class_pointing",
    "class_grounding",
    "text_to_image_mass",
    "entropy",
)


def _map(values: Sequence[Sequence[float | None]]) -> np.ndarray:
    return np.array(values, float)


def _head(layer: int, head: int) -> str:
    return f"layer {int(layer) + 1}, head {int(head) + 1}"


def _types(values: Mapping[str, float], chosen: Any) -> str:  # noqa: ANN401 - a test of a number
    return _listed(_spaced(name) for name, value in values.items() if chosen(value)) or "none"


def _listed(parts: Iterable[str]) -> str:
    return "; ".join(parts)


def _spaced(name: str) -> str:
    return name.replace("_", " ")


if __name__ == "__main__":
    main()
