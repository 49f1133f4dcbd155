"""One table by itself: a JSONL, CSV or Parquet file, with pictures beside it or inside it.

Which columns are read stands in `rows`.
"""

from pathlib import Path

from vl_core.datasets.csv_rows import CsvRows
from vl_core.datasets.lines import Lines
from vl_core.datasets.rows import Rows, Table, check_table, first_columns
from vl_core.datasets.storage import Folder

ENDINGS = (".jsonl", ".csv", ".parquet")


def is_at(path: Path) -> bool:
    """Whether it is a file whose name ends as a table's."""
    return path.is_file() and path.suffix.lower() in ENDINGS


def opened(path: Path) -> Table:
    """The table; raises DatasetError if it is damaged or empty or lacks a column."""
    return table(path, path.name, "table")


def table(path: Path, name: str, kind: str) -> Table:
    """The table, called so in the data set that it belongs to."""
    rows, columns = _read(path)
    check_table(rows, columns, path.name)
    metadata = {"table": path.name, "columns": ", ".join(columns)}
    return Table(name, kind, rows, Folder(path.parent), metadata)


def _read(path: Path) -> tuple[Rows, list[str]]:
    """The rows and the names of their columns."""
    ending = path.suffix.lower()
    if ending == ".jsonl":
        lines = Lines(path)
        return lines, first_columns(lines)
    if ending == ".csv":
        cells = CsvRows(path)
        return cells, cells.columns
    from vl_core.datasets.arrow_rows import ParquetRows  # noqa: PLC0415 pyarrow takes its time

    rows = ParquetRows(path)
    return rows, rows.columns
