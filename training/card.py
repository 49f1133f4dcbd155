"""The model card, made from `evaluation.json` and `training.json`: no figure in it is typed.

`python -m training.card` writes it again.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

EMBEDDED = Path(__file__).parents[1] / "models" / "embedded"
_COLUMNS = ("model", "question only", "blank picture", "chance")
_MEASURES = ("pointing", "energy", "AUC")
_BOXED = ("class_pointing", "pointing")
_SOURCED = (
    *("retrieval F1", "where a picture is gold", "where a text is gold"),
    "best source is gold",
)
_CURVES = {
    "questions": (
        *("all", "color", "size", "side", "exist"),
        *("relation_query", "count", "compare_size"),
    ),
    "tasks": ("all", "count", "nearest", "matching", "answers", "rationales", "relevance"),
}
_CURVE_ROWS = 8
_LISTED_HEADS = 3

Figures = Mapping[str, Any]


def main() -> None:
    """Write the card of the embedded model."""
    write_card(EMBEDDED)


def write_card(folder: Path) -> None:
    """Write `README.md` beside the figures."""
    (folder / "README.md").write_text(card(folder), encoding="utf-8")


def card(folder: Path) -> str:
    """The card's text."""
    evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    training = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    text = (Path(__file__).parent / "card.md").read_text(encoding="utf-8")
    parts = (
        _accuracy(evaluation["accuracy"])
        | _tasks(evaluation)
        | _robustness(evaluation["robustness"])
        | _held_out(evaluation.get("held_out"))
        | _grounding(evaluation["grounding"])
        | _randomised(evaluation["randomised"])
        | _ablation(evaluation["ablation"])
        | _training(training)
        | {"speed": f"{evaluation['speed']['median']:.0f}", "weights": evaluation["weights_sha256"]}
    )
    return text.format(**parts)


def _accuracy(figures: Figures) -> dict[str, str]:
    rows = figures["types"] | {"**mean**": figures["mean"]}
    fewest = max(1, min(row["questions"] for row in figures["types"].values()))
    return {
        "n_scenes": f"{figures['scenes']:,}",
        "n_questions": f"{figures['questions']:,}",
        "first_seed": f"{figures['seeds'][0]:,}",
        "last_seed": f"{figures['seeds'][1]:,}",
        "error": f"{50 / fewest**0.5:.1f}",
        "accuracy": _table(
            ("type of question", *_COLUMNS),
            [(_spaced(name), *_percents(row[c] for c in _COLUMNS)) for name, row in rows.items()],
        ),
        "square": _percent(figures["square pictures"]),
        "other": _percent(figures["other pictures"]),
        "weak": _weak_types(figures),
        "calibration": f"{figures['calibration']['expected calibration error']:.4f}",
        "confidence": _percent(figures["calibration"]["mean confidence"]),
        "right": _percent(figures["calibration"]["accuracy"]),
    }


def _weak_types(figures: Figures) -> str:
    """A line about the types that are not mastered; nothing where all of them are."""
    weak = [_spaced(name) for name, row in figures["types"].items() if (row["model"] or 0) < 0.9]
    if not weak:
        return ""
    return (
        f"- **Not mastered (below 90 %)**: {', '.join(weak)}. Attention on such questions shows a\n"
        "  model that partly guesses.\n"
    )


def _tasks(evaluation: Figures) -> dict[str, str]:
    choice, sources, captions = (
        evaluation[name] for name in ("multiple_choice", "sources", "captions")
    )
    measures = ("Q->A", "QA->R", "Q->AR")
    systems = choice["systems"] | {"chance": choice["chance"]}
    return {
        "n_choices": f"{choice['items']:,}",
        "choices": _table(
            ("", *measures),
            [(name, *_percents(row[m] for m in measures)) for name, row in systems.items()],
        ),
        "choice_kinds": _table(
            ("kind", *measures),
            [(name, *_percents(row[m] for m in measures)) for name, row in choice["kinds"].items()],
        ),
        "n_sourced": f"{sources['items']:,}",
        "n_sources": str(sources["sources per item"]),
        "sources": _table(
            ("", *_SOURCED),
            [
                (name, *_percents(row[column] for column in _SOURCED))
                for name, row in sources["systems"].items()
            ],
        ),
        "sourced_answers": _percent(sources["answers"]["all"]),
        "from_picture": _percent(sources["answers"]["from a picture"]),
        "from_text": _percent(sources["answers"]["from a text"]),
        "n_captions": f"{captions['captions']:,}",
        "true_captions": _percent(captions["true"]),
        "matching": _percent(captions["accuracy"]["model"]),
        "matching_text": _percent(captions["accuracy"]["text only"]),
        "matching_blank": _percent(captions["accuracy"]["blank picture"]),
    }


