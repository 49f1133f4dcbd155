"""Write traces as a database that the original VL-InterpreT opens.

examples:
  python -m vl_core export traces/*.safetensors --to database
"""

import argparse
from pathlib import Path

from vl_core.command import progress
from vl_core.counted import counted
from vl_core.errors import TraceError
from vl_core.trace import Trace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Traces, and where the database goes."""
    parser.add_argument("traces", type=Path, nargs="+", help="files written by `trace`")
    parser.add_argument("--to", type=Path, required=True, help="a new folder for the database")
    parser.add_argument(
        "--stack", help="whose attention, if the model has several (self-attention)"
    )


def run(chosen: argparse.Namespace) -> None:
    """Read one trace after another and write its record."""
    from vl_core.datasets import interpret  # noqa: PLC0415 --help must not import its libraries

    missing = [path for path in chosen.traces if not path.is_file()]
    if missing:
        raise TraceError(f"There is no file {missing[0]}.")
    traces = (Trace.load(path) for path in progress.through(chosen.traces, "Exporting"))
    interpret.export(traces, chosen.to, stack=chosen.stack)
    progress.done(f"{counted(len(chosen.traces), 'example')} written to {chosen.to}")
