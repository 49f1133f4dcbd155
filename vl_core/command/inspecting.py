"""What a trace or a data set holds.

examples:
  python -m vl_core inspect dog.safetensors
  python -m vl_core inspect vcr1/val.jsonl --item 3
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vl_core.command import arguments, data_choice
from vl_core.counted import counted
from vl_core.errors import DatasetError, TraceError
from vl_core.trace import Stack, Stream, Trace

if TYPE_CHECKING:
    from vl_core.datasets.items import Dataset, Item

_DOUBTFUL = "row_reconstruction exceeds {:g}: what is kept is not what the model did"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A file or a folder, and maybe one of its items."""
    parser.add_argument("path", type=Path, help="a trace, or a data set")
    parser.add_argument("--question", help="of each picture of a folder that has no texts")
    data_choice.add_arguments(parser)
    parser.add_argument("--item", type=int, help="of a data set, from 0; from the end as -1")


def run(chosen: argparse.Namespace) -> None:
    """Say it on standard output."""
    sys.stdout.write(_told(chosen) + "\n")


def _told(chosen: argparse.Namespace) -> str:
    if chosen.path.suffix == ".safetensors":
        given = {f"--{name}": getattr(chosen, name) is not None for name in ("item", "question")}
        arguments.refuse(given | data_choice.given(chosen), "with a trace, which is one example")
        if not chosen.path.is_file():
            raise TraceError(f"There is no file {chosen.path}.")
        return described(Trace.load(chosen.path))
    data = data_choice.opened(chosen, chosen.path)
    if chosen.item is None:
        return _described_set(data)
    try:
        return _described_item(data[chosen.item])
    except IndexError as error:
        raise DatasetError(f"{data.name}: {error}.") from error


def described(trace: Trace) -> str:
    """Example, prediction, streams, stacks and fidelity of a trace, one a line."""
    made_by = trace.provenance
    lines = [
        ("model", f"{made_by.model_id} ({made_by.family}, {made_by.dtype} on {made_by.device})"),
        ("text", trace.example.text),
        ("picture", "none" if trace.example.original_size is None else _size(trace)),
        ("said", ", ".join(f"{text} {number:.3g}" for text, number in trace.prediction.top)),
    ]
    if trace.prediction.is_cut_off:
        lines.append(("stopped", f"after {counted(len(trace.prediction.top), 'token')}"))
    lines += [("stream", f"{name}: {_tokens(stream)}") for name, stream in trace.streams.items()]
    lines += [
        ("stack", f"{name}: {_heads(stack)}, {_kept(stack)}")
        for name, stack in trace.stacks.items()
    ]
    lines += [("fidelity", f"{name} {value:.2g}") for name, value in made_by.fidelity.items()]
    if made_by.is_doubtful:
        lines.append(("WARNING", _DOUBTFUL.format(made_by.highest)))
    return _table(lines)


def _size(trace: Trace) -> str:
    width, height = trace.example.original_size or (0, 0)
    return f"{width} x {height} pixels"


def _tokens(stream: Stream) -> str:
    states = counted(len(stream.packed_states), "state")
    return f"{counted(len(stream.tokens), 'token')}, {states}"


def _heads(stack: Stack) -> str:
    return f"{counted(stack.n_layers, 'layer')} x {counted(stack.n_heads, 'head')}"


def _kept(stack: Stack) -> str:
    return "attention kept" if stack.is_kept else "statistics only"


def _described_set(data: "Dataset") -> str:
    lines = [("name", data.name), ("kind", data.kind), ("items", str(len(data)))]
    lines += [(name, _plain(value)) for name, value in data.metadata.items()]
    return _table(lines)


def _described_item(item: "Item") -> str:
    lines = [("item", item.name), ("text", item.text)]
    for name, value in (("category", item.category), ("answer", item.answer)):
        lines += [(name, value)] if value else []
    lines += list(item.facts.items())
    for asked in item.asked:
        lines.append((asked.name, asked.text))
        lines += [
            ("  right" if place in (asked.right or ()) else "", f"{option.name}: {option.title}")
            for place, option in enumerate(asked.options)
        ]
    return _table(lines)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(map(_plain, value))
    return str(value)


def _table(lines: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)
