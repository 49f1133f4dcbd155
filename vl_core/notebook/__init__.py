"""What a notebook shows besides tables and figures: the linked view, without a server.

from vl_core import notebook

notebook.linked_view(trace)  # the last line of a cell
notebook.linked_view(trace).save("attention.html")
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path

from vl_core.linked_view.delivery import Delivery
from vl_core.linked_view.message import blobs, message
from vl_core.notebook.page import written
from vl_core.notebook.part import part_of
from vl_core.structure import can_predict
from vl_core.trace import Trace

__all__ = ["LinkedView", "linked_view"]

ANALYSIS = "trace"  # a page has one
HEIGHT = 820  # pixels of the frame until the page has told its own


@dataclass(frozen=True)
class LinkedView:
    """The view as a page of its own: HTML that holds all it needs and loads nothing."""

    page: str

    def _repr_html_(self) -> str:
        """The page in a frame, as Jupyter shows it."""
        style = f"width: 100%; height: {HEIGHT}px; border: 0"
        return f'<iframe title="Attention" style="{style}" srcdoc="{escape(self.page)}"></iframe>'

    def save(self, path: str | Path) -> None:
        """Write the page to a file, which any browser opens without a server or a network."""
        Path(path).write_text(self.page, encoding="utf-8")


def linked_view(trace: Trace, stack: str | None = None, *, layer: int | None = None) -> LinkedView:
    """The picture and the words: point at one and see what it looks at, as in the app.

    stack: a name in trace.stacks; the one that tells most unless given. layer: shown first, counted
    from 0 within the stack as in `Stack.weights`; the one that tells most unless given. Of
    attention above 10 MB the page holds this layer only, and says so.
    Raises TraceError if there is no such stack or layer, or none of its attention was kept.
    """
    part = part_of(trace, stack, layer)
    delivery = Delivery.whole_page(
        part.stack,
        part.choice,
        is_whole=part.has_all,
        offers_position=can_predict(trace, trace.stacks[part.stack.name]),
    )
    content = {
        f"{ANALYSIS}/{name}": make() for name, make in blobs(trace.example, delivery).items()
    }
    return LinkedView(
        written(
            message(ANALYSIS, trace.example, delivery),
            content,
            title=f"{trace.provenance.model_id}: {trace.example.text}",
            notes=part.notes,
        )
    )
