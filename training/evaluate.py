"""`python -m training.evaluate`: what the embedded model can do, and whether its attention is true.

Prints accuracy, what can be had without looking, and where attention falls, in a few minutes.
`--full` measures everything that the model card says, goes on where it was stopped, writes
`evaluation.json` into the model's folder and the card from it.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.card import write_card
from training.evaluation.ablation import ablation, keep_head_means
from training.evaluation.accuracy import accuracy
from training.evaluation.grounding import grounding, randomised
from training.evaluation.held_out import held_out
from training.evaluation.report import print_accuracy, print_grounding, print_part
from training.evaluation.robustness import robustness
from training.evaluation.speed import speed
from training.evaluation.subject import EMBEDDED, Subject
from training.evaluation.tasks import captions, multiple_choice, sources
from training.findings import FINDINGS, findings

Part = Callable[[], dict[str, Any] | list[Any]]


def main() -> None:
    """Read the command line, measure, print."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vl-interpret"
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, default=EMBEDDED, help="folder of the model")
    parser.add_argument("--full", action="store_true", help="everything, into evaluation.json")
    parser.add_argument(
        "--folder",
        type=Path,
        default=cache / "evaluation",
        help="where a full evaluation keeps the parts that are done",
    )
    parser.add_argument(
        "--held-out",
        type=Path,
        help="folder of the model that was trained with --without-pairs, to measure it as well",
    )
    chosen = parser.parse_args()
    subject = Subject(chosen.model)
    if chosen.full:
        full(subject, chosen.folder, chosen.held_out)
    else:
        quick(subject)


def quick(subject: Subject) -> None:
    """Accuracy, baselines and grounding on fewer questions, on the screen alone."""
    start = time.monotonic()
    print_accuracy(accuracy(subject, 1000))
    print_grounding(grounding(subject, 20))
    print(f"measured in {time.monotonic() - start:.0f} s")


def full(subject: Subject, folder: Path, other: Path | None) -> None:
    """All parts, each kept once it is done, then the file and the card."""
    kept = folder / subject.weights_hash[:16]
    kept.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {"weights_sha256": subject.weights_hash}
    for name, part in _parts(subject, figures).items():
        figures[name] = finished(kept / f"{name}.json", name, part)
    figures |= _experiment(subject, kept, other)
    path = subject.folder / "evaluation.json"
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    write_card(subject.folder)
    if subject.folder == EMBEDDED:
        FINDINGS.write_text(findings(EMBEDDED), encoding="utf-8")
    print(f"{path.name} and what is made from it are written.")


def _parts(subject: Subject, figures: dict[str, Any]) -> dict[str, Part]:
    """Each part by its name in the file; later ones may use the figures of earlier ones."""
    return {
        "accuracy": lambda: accuracy(subject, 5000),
        "speed": lambda: speed(subject),
        "multiple_choice": lambda: multiple_choice(subject, 1000),
        "sources": lambda: sources(subject, 500),
        "captions": lambda: captions(subject, 2000),
        "robustness": lambda: robustness(subject, 50),
        "grounding": lambda: grounding(subject, 60),
        "randomised": lambda: randomised(subject, 8),
        "ablation": lambda: ablation(
            subject, keep_head_means(subject, 25), 120, figures["grounding"]["heads"]
        ),
    }


def _experiment(subject: Subject, kept: Path, other: Path | None) -> dict[str, Any]:
    """The figures of the model that was trained without some pairs, or those that are there."""
    if other is None:
        return _earlier(subject.folder, "held_out")
    trained = Subject(other)
    path = kept / f"held_out-{trained.weights_hash[:16]}.json"
    return {"held_out": finished(path, "held_out", lambda: held_out(trained, subject, 60))}


def finished(path: Path, name: str, part: Part) -> Any:  # noqa: ANN401 - what a JSON file holds
    """The part's figures, measured now or before; a missing one is null."""
    if not path.exists():
        start = time.monotonic()
        measured = _without_nan(part())
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(measured, allow_nan=False), encoding="utf-8")
        partial.replace(path)
        print_part(name, measured, time.monotonic() - start)
    return json.loads(path.read_text(encoding="utf-8"))


def _without_nan(figures: Any) -> Any:  # noqa: ANN401 - what a JSON file holds
    """JSON knows no nan."""
    if isinstance(figures, dict):
        return {name: _without_nan(value) for name, value in figures.items()}
    if isinstance(figures, list):
        return [_without_nan(value) for value in figures]
    return None if isinstance(figures, float) and math.isnan(figures) else figures


def _earlier(folder: Path, name: str) -> dict[str, Any]:
    """A part that was not measured again, from the file that is there."""
    path = folder / "evaluation.json"
    there = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {name: there[name]} if name in there else {}


if __name__ == "__main__":
    main()
