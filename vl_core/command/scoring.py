"""Let a model choose among candidates or sources, and count how often it is right.

examples:
  python -m vl_core score vcr1/val.jsonl --limit 500
  python -m vl_core score webqa --to webqa-scores.jsonl --threshold -1.2
  python -m vl_core score vcr1/test.jsonl --to test.jsonl --submission submission.csv
  python -m vl_core score webqa --split test --threshold -1.2 --submission sources.json

With --to, the scores go into a file, a line for each question; run again, the same command goes on
where it was stopped.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vl_core.command import data_choice, model_choice, progress
from vl_core.errors import DatasetError, VLError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vl_core.datasets.items import Dataset
    from vl_core.datasets.reading import Skipped
    from vl_core.datasets.scored import Scored
    from vl_core.model import Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A data set, a model, and where scores and submission go."""
    parser.add_argument("data", type=Path, help="a data set with candidates or sources")
    data_choice.add_arguments(parser)
    model_choice.add_arguments(parser)
    parser.add_argument("--limit", type=int, help="at most so many items")
    parser.add_argument("--to", type=Path, help="a .jsonl file for the scores")
    parser.add_argument(
        "--threshold",
        type=float,
        help="above which a source is chosen (default: the best on these very questions)",
    )
    parser.add_argument("--submission", type=Path, help="a file for the task's server")


def run(chosen: argparse.Namespace) -> None:
    """Score what is not scored yet, then say the figures."""
    from vl_core.datasets import scored  # noqa: PLC0415 --help must not import what reads them

    data = data_choice.opened(chosen, chosen.data)
    if chosen.submission is not None:
        scored.check_submission(data, chosen.threshold)
    model = model_choice.loaded(chosen)
    file = None if chosen.to is None else scored.ScoreFile(chosen.to, _made_by(data, model))
    skipped: list[Skipped] = []
    done = file.read() if file else []
    for one in _new(data, done, model, chosen.limit, skipped):
        done.append(one)
        if file:
            file.append(one)
    figures = scored.figures(data.kind, done, chosen.threshold)
    lines = [f"{name}: {value:.4f}" for name, value in figures]
    lines += [] if figures else ["The set does not tell what is right, so there is no figure."]
    lines += [f"{len(done)} questions scored, {len(skipped)} of their parts could not be read"]
    sys.stdout.write("\n".join(lines) + "\n")
    if chosen.submission is not None:
        scored.submit(data, done, chosen.submission, chosen.threshold)
        progress.done(f"written to {chosen.submission}")


def _made_by(data: "Dataset", model: "Model") -> dict[str, str | int]:
    made_by = model.provenance
    return {
        "data": data.name,
        "items": len(data),
        "model": made_by.model_id,
        "weights": made_by.weights_hash,
        "dtype": made_by.dtype,
    }


def _new(
    data: "Dataset",
    done: "list[Scored]",
    model: "Model",
    limit: int | None,
    skipped: "list[Skipped]",
) -> "Iterator[Scored]":
    """The scores of every question that has none yet; raises VLError if there is none to choose."""
    from vl_core.datasets import reading, scored  # noqa: PLC0415 as above

    known = {(one.number, one.place) for one in done}
    wanted = range(len(data) if limit is None else min(limit, len(data)))
    for number in progress.counted(wanted, "Item"):
        try:
            item = data[number]
        except DatasetError as error:
            skipped.append(reading.Skipped(f"item {number}", str(error)))
            continue
        for place, asked in enumerate(item.asked):
            if len(asked.options) < 2:
                raise VLError(
                    f"{data.name} has neither candidates nor sources to choose from; a trace says "
                    "what a model answers."
                )
            if (number, place) not in known:
                found = reading.scores(asked, model.score, skipped)
                yield scored.Scored.of(number, item, place, found)