def _robustness(figures: Figures) -> dict[str, str]:
    phrasing = figures["phrasing"]
    types = [name for name in phrasing["plain"] if name != "mean"]
    return {
        "n_robust": f"{figures['questions']:,}",
        "phrasing": _table(
            ("type of question", *phrasing),
            [
                (_spaced(name), *_percents(row.get(name) for row in phrasing.values()))
                for name in (*types, "mean")
            ],
        ),
        "looks": _table(
            ("picture", "mean accuracy"),
            [(name, _percent(value)) for name, value in figures["looks"].items()],
        ),
        "canvases": ", ".join(
            f"{name} {_percent(value)}" for name, value in figures["canvases"].items()
        ),
    }


def _held_out(figures: Figures | None) -> dict[str, str]:
    if figures is None:
        return {"held_out": "Not measured for these weights."}
    sets = ("scenes without them", "about held-out pairs")
    models = ("without the pairs", "shipped")
    pairs = ", ".join(" ".join(pair) for pair in figures["pairs"])
    table = _table(
        ("type of question", *(f"{model}: {one}" for model in models for one in sets), "questions"),
        [
            (
                _spaced(name),
                *_percents(figures[model][one].get(name) for model in models for one in sets),
                " and ".join(str(figures["questions"][one].get(name, "")) for one in sets).strip()
                if name != "mean"
                else "",
            )
            for name in figures[models[0]][sets[0]]
        ],
    )
    return {
        "held_out": (
            f"A model of its own was trained without {pairs}, neither shown nor told of\n"
            f"(`{_EXPERIMENT}`). Accuracy in percent, beside the model that ships:\n\n"
            f"{table}"
        )
    }


_EXPERIMENT = "python -m training --without-pairs --questions 200000"


def _grounding(figures: Figures) -> dict[str, str]:
    mean = figures["mean"]
    maps = [name for name, row in mean.items() if isinstance(row, Mapping)]
    asked = {name: row for name, row in figures["types"].items() if row["questions"]}
    return {
        "n_grounded": f"{mean['questions']:,}",
        "maps": _table(
            ("map", *_MEASURES),
            [(name, *(_number(mean[name][measure]) for measure in _MEASURES)) for name in maps],
        ),
        "pointing": _table(
            ("type of question", "chance", "center", "relevancy", "rollout", *_best(maps)),
            [
                (
                    _spaced(name),
                    *(
                        _number(row[which]["pointing"])
                        for which in ("chance", "center", "relevancy", "rollout")
                    ),
                    *(_pointing_head(row[which]) for which in _best(maps)),
                )
                for name, row in asked.items()
            ],
        ),
        "layers": _table(
            ("layer", "class token", "words"),
            [
                (str(layer + 1), *(_number(figures["layers"][key][layer]) for key in _BOXED))
                for layer in range(len(figures["layers"]["pointing"]))
            ],
        ),
    }


def _best(maps: Sequence[str]) -> list[str]:
    return [name for name in maps if name.startswith("best head")]


def _pointing_head(row: Figures) -> str:
    return f"{_number(row['pointing'])} ({row['layer'] + 1}.{row['head'] + 1})"


def _randomised(figures: Sequence[Figures]) -> dict[str, str]:
    return {
        "randomised": _table(
            (
                "layers drawn anew, from the last",
                *("relevancy: correlation", "pointing", "rollout: correlation", "pointing"),
            ),
            [
                (
                    str(row["layers"]),
                    *(
                        _number(row[name][measure])
                        for name in ("relevancy", "rollout")
                        for measure in ("rank correlation", "pointing")
                    ),
                )
                for row in figures
            ],
        )
    }


