"""Tracing many examples of a data set into a folder; what is done already is not done again.

FOLDER/run.json                  which model, which set and which options: others are refused
FOLDER/parts/*.parquet           one table for each example, written last: it is done
FOLDER/traces/*.safetensors      unless only statistics are wanted
FOLDER/head_statistics.parquet   all parts as one, made at the end
FOLDER/predictions.parquet       what the model said to each example
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vl_core.command import head_tables, progress, run_record
from vl_core.counted import counted
from vl_core.datasets.fingerprints import identity
from vl_core.datasets.items import Asked, Dataset, HoldsTraces, Item
from vl_core.errors import DatasetError, VLError
from vl_core.trace import Prediction, Trace

if TYPE_CHECKING:
    from vl_core.model import Model

CHOICES = ("all", "right", "first")


@dataclass(frozen=True)
class Job:
    """One example of a set: a place of an item, of what is asked about it and of an option."""

    number: int
    asked: int
    option: int


def jobs(number: int, item: Item, which: str) -> list[Job]:
    """The examples of the item with this number; none if the right ones are wanted but not told."""
    return [
        Job(number, place, option)
        for place, asked in enumerate(item.asked)
        for option in _chosen(asked, which)
    ]


def _chosen(asked: Asked, which: str) -> Sequence[int]:
    if which == "first":
        return [0]
    return range(len(asked.options)) if which == "all" else sorted(asked.right or ())


def numbers(data: Dataset, first: int, limit: int | None) -> range:
    """Which items; raises DatasetError if there is none."""
    last = len(data) if limit is None else min(len(data), first + limit)
    if not 0 <= first < last:
        raise DatasetError(
            f"{data.name} has {counted(len(data), 'item')}; none from {first} on was asked for."
        )
    return range(first, last)


@dataclass
class Batch:
    """A folder that fills with what a model does to the examples of a set.

    model: None for a set that holds traces of its own, which are taken as they are. which: one of
    CHOICES. Raises VLError if the folder holds another run.
    """

    folder: Path
    model: "Model | None"
    data: Dataset
    which: str = "all"
    keeps_traces: bool = True
    skipped: list[str] = field(default_factory=list)
    left_out: dict[str, None] = field(default_factory=dict)  # boxes that are no places, by sentence

    def __post_init__(self) -> None:
        for name in ("parts", "traces") if self.keeps_traces else ("parts",):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        changed = run_record.begun(self.folder, self.facts)
        if changed:
            progress.done(f"Note: {', '.join(changed)} are not those that this run was begun with.")

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What run.json says: the set, which of its options, and the model."""
        chosen = {"options": self.which, "statistics_only": not self.keeps_traces}
        if self.model is None:
            return identity(self.data) | chosen | {"model": "none: the tensors are the set's own"}
        made_by = self.model.provenance.as_dict()
        del made_by["fidelity"]
        return identity(self.data) | chosen | {"model": made_by}

    def run(self, wanted: range) -> None:
        """Trace each example that is not done; what cannot be read is skipped and told of.

        An item is read when it is its turn. Raises DatasetError if only right options are wanted
        and none of these items tells which those are.
        """
        found = 0
        for number in progress.through(wanted, "Item"):
            try:
                item = self.data[number]
            except VLError as error:
                self.skipped.append(f"item {number}: {error}")
                continue
            own = jobs(number, item, self.which)
            found += len(own)
            for job in own:
                self._do(job, item)
        if not found and not self.skipped:
            raise DatasetError(
                f"{self.data.name} does not tell which options are right in the items asked for. "
                "Leave out --options right."
            )

    def _do(self, job: Job, item: Item) -> None:
        if self._is_done(job):
            return
        asked = item.asked[job.asked]
        option = asked.options[job.option]
        labels = dict(zip(head_tables.LABELS, (item.name, asked.name, option.name), strict=True))
        try:
            trace = self._traced(job, asked)
        except VLError as error:
            self.skipped.append(f"item {job.number}: {error}")
            return
        if self.keeps_traces:
            trace.save(self._trace(job))
        said = {
            "number": job.number,
            **labels,
            **_truth(item, asked, job.option),
            **_said(trace.prediction),
        }
        if self.model is None:
            said["was_right"] = item.was_right
        head_tables.write(head_tables.head_table(trace, labels), self._part(job), said)

    def _traced(self, job: Job, asked: Asked) -> Trace:
        if self.model is None and isinstance(self.data, HoldsTraces):
            return self.data.trace(job.number)
        if self.model is None:
            raise VLError(f"{self.data.name} holds no traces, so a model is wanted.")
        option = asked.options[job.option]
        example = option.example()
        self.left_out.update(dict.fromkeys(option.left_out(example)))
        return self.model.trace(example)

    def _is_done(self, job: Job) -> bool:
        """Whether its table is there and whole, and its trace where one is wanted."""
        if self.keeps_traces and not self._trace(job).exists():
            return False
        return self._part(job).exists() and head_tables.part(self._part(job)) is not None

    def finish(self) -> Iterator[str]:
        """Make the two tables of all that is done; lines that say what there is."""
        import pyarrow as pa  # noqa: PLC0415 --help must not import it

        paths = sorted((self.folder / "parts").glob("*.parquet"))
        parts = [one for one in map(head_tables.part, paths) if one is not None]
        if parts:
            table = pa.concat_tables([own for own, _ in parts], promote_options="default")
            # Arrow takes the columns of the first row alone; one of an older run may lack some.
            columns = dict.fromkeys(name for _, facts in parts for name in facts)
            said = pa.Table.from_pylist([dict.fromkeys(columns) | facts for _, facts in parts])
            head_tables.write(table, self.folder / "head_statistics.parquet", self.facts)
            head_tables.write(said, self.folder / "predictions.parquet", self.facts)
        yield f"{counted(len(parts), 'example')} in {self.folder}"
        if len(parts) < len(paths):
            yield counted(
                len(paths) - len(parts),
                "table in parts is damaged and left out; it is made again when its item is asked "
                "for",
                "tables in parts are damaged and left out; they are made again when their items "
                "are asked for",
            )
        yield from progress.listed(self.skipped, "skipped, as they could not be read or run")
        yield from progress.listed(self.left_out, progress.left_out(len(self.left_out)))

    def _part(self, job: Job) -> Path:
        return self.folder / "parts" / f"{self._stem(job)}.parquet"

    def _trace(self, job: Job) -> Path:
        return self.folder / "traces" / f"{self._stem(job)}.safetensors"

    def _stem(self, job: Job) -> str:
        """In the order of the set, and with nothing of the set's own names: they may be paths."""
        return f"{job.number:07d}-{job.asked}-{job.option:02d}"


def _said(prediction: Prediction) -> dict[str, Any]:
    """The likeliest answer with its number; what was generated or told has none."""
    likeliest, number = prediction.top[0] if prediction.top else (None, None)
    is_generated = prediction.text is not None
    return {
        "kind": prediction.kind,
        "said": prediction.text if is_generated else likeliest,
        "value": None if is_generated or prediction.kind == "told" else number,
        # What a model did elsewhere does not tell it, and what is not generated has no end to cut.
        "is_cut_off": prediction.is_cut_off if is_generated else None,
    }


def _truth(item: Item, asked: Asked, place: int) -> dict[str, Any]:
    """What the set tells; nothing where it does not."""
    is_right = None if asked.right is None else place in asked.right
    return {"title": asked.options[place].title, "answer": item.answer, "is_right": is_right}
