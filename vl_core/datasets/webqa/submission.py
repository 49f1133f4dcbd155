"""The file that WebQA's server scores: for each question its sources and an answer."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vl_core.counted import counted
from vl_core.datasets.webqa.data_set import WebQA
from vl_core.datasets.whole_files import whole_file
from vl_core.errors import DatasetError


@dataclass(frozen=True)
class Submitted:
    """What is said to one question: the places of its sources among the options, and the answer."""

    places: tuple[int, ...] = ()
    answer: str = ""


def write_submission(path: Path, data: WebQA, submitted: Sequence[Submitted]) -> None:
    """Write a submission for all questions of the data set, in their order.

    Pictures are named by number and texts by name, as the server compares them. A question without
    sources counts as one with none found. The file appears whole, in the place of an older one.
    Raises DatasetError if not every question is answered.
    """
    if len(submitted) != len(data):
        raise DatasetError(
            f"{counted(len(submitted), 'answer')} came for the {counted(len(data), 'question')} of "
            f"{data.name}. Give one for each, empty where there is none."
        )
    told = {
        guid: {"sources": _numbers(data, number, own.places), "answer": own.answer}
        for number, (guid, own) in enumerate(zip(data.guids, submitted, strict=True))
    }
    with whole_file(path) as file:
        file.write(json.dumps(told).encode())


def _numbers(data: WebQA, number: int, places: tuple[int, ...]) -> list[int | str]:
    """A question that is damaged can have no sources, and is not read."""
    if not places:
        return []
    sources = data.question(number).sources
    return [sources[place].number for place in places]
