"""Tracing many examples of a data set into a folder; what is done already is not done again.

FOLDER/run.json                  which model and which set: another one is refused
FOLDER/parts/*.parquet           one table for each example, written last: it is done
FOLDER/traces/*.safetensors      unless only statistics are wanted
FOLDER/head_statistics.parquet   all parts as one, made at the end
FOLDER/predictions.parquet       what the model said to each example
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vl_core.command import head_tables, progress
from vl_core.datasets.items import Asked, Dataset, Item
from vl_core.datasets.whole_files import whole_file
from vl_core.errors import DatasetError, VLError
from vl_core.trace import Prediction

if TYPE_CHECKING:
    from vl_core.model import Model

CHOICES = ("all", "right", "first")
_TOLD = 5  # skipped examples that are named


@dataclass(frozen=True)
class Job:
    """One example of a set: a place of an item, of what is asked about it and of an option."""

    number: int
    asked: int
    option: int


def jobs(data: Dataset, first: int, limit: int | None, which: str) -> list[Job]:
    """The examples of these items; raises DatasetError if there is none, or none known as right.

    Items that cannot be read are passed over here and counted when they are run.
    """
    last = len(data) if limit is None else min(len(data), first + limit)
    if not 0 <= first < last:
        raise DatasetError(
            f"{data.name} has {len(data)} items; none from {first} on was asked for."
        )
    found = []
    for number in range(first, last):
        try:
            item = data[number]
        except DatasetError:
            found.append(Job(number, 0, 0))
            continue
        found += [
            Job(number, place, option)
            for place, asked in enumerate(item.asked)
            for option in _chosen(asked, which)
        ]
    if not found:
        raise DatasetError(
            f"{data.name} does not tell which options are right in the items asked for. Leave out "
            "--options right."
        )
    return found


def _chosen(asked: Asked, which: str) -> Sequence[int]:
    if which == "first":
        return [0]
    return range(len(asked.options)) if which == "all" else sorted(asked.right or ())


@dataclass
class Batch:
    """A folder that fills with what a model does to the examples of a set."""

    folder: Path
    model: "Model"
    data: Dataset
    keeps_traces: bool = True
    skipped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("parts", "traces") if self.keeps_traces else ("parts",):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        told = self.folder / "run.json"
        mine = self._facts()
        if not told.exists():
            with whole_file(told) as file:
                file.write(json.dumps(mine, indent=2).encode())
        elif json.loads(told.read_text(encoding="utf-8")) != mine:
            raise VLError(
                f"{self.folder} holds what another model, another set or other options left (see "
                "run.json). Choose another folder."
            )

    def _facts(self) -> dict[str, Any]:
        made_by = self.model.provenance.as_dict()
        del made_by["fidelity"]
        set_facts = {"data": self.data.name, "kind": self.data.kind, "items": len(self.data)}
        # As JSON gives it back, so that it can be compared with what stands in the file.
        return dict(json.loads(json.dumps(set_facts | {"model": made_by})))

    def run(self, wanted: Sequence[Job]) -> None:
        """Trace each example that is not done; one that cannot be read is skipped and told of."""
        for job in progress.counted(wanted, "Example"):
            if self._part(job).exists() and (not self.keeps_traces or self._trace(job).exists()):
                continue
            try:
                self._do(job)
            except VLError as error:
                self.skipped.append(f"item {job.number}: {error}")

    def _do(self, job: Job) -> None:
        item = self.data[job.number]
        asked = item.asked[job.asked]
        option = asked.options[job.option]
        trace = self.model.trace(option.example())
        if self.keeps_traces:
            trace.save(self._trace(job))
        labels = dict(zip(head_tables.LABELS, (item.name, asked.name, option.name), strict=True))
        said = {
            "number": job.number,
            **labels,
            **_truth(item, asked, job.option),
            **_said(trace.prediction),
        }
        head_tables.write(head_tables.head_table(trace, labels), self._part(job), said)

    def finish(self) -> Iterator[str]:
        """Make the two tables of all that is done; lines that say what there is."""
        import pyarrow as pa  # noqa: PLC0415 --help must not import it

        parts = sorted((self.folder / "parts").glob("*.parquet"))
        if parts:
            table = head_tables.joined(parts)
            said = pa.Table.from_pylist([head_tables.facts_of(part) for part in parts])
            head_tables.write(table, self.folder / "head_statistics.parquet", self._facts())
            head_tables.write(said, self.folder / "predictions.parquet", self._facts())
        yield f"{len(parts)} examples in {self.folder}"
        if self.skipped:
            yield f"{len(self.skipped)} skipped, as they could not be read or run:"
            yield from (f"  {line}" for line in self.skipped[:_TOLD])
            if len(self.skipped) > _TOLD:
                yield f"  ... and {len(self.skipped) - _TOLD} more"

    def _part(self, job: Job) -> Path:
        return self.folder / "parts" / f"{self._stem(job)}.parquet"

    def _trace(self, job: Job) -> Path:
        return self.folder / "traces" / f"{self._stem(job)}.safetensors"

    def _stem(self, job: Job) -> str:
        """In the order of the set, and with nothing of the set's own names: they may be paths."""
        return f"{job.number:07d}-{job.asked}-{job.option:02d}"


def _said(prediction: Prediction) -> dict[str, Any]:
    """The likeliest answer with its number; a generated text as a whole has none."""
    likeliest, number = prediction.top[0]
    said = {"said": likeliest, "value": number}
    if prediction.text is not None:
        said = {"said": prediction.text, "value": None}
    return {"kind": prediction.kind, **said}


def _truth(item: Item, asked: Asked, place: int) -> dict[str, Any]:
    """What the set tells; nothing where it does not."""
    is_right = None if asked.right is None else place in asked.right
    return {"title": asked.options[place].title, "answer": item.answer, "is_right": is_right}
