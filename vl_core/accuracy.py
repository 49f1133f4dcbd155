"""How often the embedded model is right, as it was measured when it was made."""

import json
from functools import cache
from pathlib import Path

EVALUATION = Path(__file__).parents[1] / "models" / "embedded" / "evaluation.json"


@cache
def accuracy() -> float:
    """The share of right answers (0..1) on scenes that training never saw, mean over the types."""
    return float(json.loads(EVALUATION.read_text(encoding="utf-8"))["mean"]["model"])
