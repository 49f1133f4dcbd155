"""Run a model and keep what its attention did, for one example or a data set.

examples:
  python -m vl_core trace --image dog.jpg --question "what is the dog doing?" --to dog.safetensors
  python -m vl_core trace --data vcr1/val.jsonl --limit 50 --to vcr-traces
  python -m vl_core trace --data photos --model Qwen/Qwen2-VL-2B-Instruct --statistics-only --to run

Of a data set, --to is a folder: traces/*.safetensors, head_statistics.parquet (a row for each
example, stack, layer and head) and predictions.parquet. Run again, the same command goes on where
it was stopped. Of .npz files and databases of the original, which hold tensors of their own, no
model is run.
"""

import argparse
import sys
from pathlib import Path

from vl_core.command import (
    arguments,
    batches,
    data_choice,
    inspecting,
    model_choice,
    progress,
)
from vl_core.datasets.items import HoldsTraces
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
    parser.add_argument(
        "--first", type=arguments.not_negative, help="item to begin with, from 0 (default: 0)"
    )
    parser.add_argument("--limit", type=arguments.positive, help="at most so many items")
    parser.add_argument(
        "--options",
        choices=batches.CHOICES,
        help="which candidates or sources of an item: all, the right ones, or the first (default: "
        "all)",
    )
    parser.add_argument(
        "--statistics-only", action="store_true", help="keep no traces, only the tables"
    )


def run(chosen: argparse.Namespace) -> None:
    """Trace what was chosen; raises VLError for what cannot be read."""
    if chosen.data is not None:
        _trace_set(chosen)
    else:
        _trace_example(chosen)


def _trace_example(chosen: argparse.Namespace) -> None:
    _check_example(chosen)
    example = Example(chosen.image, chosen.question)
    trace = model_choice.loaded(chosen).trace(example, progress.tell)
    trace.save(chosen.to)
    progress.done(f"written to {chosen.to}")
    sys.stdout.write(inspecting.described(trace) + "\n")


def _check_example(chosen: argparse.Namespace) -> None:
    """Raise VLError for what is missing, and for options of a data set."""
    if not chosen.question:
        raise VLError("--image came without --question. Say what is asked about the picture.")
    of_sets = {f"--{name}": getattr(chosen, name) for name in ("first", "limit", "options")}
    given = {name: value is not None for name, value in of_sets.items()}
    given |= {"--statistics-only": chosen.statistics_only, **data_choice.given(chosen)}
    arguments.refuse(given, "with --image, which is no data set")
    arguments.check_file(chosen.to, "dog.safetensors")


def _trace_set(chosen: argparse.Namespace) -> None:
    data = data_choice.opened(chosen, chosen.data)
    wanted = batches.numbers(data, chosen.first or 0, chosen.limit)
    holds_traces = isinstance(data, HoldsTraces)
    if holds_traces:
        arguments.refuse(model_choice.given(chosen), f"for {data.name}, which holds its own traces")
    arguments.check_folder(chosen.to)
    batch = batches.Batch(
        chosen.to,
        None if holds_traces else model_choice.loaded(chosen),
        data,
        chosen.options or "all",
        keeps_traces=not chosen.statistics_only,
    )
    batch.run(wanted)
    for line in batch.finish():
        progress.done(line)
