"""Head statistics of a trace as a table: a row for each head of each layer of each stack."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vl_core.trace import Trace

if TYPE_CHECKING:
    import pyarrow as pa

LABELS = ("item", "asked", "option")  # which example a row belongs to, in a data set


def head_table(trace: Trace, labels: Mapping[str, str]) -> "pa.Table":
    """The statistics stored with the trace: `labels`, stack, layer, head, then one column each.

    Layers have the model's own numbers and heads count from 0, as everywhere in files. A column is
    named as in `Stack.head_stats`; nan where a statistic is missing. Units and definitions stand
    in `vl_core.head_stats`.
    """
    import pyarrow as pa  # noqa: PLC0415 --help must not import it

    tables = []
    for stack in trace.stacks.values():
        layers, heads = np.indices((stack.n_layers, stack.n_heads)).reshape(2, -1)
        columns: dict[str, Any] = {name: [value] * len(layers) for name, value in labels.items()}
        columns |= {"stack": [stack.name] * len(layers)}
        columns |= {"layer": np.array(stack.layers)[layers], "head": heads}
        columns |= {key: values.reshape(-1) for key, values in stack.head_stats.items()}
        tables.append(pa.table(columns))
    return pa.concat_tables(tables, promote_options="default")


def write(table: "pa.Table", path: Path, facts: Mapping[str, Any]) -> None:
    """Write one Parquet file, whole or not at all, with the facts as JSON in its metadata."""
    from pyarrow import parquet  # noqa: PLC0415 as above

    from vl_core.datasets.whole_files import whole_file  # noqa: PLC0415 as above

    described = table.replace_schema_metadata({"vl_interpret": json.dumps(dict(facts))})
    with whole_file(path) as file:
        parquet.write_table(described, file, compression="zstd")


def part(path: Path) -> "tuple[pa.Table, dict[str, Any]] | None":
    """A table and the facts that `write` was given with it; None if the file is damaged."""
    import pyarrow as pa  # noqa: PLC0415 as above
    from pyarrow import parquet  # noqa: PLC0415 as above

    try:
        # Each by itself: read as a whole, files of different columns would be taken for one schema.
        table = parquet.read_table(path)
        return table, dict(json.loads((table.schema.metadata or {})[b"vl_interpret"]))
    except (pa.ArrowException, OSError, ValueError, KeyError):
        return None
