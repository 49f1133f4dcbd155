"""What was measured of the embedded model: how often it is right, and what each head is worth.

`evaluation.json` lies beside the weights and names them by their hash. What was found of other
weights, or not at all, is None.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vl_core.arrays import HeadMap

MODELS = Path(__file__).parents[1] / "models"
EMBEDDED = MODELS / "embedded"
EVALUATION = "evaluation.json"
WEIGHTS = "model.safetensors"
# Beside the folder, not in it: every file of weights in it counts as part of the checkpoint.
HEAD_MEANS = MODELS / "embedded_head_means.safetensors"


@dataclass(frozen=True, eq=False)
class AblationFinding:
    """How much the share of right answers changes when one head is taken out.

    accuracy: of the whole model, 0..1, on `n_questions` questions of one type. change: the
    accuracy with the head replaced by its mean, minus that; layer x head. low, high: the ends of
    its 95 % bootstrap interval.
    """

    accuracy: float
    change: HeadMap
    low: HeadMap
    high: HeadMap
    n_questions: int


def accuracy() -> float | None:
    """The share of right answers (0..1) on scenes that training never saw, mean over the types.

    None where it was not measured, or of other weights.
    """
    measured = _measured(EMBEDDED).get("accuracy")
    return float(measured["mean"]["model"]) if measured else None


def ablation(question_type: str) -> AblationFinding | None:
    """What was found on questions of this type; None where nothing was, or of other weights."""
    return _ablations(EMBEDDED).get(question_type)


@cache
def _ablations(folder: Path) -> Mapping[str, AblationFinding]:
    # The file holds more than this, each part of which may be measured before the others.
    measured = _measured(folder).get("ablation", {"questions_per_type": 0, "types": {}})
    return {
        name: _finding(row, measured["questions_per_type"])
        for name, row in measured["types"].items()
    }


@cache
def _measured(folder: Path) -> Mapping[str, Any]:
    """What the file says of the weights beside it; empty without a file or of other weights."""
    file = folder / EVALUATION
    if not file.is_file():
        return {}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    is_own = found["weights_sha256"] == hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    return found if is_own else {}


def _finding(row: Mapping[str, Any], n_questions: int) -> AblationFinding:
    maps = {name: np.array(row[name], float) for name in ("change", "low", "high")}
    for values in maps.values():
        values.flags.writeable = False  # every visitor shares them
    return AblationFinding(accuracy=float(row["accuracy"]), n_questions=n_questions, **maps)
