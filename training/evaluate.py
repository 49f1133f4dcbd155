"""`python -m training.evaluate`: how often the embedded model is right on unseen scenes.

By type of question. Beside it stand what the question's words alone give, what the model says to a
blank picture, and chance. The figures go to `evaluation.json` in the model's folder and from there
into its card.
"""

import argparse
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from PIL import Image

from training.baselines import guesses, trained_question_only
from training.card import write_card
from training.questions import CHOICES, Asked, question_set
from vl_core.datasets.scenes import QUESTION_TYPES, UNSEEN_SEEDS
from vl_core.families.kdvlp import KDVLPForTasks, KDVLPProcessor

EMBEDDED = Path(__file__).parents[1] / "models" / "embedded"
SUBSET_PER_TYPE = 20  # what the tests ask again
_BATCH = 32
_GRAY = (166, 166, 166)  # the processor's mean


def main() -> None:
    """Read the command line, measure, write, print."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument(
        "--model", type=Path, default=EMBEDDED, help="folder of the model; gets the figures"
    )
    parser.add_argument("--per-type", type=int, default=500, help="questions of each type")
    chosen = parser.parse_args()
    figures = evaluation(chosen.model, chosen.per_type)
    path = chosen.model / "evaluation.json"
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    write_card(chosen.model)
    for name, row in figures["types"].items():
        print(name.ljust(16), *(f"{column} {value:.3f}  " for column, value in row.items()))
    print(
        "mean".ljust(16), *(f"{column} {value:.3f}  " for column, value in figures["mean"].items())
    )


def evaluation(folder: Path, per_type: int, n_training_questions: int = 60_000) -> dict[str, Any]:
    """All figures of a model, as they stand in `evaluation.json`."""
    model = KDVLPForTasks.from_pretrained(folder, dtype=torch.float32).eval()
    processor = KDVLPProcessor.from_pretrained(folder)
    asked = question_set(UNSEEN_SEEDS, per_type)
    answered = answers(model, processor, asked)
    columns = {
        "model": answered,
        "question only": guesses(trained_question_only(n_training_questions), asked),
        "blank picture": answers(model, processor, asked, picture=_blank),
    }
    types = {
        name: {column: accuracy(asked, given, name) for column, given in columns.items()}
        | {"chance": 1 / choices}
        for name, choices in CHOICES.items()
    }
    return {
        "weights_sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        "questions_per_type": per_type,
        "seeds": [asked[0].seed, asked[-1].seed],
        "types": types,
        "mean": {
            column: fmean(row[column] for row in types.values())
            for column in next(iter(types.values()))
        },
        "square pictures": _mean_accuracy(
            asked, answered, lambda one: one.scene.width == one.scene.height
        ),
        "other pictures": _mean_accuracy(
            asked, answered, lambda one: one.scene.width != one.scene.height
        ),
        "subset": {"per_type": SUBSET_PER_TYPE, "model": subset_accuracy(model, processor)},
    }


def subset_accuracy(model: KDVLPForTasks, processor: KDVLPProcessor) -> float:
    """Mean over the types on a few questions: quick enough for the tests."""
    asked = question_set(UNSEEN_SEEDS, SUBSET_PER_TYPE)
    return _mean_accuracy(asked, answers(model, processor, asked), lambda _: True)


@torch.inference_mode()
def answers(
    model: KDVLPForTasks,
    processor: KDVLPProcessor,
    asked: list[Asked],
    picture: Callable[[Asked], Image.Image] = lambda one: one.scene.render(),
) -> list[str]:
    """The model's answer to each question; `picture` says what it is shown."""
    given = []
    for start in range(0, len(asked), _BATCH):
        batch = asked[start : start + _BATCH]
        inputs = processor(
            images=[picture(one) for one in batch],
            text=[one.question.text for one in batch],
            padding=True,
            return_tensors="pt",
        )
        given += model(**inputs).answer_logits.argmax(-1).tolist()
    return [model.config.id2label[index] for index in given]


def accuracy(asked: list[Asked], given: list[str], question_type: str) -> float:
    """Share of right answers among the questions of a type."""
    return fmean(
        answer == one.question.answer
        for one, answer in zip(asked, given, strict=True)
        if one.question.type == question_type
    )


def _mean_accuracy(asked: list[Asked], given: list[str], chosen: Callable[[Asked], bool]) -> float:
    """Mean over the types of the accuracy on the questions that are chosen."""
    pairs = [(one, answer) for one, answer in zip(asked, given, strict=True) if chosen(one)]
    some, their_answers = [one for one, _ in pairs], [answer for _, answer in pairs]
    return fmean(accuracy(some, their_answers, name) for name in QUESTION_TYPES)


def _blank(asked: Asked) -> Image.Image:
    return Image.new("RGB", (asked.scene.width, asked.scene.height), _GRAY)


if __name__ == "__main__":
    main()
