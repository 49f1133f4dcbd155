"""What a model made of a set, in one file, line by line, so that a run that was stopped goes on."""

import json
import math
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vl_core.datasets.fingerprints import differing
from vl_core.datasets.scored import Answered, Scored
from vl_core.errors import DatasetError


class ScoreFile:
    """Scores and answers as lines of JSON; the first says what they are of, and of nothing else.

    made_by: the data set and the model, as plain values. Raises DatasetError for a file with
    scores of another set or model, or with none.
    """

    def __init__(self, path: Path, made_by: dict[str, Any]) -> None:
        self._path = path
        if not path.exists():
            path.write_text(json.dumps(made_by) + "\n", encoding="utf-8")
            return
        found = differing(self._made_by(), json.loads(json.dumps(made_by)))
        if found:
            raise DatasetError(
                f"{path.name} holds something else than scores of this set by this model: it "
                f"differs in {', '.join(found)}. Name another file."
            )

    def read(self) -> list[Scored | Answered]:
        """What was added so far; a line that was cut short is as if it were not there."""
        found = []
        for line in self._lines()[1:]:
            with suppress(ValueError, TypeError, KeyError):
                found.append(_told(json.loads(line)))
        return found

    def append(self, one: Scored | Answered) -> None:
        """Add a line; one before it that was cut short is ended first, and keeps to itself."""
        line = json.dumps(_plain(one)).encode() + b"\n"
        with self._path.open("a+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(line if file.read() == b"\n" else b"\n" + line)

    def _made_by(self) -> object:
        """What the first line says; None if it is none of ours."""
        try:
            return json.loads(self._lines()[0])
        except (ValueError, IndexError, RecursionError):
            return None

    def _lines(self) -> list[str]:
        # A half of a character, where a line was cut short, is no reason to refuse the others.
        return self._path.read_text(encoding="utf-8", errors="replace").splitlines()


def _plain(one: Scored | Answered) -> dict[str, Any]:
    """As JSON has it, which knows no nan."""
    told = asdict(one)
    if isinstance(one, Scored):
        told["scores"] = [None if math.isnan(score) else score for score in one.scores]
    return told


def _told(line: dict[str, Any]) -> Scored | Answered:
    if "said" in line:
        return Answered(**line)
    scores = tuple(math.nan if one is None else float(one) for one in line["scores"])
    right = None if line["right"] is None else tuple(line["right"])
    return Scored(**line | {"scores": scores, "right": right})
