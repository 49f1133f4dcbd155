"""Let a model choose among candidates or sources, or answer, and count how often it is right.

examples:
  python -m vl_core score vcr1/val.jsonl --limit 500
  python -m vl_core score photos/metadata.jsonl --model Qwen/Qwen2-VL-2B-Instruct
  python -m vl_core score webqa --to webqa-scores.jsonl --threshold -1.2
  python -m vl_core score vcr1/test.jsonl --to test.jsonl --submission submission.csv
  python -m vl_core score webqa --split test --threshold -1.2 --submission sources.json
  python -m vl_core score webqa --answers webqa-traces/predictions.parquet

A question without candidates is asked where the set tells its answer, and the two are compared word
for word. With --to, scores and answers go into a file, a line for each question; run again, the
same command goes on where it was stopped. With --answers no model is run: what `trace` wrote of a
model that generates is held against WebQA's key words.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vl_core.command import answering, arguments, data_choice, model_choice, progress
from vl_core.counted import counted
from vl_core.errors import VLError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vl_core.command.judging import Judging
    from vl_core.datasets.items import Dataset
    from vl_core.datasets.scored import Answered, Scored
    from vl_core.model import Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A data set, a model, and where scores and submission go."""
    parser.add_argument("data", type=Path, help="a data set that tells what is right")
    data_choice.add_arguments(parser)
    model_choice.add_arguments(parser)
    parser.add_argument("--limit", type=arguments.positive, help="at most so many items")
    parser.add_argument("--to", type=Path, help="a .jsonl file for scores and answers")
    parser.add_argument(
        "--threshold",
        type=arguments.finite,
        help="above which a source is chosen (default: the best on these very questions)",
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
    data = _opened(chosen)
    if chosen.to is not None:
        arguments.check_file(chosen.to, "scores.jsonl")
    done, judging = _judged(data, model_choice.loaded(chosen), chosen)
    figures = list(_figures(data, done, chosen.threshold))
    for line in (*(figures or [_why_none(judging)]), *_counts(done, judging)):
        sys.stdout.write(line + "\n")
    _say_why(judging)
    if chosen.submission is not None:
        from vl_core.datasets import submitting  # noqa: PLC0415 --help must not import it

        submitting.submit(data, _split(done)[0], chosen.submission, chosen.threshold)
        progress.done(f"written to {chosen.submission}")


def _opened(chosen: argparse.Namespace) -> "Dataset":
    """The set; raises VLError for one that cannot be scored, or not be submitted as is wanted."""
    from vl_core.datasets import HoldsTraces, submitting  # noqa: PLC0415 --help must not import it

    if chosen.submission is not None and chosen.limit is not None:
        raise VLError("--limit came with --submission, and servers want the whole split.")
    data = data_choice.opened(chosen, chosen.data)
    if isinstance(data, HoldsTraces):
        raise VLError(
            f"{data.name} holds what a model of its own did, and no other is run on it. `trace` "
            "writes what is told of its answers into a table."
        )
    if chosen.submission is not None:
        submitting.check_submission(data, chosen.threshold)
        arguments.check_file(chosen.submission, "submission.csv or .json")
    return data


def _judged(
    data: "Dataset", model: "Model", chosen: argparse.Namespace
) -> "tuple[list[Scored | Answered], Judging]":
    """All scores and answers, those of before first, and what was passed over to make the others.

    Each is written as soon as it is made, if a file is wanted.
    """
    from vl_core.command.judging import Judging  # noqa: PLC0415 as above
    from vl_core.datasets.score_file import ScoreFile  # noqa: PLC0415 as above

    file = None if chosen.to is None else ScoreFile(chosen.to, _made_by(data, model))
    done, judging = file.read() if file else [], Judging(data, model)
    wanted = range(len(data) if chosen.limit is None else min(chosen.limit, len(data)))
    for one in judging.of(wanted, {(one.number, one.place) for one in done}):
        done.append(one)
        if file:
            file.append(one)
    if not done:
        judging.check_answering()
    return done, judging


def _split(done: "Sequence[Scored | Answered]") -> "tuple[list[Scored], list[Answered]]":
    """Scores of options, and answers."""
    from vl_core.datasets.scored import Scored  # noqa: PLC0415 as above

    scored = [one for one in done if isinstance(one, Scored)]
    return scored, [one for one in done if not isinstance(one, Scored)]


def _check_answers(chosen: argparse.Namespace) -> None:
    """Raise VLError for options that would do nothing."""
    names = ("limit", "to", "threshold", "submission")
    given = {f"--{name}": getattr(chosen, name) is not None for name in names}
    arguments.refuse(given | model_choice.given(chosen), "with --answers, which runs no model")


def _figures(
    data: "Dataset", done: "Sequence[Scored | Answered]", threshold: float | None
) -> "Iterator[str]":
    """Each figure in a line, with over how many questions it is; nothing without any."""
    from vl_core.datasets import scored  # noqa: PLC0415 as above

    of_scores, answered = _split(done)
    found = scored.figures(data.kind, of_scores, threshold) + scored.of_answers(answered)
    counts = scored.counts(data.kind, of_scores) | {scored.ANSWERS: (len(answered), 0)}
    for name, value in found:
        yield f"{name}: {value:.4f}{_over(counts.get(name))}"
    if answered:
        yield (
            "Answers are compared word for word, without upper case, punctuation and articles: "
            "another word of the same meaning counts as wrong."
        )
    if found and data.kind == "WebQA" and threshold is None:
        yield (
            "The threshold is the best that there is on these very questions, which flatters: "
            "choose it on others, and give it with --threshold."
        )


def _why_none(judging: "Judging") -> str:
    """Why there is no figure."""
    if judging.is_told is False:
        return "The set does not tell what is right, so there is no figure."
    return "No question whose right answer is told could be judged, so there is no figure."


def _counts(done: "Sequence[Scored | Answered]", judging: "Judging") -> "Iterator[str]":
    """How much was done, and how much not."""
    scored, answered = _split(done)
    also = f", {len(answered)} answered" if answered else ""
    unread = counted(len(judging.skipped), "item or option", "items or options")
    yield f"{counted(len(scored), 'question')} scored{also}, {unread} could not be read"
    yield from answering.cut_off(sum(one.is_cut_off for one in answered))
    if judging.n_single:
        yield f"{judging.n_single} not asked: one option only, and nothing to choose"
    if judging.n_untold:
        yield f"{judging.n_untold} not asked: without candidates, and no answer of the set's own"
    if judging.unanswered:
        yield f"{len(judging.unanswered)} not answered: without candidates. {judging.refusal}"


def _say_why(judging: "Judging") -> None:
    """What was passed over, by the first of it."""
    reasons = [f"{one.name}: {one.reason}" for one in judging.skipped]
    for line in (
        *progress.listed(reasons, "could not be read"),
        *progress.listed(judging.left_out, progress.left_out(len(judging.left_out))),
    ):
        progress.done(line)


def _over(count: "tuple[int, int] | None") -> str:
    if count is None:
        return ""
    n_over, n_left_out = count
    rest = f", {n_left_out} left out: a right option there has no score" if n_left_out else ""
    return f" (over {counted(n_over, 'question')}{rest})"


def _made_by(data: "Dataset", model: "Model") -> "dict[str, Any]":
    from vl_core.datasets.fingerprints import identity  # noqa: PLC0415 as above

    made_by = model.provenance
    return identity(data) | {
        "model": made_by.model_id,
        "weights": made_by.weights_hash,
        "dtype": made_by.dtype,
        "max_answer_tokens": made_by.preprocessing.get("max_answer_tokens"),
    }
