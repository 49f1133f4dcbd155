"""Let a model choose among candidates or sources, and count how often it is right.

examples:
  python -m vl_core score vcr1/val.jsonl --limit 500
  python -m vl_core score webqa --to webqa-scores.jsonl --threshold -1.2
  python -m vl_core score vcr1/test.jsonl --to test.jsonl --submission submission.csv
  python -m vl_core score webqa --split test --threshold -1.2 --submission sources.json
  python -m vl_core score webqa --answers webqa-traces/predictions.parquet

With --to, the scores go into a file, a line for each question; run again, the same command goes on
where it was stopped. With --answers no model is run: what `trace` wrote of a model that generates
is held against WebQA's key words.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vl_core.command import answering, arguments, data_choice, model_choice, progress
from vl_core.errors import DatasetError, VLError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vl_core.datasets.items import Dataset
    from vl_core.datasets.reading import Skipped
    from vl_core.datasets.scored import Scored
    from vl_core.model import Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A data set, a model, and where scores and submission go."""
    parser.add_argument("data", type=Path, help="a data set with candidates or sources")
    data_choice.add_arguments(parser)
    model_choice.add_arguments(parser)
    parser.add_argument("--limit", type=arguments.positive, help="at most so many items")
    parser.add_argument("--to", type=Path, help="a .jsonl file for the scores")
    parser.add_argument(
        "--threshold",
        type=arguments.finite,
        help="above which a source is chosen (default: the best of 70 on these very questions)",
    )
    parser.add_argument("--submission", type=Path, help="a file for the task's server")
    parser.add_argument(
        "--answers",
        type=Path,
        metavar="TABLE",
        help="predictions.parquet of a trace of WebQA: the accuracy of these answers",
    )


def run(chosen: argparse.Namespace) -> None:
    """Score what is not scored yet, then say the figures."""
    if chosen.answers is not None:
        _check_answers(chosen)
        lines = answering.accuracy(data_choice.opened(chosen, chosen.data), chosen.answers)
        sys.stdout.write("\n".join(lines) + "\n")
        return
    from vl_core.datasets import scored, submitting  # noqa: PLC0415 --help must not import those

    if chosen.submission is not None and chosen.limit is not None:
        raise VLError("--limit came with --submission, and servers want the whole split.")
    data = data_choice.opened(chosen, chosen.data)
    if chosen.submission is not None:
        submitting.check_submission(data, chosen.threshold)
        arguments.check_file(chosen.submission, "submission.csv or .json")
    if chosen.to is not None:
        arguments.check_file(chosen.to, "scores.jsonl")
    model = model_choice.loaded(chosen)
    file = None if chosen.to is None else scored.ScoreFile(chosen.to, _made_by(data, model))
    skipped: list[Skipped] = []
    done = file.read() if file else []
    for one in _new(data, done, model, chosen.limit, skipped):
        done.append(one)
        if file:
            file.append(one)
    for line in _figures(data, done, chosen.threshold):
        sys.stdout.write(line + "\n")
    sys.stdout.write(
        f"{len(done)} questions scored, {len(skipped)} of their parts could not be read\n"
    )
    if chosen.submission is not None:
        submitting.submit(data, done, chosen.submission, chosen.threshold)
        progress.done(f"written to {chosen.submission}")


def _check_answers(chosen: argparse.Namespace) -> None:
    """Raise VLError for options that would do nothing."""
    names = ("limit", "to", "threshold", "submission")
    given = {f"--{name}": getattr(chosen, name) is not None for name in names}
    arguments.refuse(given | model_choice.given(chosen), "with --answers, which runs no model")


def _figures(data: "Dataset", done: "Sequence[Scored]", threshold: float | None) -> "Iterator[str]":
    """Each figure in a line, with over how many questions it is."""
    from vl_core.datasets import scored, webqa  # noqa: PLC0415 as above

    found = scored.figures(data.kind, done, threshold)
    if not found:
        yield "The set does not tell what is right, so there is no figure."
    counts = scored.counts(data.kind, done)
    for name, value in found:
        yield f"{name}: {value:.4f}{_over(counts.get(name))}"
    if found and data.kind == "WebQA" and threshold is None:
        yield (
            f"The threshold is the best of {webqa.TRIED} that were tried on these very questions, "
            "which flatters: choose it on others, and give it with --threshold."
        )


def _over(count: "tuple[int, int] | None") -> str:
    if count is None:
        return ""
    counted, left_out = count
    rest = f", {left_out} left out: a right option there has no score" if left_out else ""
    noun = "question" if counted == 1 else "questions"
    return f" (over {counted} {noun}{rest})"


def _made_by(data: "Dataset", model: "Model") -> "dict[str, Any]":
    from vl_core.datasets.fingerprints import identity  # noqa: PLC0415 as above

    made_by = model.provenance
    return identity(data) | {
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