def _ablation(figures: Figures) -> dict[str, str]:
    agreement = figures["agreement"]
    order = sorted(agreement, key=lambda key: -abs(agreement[key]["with surprise"] or 0))
    return {
        "n_ablated": str(figures["questions_per_type"]),
        "ablation": _table(
            ("type of question", "accuracy", "heads that matter most (layer.head): change"),
            [
                (_spaced(name), _percent(row["accuracy"]), _worst_heads(row))
                for name, row in figures["types"].items()
            ],
        ),
        "agreement_by_type": _agreement_by_type(figures["agreement by type"]),
        "agreement": _table(
            ("statistic", "with the loss of log-probability", "with the loss of accuracy"),
            [
                (
                    _spaced(key),
                    *(
                        _number(agreement[key][what], "+.2f")
                        for what in ("with surprise", "with accuracy lost")
                    ),
                )
                for key in order[:12]
            ],
        ),
    }


def _agreement_by_type(by_type: Figures) -> str:
    """The statistics of boxes, by type of question."""
    keys = ("pointing", "grounding", "class_pointing", "class_grounding")
    return _table(
        ("type of question", *map(_spaced, keys)),
        [
            (_spaced(name), *(_number(row[key], "+.2f") for key in keys))
            for name, row in by_type.items()
            if row
        ],
    )


def _worst_heads(row: Figures) -> str:
    """The heads without which most is lost, as "3.5: -12.0 [-17.3, -7.3]"."""
    changes = [
        (change, layer, head)
        for layer, heads in enumerate(row["change"])
        for head, change in enumerate(heads)
    ]
    told = [
        f"{layer + 1}.{head + 1}: {100 * change:+.1f} "
        f"[{100 * row['low'][layer][head]:+.1f}, {100 * row['high'][layer][head]:+.1f}]"
        for change, layer, head in sorted(changes)[:_LISTED_HEADS]
        if change < 0
    ]
    return "; ".join(told) or "none"


def _training(training: Figures) -> dict[str, str]:
    recipe = training["recipe"]
    questions, tasks = recipe["questions"], recipe["tasks"]
    curves = training["curves"]
    return {
        "seed": str(recipe["seed"]),
        "scenes": f"{recipe['n_scenes']:,}",
        "warmup_steps": str(recipe["warmup_steps"]),
        "warmup_pictures": str(recipe["warmup_pictures"]),
        "steady_steps": str(recipe["steady_steps"]),
        "question_sequences": f"{questions['sequences']:,}",
        "task_sequences": f"{tasks['sequences']:,}",
        "started": _TWO_RUNS.format(hash=training["started_from"][:16])
        if training.get("started_from")
        else "",
        "muon_rates": f"{questions['muon_rate']:g} and {tasks['muon_rate']:g}",
        "adam_rates": f"{questions['adam_rate']:g} and {tasks['adam_rate']:g}",
        "kept_cells": str(questions["kept_cells"]),
        "full_share": str(questions["full_share"]),
        "choices_share": _percent(tasks["choices_share"]),
        "sources_share": _percent(tasks["sources_share"]),
        "paraphrased_share": _percent(tasks["paraphrased_share"]),
        "temperature": f"{training['temperature']:.2f}",
        **{
            f"{name}_curve": _table(
                ("sequences", *map(_spaced, columns)), _curve_rows(curves[name], columns)
            )
            for name, columns in _CURVES.items()
        },
    }


_TWO_RUNS = (
    "\nThese weights come of two runs: the first phase ended with weights {hash}..., whose\n"
    "vocabulary lacked the words of the paraphrases; the second took them up. It was stopped and\n"
    "resumed while the tasks' shares and losses were being settled, and saw rationales that gave\n"
    "away a little more than the generator's do now.\n"
)


def _curve_rows(curve: Sequence[Figures], columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Some of the log's lines, evenly spread, the last one among them."""
    chosen = {round((number + 1) * len(curve) / _CURVE_ROWS) - 1 for number in range(_CURVE_ROWS)}
    return [
        (
            f"{curve[number]['sequences']:,}",
            *_percents(curve[number]["means"].get(name) for name in columns),
        )
        for number in sorted(chosen)
        if number >= 0
    ]


def _number(value: float | None, form: str = ".2f") -> str:
    """A figure, or nothing where there is none."""
    return "" if value is None else format(value, form)


def _percents(shares: Iterable[float | None]) -> list[str]:
    return [_percent(share) for share in shares]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, tuple("---" if place == 0 else "---:" for place in range(len(heads))), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
