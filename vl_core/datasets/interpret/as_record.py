"""From a trace to a record, in the order and the numbers of the original's format."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int, UInt8
from PIL import Image

from vl_core import projection
from vl_core.arrays import HeadMap, Points
from vl_core.counted import counted
from vl_core.datasets.interpret.as_trace import OWN, WAS_RIGHT
from vl_core.datasets.interpret.grid import Box, Cells, cells
from vl_core.errors import BudgetError, DatasetError
from vl_core.trace import Stack, Stream, TokenTable, Trace
from vl_core.trace.unpacked import UnpackedStates

BUDGET = 256 * 2**20  # bytes of one record: packing it takes several times as much for a moment
LEAST_MASS = 0.999  # that a row must keep when tokens are left out

Order = Int[np.ndarray, "token"]


@dataclass(frozen=True, eq=False)
class Given:
    """What of a trace goes into a record.

    order: the positions of the tokens that are written, as they are written. n_text: how many of
    them are text. cells, extent: column and row of each patch in that order, and what they cover;
    None without patches.
    """

    trace: Trace
    stack: Stack
    stream: Stream
    order: Order
    n_text: int
    cells: Cells | None
    extent: Box | None

    @classmethod
    def of(cls, trace: Trace, name: str | None) -> "Given":
        """Of the stack of that name; raises DatasetError if the trace does not fit the format."""
        stack = _chosen(trace, name)
        stream = trace.streams[stack.query_stream]
        n_states = len(stream.scales)
        if n_states != stack.n_layers + 1:
            raise DatasetError(
                f"The stream {stream.name} has {counted(n_states, 'hidden state')} for "
                f"{counted(stack.n_layers, 'layer')}; the format of VL-InterpreT needs one more "
                "than layers. Analyse the example with a larger budget."
            )
        tokens = stream.tokens
        text = np.flatnonzero(~tokens.is_padding & ~tokens.is_image)
        patches = np.flatnonzero(tokens.is_image)
        if not len(patches):
            return cls(trace, stack, stream, text, len(text), None, None)
        places, extent = cells(tokens.boxes[patches])
        row_by_row = np.lexsort(places.T)
        order = np.concatenate([text, patches[row_by_row]])
        return cls(trace, stack, stream, order, len(text), places[row_by_row], extent)

    @property
    def shape(self) -> tuple[int, int]:
        """Layers and heads."""
        return self.stack.n_layers, self.stack.n_heads

    @property
    def _states(self) -> UnpackedStates:
        return UnpackedStates(self.stream, self.order)

    def points(self) -> Points:
        """The maps that the original's page shows, one for each state.

        Raises BudgetError if the record would take more than is written: before it takes time.
        """
        self._check_size()
        return projection.tsne(self._states, joint=False)

    def record(self, number: int, points: Points) -> dict[str, Any]:
        """What the original keeps of an example, after it was prepared."""
        places = [] if self.cells is None else self.cells.tolist()
        patches = [f"IMG_{place}" for place in range(len(places))]
        found: dict[str, Any] = {
            "ex_id": number,
            "image": self._pixels(),
            "tokens": _pieces(self.stream.tokens.chosen(self.order[: self.n_text])) + patches,
            "txt_len": self.n_text,
            "img_coords": [tuple(place) for place in places],
            "img_grid_size": np.max(places, axis=0) + 1 if places else (0, 0),
            "attention": self._attention(),
            "hidden_states": np.stack(list(self._states)),
            "tsne": list(points),
        }
        accuracy, own = _was_right(self.trace), self._own_statistics()
        if accuracy is not None:
            found["accuracy"] = accuracy
        return found | ({"custom_metrics": own} if own else {})

    def _check_size(self) -> None:
        count = len(self.order)
        n_states, _, width = self._states.shape
        size = 4 * (np.prod(self.shape) * count**2 + n_states * count * width)
        if size > BUDGET:
            raise BudgetError(
                f"A record of {count} tokens takes {size / 2**20:.0f} MiB in VL-InterpreT's "
                f"format, which holds all weights; at most {BUDGET // 2**20} MiB are written. "
                "Choose a smaller picture or a shorter text."
            )

    def _attention(self) -> Float32[np.ndarray, "layer head query key"]:
        count = len(self.order)
        found = np.empty((*self.shape, count, count), np.float32)
        for layer in range(self.stack.n_layers):
            for head in range(self.stack.n_heads):
                rows = self.stack.weights[layer, head]
                found[layer, head] = rows[self.order][:, self.order]
        lowest = found.sum(axis=-1).min()
        if lowest < LEAST_MASS:
            raise DatasetError(
                f"A row of attention would keep {lowest:.4f} of 1: the rest lies on padding, which "
                "the format of VL-InterpreT does not hold."
            )
        return found

    def _pixels(self) -> UInt8[np.ndarray, "..."]:
        """The part of the picture that the patches cover; empty without one."""
        picture, size = self.trace.example.picture, self.trace.example.original_size
        if picture is None or size is None or self.extent is None:
            return np.zeros(0, np.uint8)
        return np.asarray(_cropped(picture, self.extent, size))

    def _own_statistics(self) -> dict[str, HeadMap]:
        """Those that came with a database of this kind."""
        return {
            name.removeprefix(OWN): values
            for name, values in self.stack.head_stats.items()
            if name.startswith(OWN)
        }


def _pieces(tokens: TokenTable) -> list[str]:
    """What the tokens are called; one that continues a word is marked as WordPiece marks it."""
    found = [*tokens.texts]
    ends = [-1, *tokens.spans[:-1, 1].tolist()]
    for i, (start, end) in enumerate(zip(tokens.spans[:, 0].tolist(), ends, strict=True)):
        if start == end >= 0 and (tokens.texts[i - 1][-1:] + tokens.texts[i][:1]).isalnum():
            found[i] = f"##{found[i]}"
    return found


def _cropped(picture: Image.Image, extent: Box, size: tuple[int, int]) -> Image.Image:
    """The part, which is told in pixels of the original, of a picture that may be smaller."""
    across, down = picture.width / size[0], picture.height / size[1]
    left, top, right, bottom = extent
    box = (round(left * across), round(top * down), round(right * across), round(bottom * down))
    return picture.crop(box)


def _chosen(trace: Trace, name: str | None) -> Stack:
    """The stack of that name, or the only one of a stream on itself."""
    fitting = {key: one for key, one in trace.stacks.items() if one.is_self_attention}
    if not fitting:
        raise DatasetError(
            "The model has no attention of a stream on itself, which is all that the format of "
            "VL-InterpreT holds."
        )
    if name is None and len(fitting) > 1:
        raise DatasetError(
            f"The model has {len(fitting)} kinds of attention of a stream on itself: "
            f"{', '.join(fitting)}. Choose one of them as stack."
        )
    chosen = next(iter(fitting)) if name is None else name
    if chosen not in fitting:
        raise DatasetError(
            f"{chosen} is no attention of a stream on itself. There are: {', '.join(fitting)}."
        )
    if not fitting[chosen].is_kept:
        raise DatasetError(
            f"The weights of {chosen} were not kept, and the format of VL-InterpreT holds all of "
            "them. Analyse the example with a larger budget."
        )
    return fitting[chosen]


def _was_right(trace: Trace) -> bool | None:
    """Whether the model was right, where a database said so or answer and truth are known."""
    told = trace.provenance.preprocessing.get(WAS_RIGHT)
    return trace.was_right if told is None else bool(told)
