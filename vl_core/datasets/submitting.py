"""From a model's scores of a whole split to the file that the task's server takes."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from vl_core.counted import counted
from vl_core.datasets import reading, vcr, webqa
from vl_core.datasets.items import Dataset
from vl_core.datasets.scored import Scored
from vl_core.errors import DatasetError


def check_submission(data: Dataset, threshold: float | None = None) -> None:
    """Raise DatasetError if no server takes scores of this set.

    It must be VCR's test split, or WebQA with a threshold.
    """
    if data.kind not in ("VCR", "WebQA"):
        raise DatasetError(
            f"There is no submission file of scores for a set of the kind {data.kind}."
        )
    if data.kind == "WebQA" and threshold is None:
        raise DatasetError(
            "A submission chooses the sources above a threshold, and none came. Find it with "
            "`score` on the validation split, and give it with --threshold."
        )
    if data.kind == "VCR":
        for item in islice(reading.items(data, []), 1):
            _check_hidden(data, item.asked[0].right)


def _check_hidden(data: Dataset, right: frozenset[int] | None) -> None:
    """With labels, rationales are asked given the right answer alone; the server wants all."""
    if right is not None:
        raise DatasetError(
            f"{data.name} tells what is right, and a submission is of the split that does not. "
            "Score the whole test split."
        )


def submit(
    data: Dataset, scored: Sequence[Scored], path: Path, threshold: float | None = None
) -> None:
    """Write the file that the task's server takes.

    threshold: above which a source of WebQA is chosen; its answers are left empty, as scores give
    none. Raises DatasetError as `check_submission` does, and where any item of the set is not
    scored: servers want all.
    """
    check_submission(data, threshold)
    if isinstance(data, webqa.WebQA) and threshold is not None:
        _submit_sources(data, scored, path, threshold)
    else:
        _submit_choices(data, scored, path)


def _submit_sources(
    data: webqa.WebQA, scored: Sequence[Scored], path: Path, threshold: float
) -> None:
    chosen = {one.number: one.chosen(threshold) for one in scored}
    _check_all({*chosen}, data)
    told = [webqa.Submitted(chosen[number]) for number in range(len(data))]
    webqa.write_submission(path, data, told)


def _submit_choices(data: Dataset, scored: Sequence[Scored], path: Path) -> None:
    """Answers, and rationales given each of them."""
    items: dict[int, dict[int, Scored]] = {}
    for one in scored:
        items.setdefault(one.number, {})[one.place] = one
    wanted = range(5)  # the answers, then the rationales given each of the four
    _check_all({number for number, own in items.items() if own.keys() >= {*wanted}}, data)
    scores = np.array(
        [[items[number][place].scores for place in wanted] for number in range(len(data))]
    )
    names = [items[number][0].item for number in range(len(data))]
    vcr.write_submission(path, names, scores[:, 0], scores[:, 1:])


def _check_all(numbers: set[int], data: Dataset) -> None:
    lacking = [number for number in range(len(data)) if number not in numbers]
    if lacking:
        verb = "has" if len(lacking) == 1 else "have"
        raise DatasetError(
            f"{len(lacking)} of {counted(len(data), 'question')} {verb} no score, the first of "
            f"them item {lacking[0]}, and the server wants all. See to what could not be read, and "
            "score the whole split."
        )
