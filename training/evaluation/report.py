"""Figures on the screen."""

from collections.abc import Mapping, Sequence
from typing import Any

_COLUMNS = ("model", "question only", "blank picture", "chance")
_MEASURES = ("pointing", "energy", "AUC")


def print_accuracy(figures: Mapping[str, Any]) -> None:
    """By type of question, beside what can be had without looking."""
    print(f"Accuracy on {figures['questions']} questions about {figures['scenes']} unseen scenes")
    rows = figures["types"] | {"mean": figures["mean"]}
    _print_table(
        _COLUMNS, {name: [row[column] for column in _COLUMNS] for name, row in rows.items()}
    )
    error = figures["calibration"]["expected calibration error"]
    print(f"Expected calibration error {error:.4f}\n")


def print_grounding(figures: Mapping[str, Any]) -> None:
    """Each map's measures, all types together, then pointing by type."""
    mean = {name: row for name, row in figures["mean"].items() if isinstance(row, dict)}
    print(f"Attention on the asked object, {figures['mean']['questions']} questions")
    _print_table(
        _MEASURES, {name: [row[measure] for measure in _MEASURES] for name, row in mean.items()}
    )
    print("Pointing, by type")
    _print_table(
        tuple(mean),
        {
            name: [row[which]["pointing"] for which in mean]
            for name, row in figures["types"].items()
            if row["questions"]
        },
    )


def print_part(name: str, figures: object, seconds: float) -> None:
    """That a part is done, and its leading figures."""
    print(f"{name}: {seconds:.0f} s", flush=True)
    for path, value in list(_numbers(figures))[:24]:
        print(f"    {path}: {value:.4g}", flush=True)


def _numbers(figures: object, path: str = "") -> list[tuple[str, float]]:
    if isinstance(figures, bool) or figures is None:
        return []
    if isinstance(figures, int | float):
        return [(path, float(figures))]
    if isinstance(figures, Mapping):
        return [
            number
            for key, value in figures.items()
            for number in _numbers(value, f"{path} / {key}".strip(" /"))
        ]
    return []


def _print_table(heads: Sequence[str], rows: Mapping[str, Sequence[float]]) -> None:
    first = max(len(name) for name in rows) + 2
    widths = [max(len(head), 6) + 2 for head in heads]
    print(" " * first + "".join(h.rjust(w) for h, w in zip(heads, widths, strict=True)))
    for name, values in rows.items():
        cells = (f"{value:.3f}".rjust(w) for value, w in zip(values, widths, strict=True))
        print(name.replace("_", " ").ljust(first) + "".join(cells))
    print(flush=True)
