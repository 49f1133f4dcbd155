"""All that one forward pass left, read-only."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np

from vl_core.answers import is_same
from vl_core.counted import counted
from vl_core.errors import NameOfNoneError, TraceError
from vl_core.example import EDGE, Region, wrong_box
from vl_core.frozen import freeze
from vl_core.trace import files
from vl_core.trace.bias import DistanceBias
from vl_core.trace.blocks import Kept
from vl_core.trace.example import TracedExample
from vl_core.trace.masks import Mask
from vl_core.trace.provenance import Prediction, Provenance
from vl_core.trace.stack import Stack
from vl_core.trace.stream import Stream

_REPEATED = 60  # characters of the text in a trace's own line


@dataclass(frozen=True, eq=False)
class Trace:
    """One forward pass: the example, streams of tokens, stacks of attention, the prediction.

    Raises TraceError if the parts contradict each other. Asked for a stream or stack that there is
    not, it raises NameOfNoneError, which says which there are.
    """

    example: TracedExample
    streams: Mapping[str, Stream]
    stacks: Mapping[str, Stack]
    prediction: Prediction
    provenance: Provenance

    def __post_init__(self) -> None:
        freeze(
            self,
            streams=MappingProxyType(_ByName("stream", self.streams)),
            stacks=MappingProxyType(_ByName("stack", self.stacks)),
        )
        for region in self.example.regions:
            self._check_region(region)
        for name, stream in self.streams.items():
            _check_name("stream", name, stream.name)
            self._check_boxes(name, stream)
            self._check_spans(name, stream)
        for name, stack in self.stacks.items():
            _check_name("stack", name, stack.name)
            for role in ("query", "key"):
                self._check_tokens(name, stack, role)
            if stack.regions != self.example.regions:
                raise TraceError(f"stack {name} and the example differ in their regions")

    def _check_region(self, region: Region) -> None:
        wrong = wrong_box(region, self.example.original_size)
        if wrong:
            raise TraceError(wrong)
        length = len(self.example.text)
        start, end = region.span or (0, length)
        if not 0 <= start < end <= length:
            raise TraceError(
                f"region {region.label} is named by the characters {start} to {end} of a text of "
                f"{length}"
            )

    def _check_tokens(self, name: str, stack: Stack, role: str) -> None:
        stream_name = getattr(stack, f"{role}_stream")
        if stream_name not in self.streams:
            raise TraceError(
                f"stack {name} has the {role} stream {stream_name}; "
                f"the trace has {', '.join(self.streams)}"
            )
        table = stack.queries if role == "query" else stack.keys
        if table is not self.streams[stream_name].tokens:
            raise TraceError(f"stack {name} and stream {stream_name} differ in their tokens")

    def _check_boxes(self, name: str, stream: Stream) -> None:
        boxes = stream.tokens.boxes[~np.isnan(stream.tokens.boxes).any(axis=1)]
        if not boxes.size:
            return
        if self.example.original_size is None:
            raise TraceError(f"stream {name} has patches, but the example has no picture")
        width, height = self.example.original_size
        outside = (boxes < -EDGE) | (boxes > np.array([width, height, width, height]) + EDGE)
        if outside.any():
            raise TraceError(
                f"stream {name}: a patch lies outside the picture of {width} x {height} pixels"
            )
        if (boxes[:, 2:] <= boxes[:, :2]).any():
            raise TraceError(
                f"stream {name}: a patch without an area; left, top, right, bottom are wanted"
            )

    def _check_spans(self, name: str, stream: Stream) -> None:
        spans, length = stream.tokens.spans, len(self.example.text)
        has_none = (spans == -1).all(axis=1)
        is_inside = (spans[:, 0] >= 0) & (spans[:, 0] <= spans[:, 1]) & (spans[:, 1] <= length)
        for start, end in spans[~has_none & ~is_inside]:
            raise TraceError(
                f"stream {name}: a token for the characters {start} to {end} of a text of {length}"
            )

    def __repr__(self) -> str:
        """In one line: the model, the text, and what streams and stacks there are, with sizes."""
        text = repr(textwrap.shorten(self.example.text, _REPEATED, placeholder=" ..."))
        streams = ", ".join(
            f"{name} ({counted(len(one.tokens), 'token')})" for name, one in self.streams.items()
        )
        stacks = ", ".join(
            f"{name} ({counted(one.n_layers, 'layer')} x {counted(one.n_heads, 'head')})"
            for name, one in self.stacks.items()
        )
        return (
            f"<Trace of {self.provenance.model_id} on {text}; streams: {streams or 'none'}; "
            f"stacks: {stacks or 'none'}>"
        )

    @property
    def was_right(self) -> bool | None:
        """Whether the model's answer is the right one, word for word; None where that is not plain.

        It is plain of an answer out of a list to a question, and neither of generated text nor of
        what the model says to a candidate or source.
        """
        right, said = self.example.answer, self.prediction
        if right is None or (said.kind, self.example.task) != ("answer", "answer"):
            return None
        return is_same(said.top[0][0], right)

    @property
    def n_bytes(self) -> int:
        """About how many bytes of memory it takes: attention with its masks, hidden states."""
        blocks = (block for stack in self.stacks.values() for one in stack.blocks for block in one)
        attention = (array for block in blocks for array in _arrays(block.kept))
        states = (stream.packed_states for stream in self.streams.values())
        # Layers may share what is large.
        sizes = {id(array): array.nbytes for array in (*attention, *states)}
        return sum(sizes.values())

    def save(self, path: str | Path) -> None:
        """Write the trace as one safetensors file, whole or not at all."""
        files.save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> "Trace":
        """Read a trace; raises TraceError for what is none, is damaged or is of another version."""
        return files.load(Path(path))


class _ByName(dict[str, Any]):
    """The streams or stacks of a trace, by name."""

    def __init__(self, what: str, parts: Mapping[str, Any]) -> None:
        super().__init__(parts)
        self._what = what

    def __missing__(self, name: str) -> NoReturn:
        there_are = ", ".join(self) or "none"
        raise NameOfNoneError(
            f"The trace has no {self._what} {name!r}. Its {self._what}s are: {there_are}."
        )


def _arrays(kept: Kept | Mask | DistanceBias) -> Iterator[np.ndarray]:
    """The arrays of what is kept of a block, those of its mask and bias among them."""
    for value in vars(kept).values():
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, Mask | DistanceBias):
            yield from _arrays(value)


def _check_name(what: str, name: str, own_name: str) -> None:
    if name != own_name:
        raise TraceError(f"{what} {own_name} is listed under the name {name}")
