"""The accuracy of answers that a model wrote to WebQA's questions, from the table of a trace."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vl_core.command import head_tables
from vl_core.counted import counted
from vl_core.errors import DatasetError

if TYPE_CHECKING:
    from vl_core.datasets.items import Dataset

_WRITTEN = ("answer", "text")  # kinds of predictions that are answers


def accuracy(data: "Dataset", path: Path) -> Iterator[str]:
    """Lines that say it, for the answer that was given with the first right source of a question.

    path: of predictions.parquet. Raises DatasetError if the set is not WebQA, if the table is of
    another set or damaged, or if it holds no answers.
    """
    from vl_core.datasets import webqa  # noqa: PLC0415 --help must not import what reads them

    if not isinstance(data, webqa.WebQA):
        raise DatasetError(f"{data.name} is no WebQA, which alone tells what an answer must say.")
    answers = _answers(path, data)
    said = [row["said"] for row in answers.values()]
    found = webqa.answer_figures([data[number] for number in answers], said)
    value = "none" if found.accuracy is None else f"{found.accuracy:.4f}"
    over = counted(found.n_scored, "question")
    yield f"answer accuracy: {value} (over {over}; {found.method})"
    for category, share in sorted(found.by_category.items()):
        yield f"  {category}: {share:.4f}"
    yield f"fluency: {found.fluency}"
    yield (
        f"{len(answers)} of {counted(len(data), 'question')} answered, {found.n_without} of them "
        "without key words to be held against"
    )
    yield from cut_off(sum(bool(row.get("is_cut_off")) for row in answers.values()))


def cut_off(count: int) -> Iterator[str]:
    """A line that says that so many answers were cut off; none where there is none."""
    if count:
        yield (
            f"{counted(count, 'answer')} cut off, as no more tokens were allowed; --longest-answer "
            "allows more"
        )


def _answers(path: Path, data: "Dataset") -> dict[int, Mapping[str, Any]]:
    """The rows of the answers that count, by the number of the question."""
    from vl_core.datasets.fingerprints import differing, identity  # noqa: PLC0415 as above

    found = head_tables.part(path) if path.is_file() else None
    if found is None:
        raise DatasetError(f"{path} is no table that can be read. Give a predictions.parquet.")
    table, made_of = found
    wanted = identity(data)
    other = differing({name: made_of.get(name) for name in wanted}, wanted)
    if other:
        raise DatasetError(
            f"{path.name} is of another set than {data.name}: it differs in {', '.join(other)}."
        )
    answers: dict[int, Mapping[str, Any]] = {}
    for row in table.to_pylist():
        if _is_answer(row):
            answers.setdefault(row["number"], row)
    if not answers:
        raise DatasetError(
            f"{path.name} holds no answer that was given with a right source. Trace a model that "
            "writes answers, on a split that tells what is right."
        )
    return answers


def _is_answer(row: Mapping[str, Any]) -> bool:
    return bool(row.get("is_right")) and row.get("kind") in _WRITTEN and bool(row.get("said"))
