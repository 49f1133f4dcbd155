"""The model card, made from `evaluation.json` and `training.json`: no figure in it is typed.

`python -m training.card` writes it again.
"""

import json
from pathlib import Path
from typing import Any

EMBEDDED = Path(__file__).parents[1] / "models" / "embedded"
_COLUMNS = ("model", "question only", "blank picture", "chance")
_CURVE = ("all", "color", "size", "side", "exist", "relation_query", "count", "compare_size")
_CURVE_ROWS = 10


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
    recipe = training["recipe"]
    return _TEXT.format(
        n_questions=evaluation["questions_per_type"],
        first_seed=evaluation["seeds"][0],
        last_seed=evaluation["seeds"][1],
        accuracy=_table(("type of question", *_COLUMNS), _accuracy_rows(evaluation)),
        square=_percent(evaluation["square pictures"]),
        other=_percent(evaluation["other pictures"]),
        weak=_weak_types(evaluation),
        curve=_table(("sequences", *_CURVE), _curve_rows(training["curve"])),
        weights=evaluation["weights_sha256"],
        **{
            name: f"{value:,}" if isinstance(value, int) else value
            for name, value in recipe.items()
        },
    )


def _weak_types(evaluation: dict[str, Any]) -> str:
    """A line about the types that are not mastered; nothing where all of them are."""
    weak = [name for name, row in evaluation["types"].items() if row["model"] < 0.9]
    if not weak:
        return ""
    names = ", ".join(name.replace("_", " ") for name in weak)
    return (
        f"- **Not mastered (below 90 %)**: {names}. Attention on such questions shows a model\n"
        "  that partly guesses.\n"
    )


def _accuracy_rows(evaluation: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = evaluation["types"] | {"**mean**": evaluation["mean"]}
    return [
        (name.replace("_", " "), *(_percent(row[column]) for column in _COLUMNS))
        for name, row in rows.items()
    ]


def _curve_rows(curve: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Some of the log's lines, evenly spread, the last one among them."""
    chosen = {round((number + 1) * len(curve) / _CURVE_ROWS) - 1 for number in range(_CURVE_ROWS)}
    return [
        (
            f"{curve[number]['sequences']:,}",
            *(_percent(curve[number]["means"].get(name)) for name in _CURVE),
        )
        for number in sorted(chosen)
        if number >= 0
    ]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" if place == 0 else "---:" for place in range(len(heads))), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


_TEXT = """\
---
license: apache-2.0
pipeline_tag: visual-question-answering
---
<!-- Written by training/card.py from evaluation.json and training.json: change those instead. -->
# The embedded model

A small vision-language transformer that answers questions about generated scenes of colored shapes.
It is here so that there is always a model to look into: really trained, quick on a laptop, and
shipped with the project.

It is **KD-VLP-style, re-implemented from the published description** (Liu et al., "KD-VLP:
Improving End-to-End Vision-and-Language Pretraining with Object Knowledge Distillation", Findings
of NAACL 2022). It holds neither the authors' weights nor their code, and claims no parity with
their results.

## How it is built
A residual CNN (stride 16, four stages) turns the picture into a grid of at most 8 x 8 cells; a 1 x
1 convolution and a 2-D position code make them tokens; they follow the words in one sequence,
`[CLS] text [SEP] cells row by row`, through a transformer encoder of 6 layers with 8 heads of size
24 (width 192, pre-norm). 3.6 million parameters, float16 on disk. A picture keeps its aspect: its
longer side becomes 128 pixels, the shorter one a multiple of 16. The vocabulary has about two
hundred words; any other word is `[UNK]`.

## How often it is right
Accuracy in percent on {n_questions} questions of each type about scenes that training never saw
(seeds {first_seed} to {last_seed}; training draws from seeds below 10,000,000). "Question only" is
a trained classifier of the question's words, "blank picture" the same model shown a uniform gray,
"chance" a guess among the answers that the question leaves open. With {n_questions} questions a
figure's standard error is at most 2.3 points.

{accuracy}

Mean over the types on square pictures {square}, on others {other}.

## What it is not good for
- **Photographs, drawings, text in pictures, anything but its own scenes.** It answers any question
  about any picture with one of 31 words and cannot say that it does not know: expect nonsense. Its
  confidence is not calibrated.
{weak}- It knows scenes of two to six objects that do not overlap, on canvases from 2 : 1 to 1 : 2.
  Nothing is known beyond that; the processor lets narrower pictures pass, down to two cells.
- The figures are of one training run and of scenes drawn by the generator that drew the training
  scenes, with all combinations of shape and color: they say nothing about new combinations.
- The heads that score answer candidates (VCR) and sources (WebQA) exist and are **untrained**; so
  are positions beyond the longest training text (about 25 tokens) and the token types of candidates
  and rationales.
- Three of its objectives are taught with the generator's boxes and labels: phrase-region alignment,
  masked objects, and what a phrase knows of its object. That phrases find their objects in hidden
  states is therefore trained, not emergent. No attention map is supervised.

## How it was trained
`python -m training` (see `training/README.md`), seed {seed}:
1. {n_scenes} scenes of the generator, nine aspect ratios, just under half of them square;
2. the CNN alone on the label of each cell: {warmup_steps} steps of {warmup_pictures} pictures; then
   frozen;
3. encoder and heads together on {sequences} sequences: four questions and one caption per picture
   (answers; image-text matching; masked language modelling; object-guided masked vision modelling;
   phrase-region alignment at layer 4 and at the last; object labels distilled into phrases at layer
   4). Muon at {muon_rate} for the encoder's matrices, AdamW at {adam_rate} for the rest; constant,
   then falling to zero over the last {decay_share} of training; the first {easy_sequences}
   sequences ask the easy types only; {kept_cells} cells of each picture are kept until the last
   {full_share}, which sees all.

The run was stopped and resumed once. Bfloat16 on another machine will not give the same weights bit
by bit.

What the published description leaves open was decided here: the CNN, its freezing, the position
code, the losses' forms and weights, and the last objective, which is an addition.

### Accuracy while training
Running means over the last 300 fresh questions, in percent:

{curve}

Weights' SHA-256: `{weights}`
"""


if __name__ == "__main__":
    main()
