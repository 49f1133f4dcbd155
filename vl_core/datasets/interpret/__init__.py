"""Databases of the original VL-InterpreT: opened as they are and safely, and written.

    FOLDER/data.mdb         LMDB: each value an lz4 frame with a msgpack value in it
                              "0", "1", ...                     a record: bytes, a pickled dict
                              "n_examples", "n_layers", "n_heads"     numbers
                              "faiss"                           bytes: which token is which point
    FOLDER/faiss/...        the points of its t-SNE maps, one file for each state and modality

    data = interpret.opened(Path("example_database2"))
    data[0].text, data[0].was_right
    data.trace(0).stacks["encoder"].weights[10, 7]
    interpret.export([trace], Path("my_database"))

lmdb_pages, envelope, pickles, described    from the file to plain data, trusting none of it
record, values, as_trace, database          what a record says, in order; the data set
exporting, as_record, grid                  from a trace to a record
writing, pickling, maps                     from a record to the file, and what lies beside it

Source: the archived tool's app/database/database.py, db_example.py and db_analyzer.py.
"""

from vl_core.datasets.interpret.database import Database, is_at, opened
from vl_core.datasets.interpret.exporting import export

__all__ = ["Database", "export", "is_at", "opened"]
