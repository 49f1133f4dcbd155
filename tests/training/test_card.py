"""The card and the page of findings over figures that are partly missing."""

import json
import shutil

from training.card import EMBEDDED, card
from training.findings import findings


def emptied(figures):
    """The same structure with every measured share missing."""
    if isinstance(figures, dict):
        return {
            name: value
            if name in {"questions", "layer", "head", "layers", "items", "questions_per_type"}
            else emptied(value)
            for name, value in figures.items()
        }
    if isinstance(figures, list):
        return [emptied(value) for value in figures]
    return None if isinstance(figures, float) else figures


def test_missing_figures_leave_empty_cells(tmp_path):
    """A statistic that no head has, or a part without a value, is no reason to fail."""
    for name in ("evaluation.json", "training.json"):
        shutil.copy(EMBEDDED / name, tmp_path)
    path = tmp_path / "evaluation.json"
    figures = json.loads(path.read_text(encoding="utf-8"))
    for part in ("multiple_choice", "sources", "captions", "robustness", "grounding"):
        kept = figures[part].get("heads")
        figures[part] = emptied(figures[part])
        if kept:
            figures[part]["heads"] = kept
    figures["ablation"]["agreement"] = emptied(figures["ablation"]["agreement"])
    figures["ablation"]["agreement by type"] = emptied(figures["ablation"]["agreement by type"])
    path.write_text(json.dumps(figures), encoding="utf-8")

    assert "| --- |" in card(tmp_path)


def test_the_page_of_findings_names_heads_from_one(tmp_path):
    """As on screen, and never a layer or head 0."""
    text = findings(EMBEDDED)

    assert "layer 0" not in text
    assert "head 0" not in text
    assert "layer 1" in text
