"""Run a model and keep what its attention did, for one example or a data set.

examples:
  python -m vl_core trace --image dog.jpg --question "what is the dog doing?" --to dog.safetensors
  python -m vl_core trace --data vcr1/val.jsonl --limit 50 --to vcr-traces
  python -m vl_core trace --data photos --model Qwen/Qwen2-VL-2B-Instruct --statistics-only --to run

Of a data set, --to is a folder: traces/*.safetensors, head_statistics.parquet (a row for each
example, stack, layer and head) and predictions.parquet. Run again, the same command goes on where
it was stopped.
"""

import argparse
import sys
from pathlib import Path

from vl_core.command import batches, data_choice, inspecting, model_choice, progress
from vl_core.errors import VLError
from vl_core.example import Example


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """An example or a data set, a model, and where its traces go."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--image", type=Path, help="a picture; needs --question")
    source.add_argument("--data", type=Path, help="a data set: a file or a folder")
    parser.add_argument(
        "--question", help="about the picture, or each picture of a folder that has no texts"
    )
    parser.add_argument(
        "--to", type=Path, required=True, help="a file for one example, or a folder"
    )
    data_choice.add_arguments(parser)
    model_choice.add_arguments(parser)
    parser.add_argument("--first", type=int, default=0, help="item to begin with (default: 0)")
    parser.add_argument("--limit", type=int, help="at most so many items")
    parser.add_argument(
        "--options",
        choices=batches.CHOICES,
        default="all",
        help="which candidates or sources of an item: all, the right ones, or the first",
    )
    parser.add_argument(
        "--statistics-only", action="store_true", help="keep no traces, only the tables"
    )


def run(chosen: argparse.Namespace) -> None:
    """Trace what was chosen; raises VLError for what cannot be read."""
    if chosen.data is not None:
        _trace_set(chosen)
        return
    if not chosen.question:
        raise VLError("--image came without --question. Say what is asked about the picture.")
    if chosen.to.is_dir():
        raise VLError(f"{chosen.to} is a folder. Name a file for the trace, as dog.safetensors.")
    example = Example(chosen.image, chosen.question)
    trace = model_choice.loaded(chosen).trace(example, progress.tell)
    trace.save(chosen.to)
    progress.done(f"written to {chosen.to}")
    sys.stdout.write(inspecting.described(trace) + "\n")


def _trace_set(chosen: argparse.Namespace) -> None:
    data = data_choice.opened(chosen, chosen.data)
    jobs = batches.jobs(data, chosen.first, chosen.limit, chosen.options)
    model = model_choice.loaded(chosen)
    batch = batches.Batch(chosen.to, model, data, keeps_traces=not chosen.statistics_only)
    batch.run(jobs)
    for line in batch.finish():
        progress.done(line)
