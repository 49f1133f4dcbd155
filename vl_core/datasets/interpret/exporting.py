"""Writing traces as a database that the original VL-InterpreT opens."""

from collections.abc import Iterable
from pathlib import Path

from vl_core.counted import counted
from vl_core.datasets.interpret.as_record import Given
from vl_core.datasets.interpret.database import COUNT, HEADS, LAYERS
from vl_core.datasets.interpret.maps import Maps
from vl_core.datasets.interpret.pickling import dumped
from vl_core.datasets.interpret.writing import Writer, whole_folder
from vl_core.errors import DatasetError, VLError
from vl_core.trace import Trace


def export(traces: Iterable[Trace], folder: Path, stack: str | None = None) -> None:
    """Write a new database with one record for each trace, whole or not at all.

    stack: whose attention, by name, where a model has several; one of a stream on itself. Each
    record holds attention and hidden states in float32, text tokens before patches, patches row by
    row, no padding, and the part of the picture that the patches cover, as a trace keeps it for
    display. Text and special tokens keep their names, with "##" before what continues a word; the
    original knows [CLS] and [SEP] alone as special, and shows only words after which some [SEP]
    comes. With the records come what its page needs: a t-SNE map for each state, which takes most
    of the time (it is ours, see `vl_core.projection.tsne`), and the points of all maps. Traces are
    taken one at a time.

    Raises DatasetError if the folder is there already, if there is no trace or they differ in
    layers or heads, or if a trace does not fit the format: it needs one grid of patches, all hidden
    states and all weights. Raises BudgetError for a record above `as_record.BUDGET`, and
    ProjectionError for fewer tokens than a map needs. What is wrong is told with the number of the
    trace.
    """
    if folder.exists():
        raise DatasetError(f"{folder.name} is there already, and nothing is written over.")
    with whole_folder(folder) as partial:
        _write(traces, partial, stack)


def _write(traces: Iterable[Trace], folder: Path, stack: str | None) -> None:
    maps, shapes = Maps(), []
    with Writer.in_folder(folder) as writer:
        for number, trace in enumerate(traces):
            try:
                given = Given.of(trace, stack)
                shapes.append(given.shape)
                _check_shape(given.shape, shapes[0])
                points = given.points()
                record = given.record(number, points)
            except VLError as error:
                raise type(error)(f"Trace {number}: {error}") from error
            writer.put(str(number), dumped(record))
            maps.add(number, points, given.n_text)
        if not shapes:
            raise DatasetError("There is no trace to write.")
        layers, heads = shapes[0]
        for key, value in ((COUNT, len(shapes)), (LAYERS, layers), (HEADS, heads)):
            writer.put(key, value)
        writer.put("faiss", dumped(maps.tokens))
    maps.write(folder)


def _check_shape(came: tuple[int, int], wanted: tuple[int, int]) -> None:
    if came != wanted:
        raise DatasetError(
            f"it has {counted(came[0], 'layer')} of {counted(came[1], 'head')}, the first one "
            f"{wanted[0]} of "
            f"{wanted[1]}. One database holds traces of one model."
        )
