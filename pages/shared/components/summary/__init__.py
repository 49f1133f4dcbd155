"""The overview's card: picture with patch grid, text as tokens, what the model makes of them."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from pages.shared.components.assets import component
from pages.shared.components.summary.verdict import verdict
from pages.shared.drawn_patches import drawn_patches, view_sizes
from vl_core.arrays import TokenMask
from vl_core.token_attention import has_place
from vl_core.trace import TokenTable, Trace

MOST_TOKENS = 300  # chips: more are counted and not shown
TITLES = {
    "text": "A word of the text",
    "special": "Added by the model: marks the beginning, the end or a gap, or stands around the "
    "text",
}
UNKNOWN = "The model does not know this word: it reads [UNK], as for any unknown word"

_mount = component("summary")


def summary(trace: Trace, in_place: str = "") -> None:
    """Draw the card for a trace; in_place: what the model was shown instead of the picture."""
    _mount(key="summary", data=payload(trace, in_place))


def payload(trace: Trace, in_place: str = "") -> dict[str, Any]:
    """All that the card shows."""
    words, patches = _telling_tables(trace)
    return {
        "picture": _data_url(trace.example.picture),
        "alt": "The picture that was analysed, with the grid of its patches",
        "size": trace.example.original_size,
        "boxes": _edges(patches.boxes[drawn_patches(patches)]),
        "instead": f"Shown to the model: {in_place}" if in_place else "",
        "caption": _grid_sentence(trace, patches),
        **_read(words),
        "doubt": _unknown_sentence(words),
        **verdict(trace),
    }


def _telling_tables(trace: Trace) -> tuple[TokenTable, TokenTable]:
    """The tokens of the first stream with words, and of the first with patches in the picture.

    Where the stream with words has patches too, as in a model of one stream, these are the ones.
    """
    tables = [stream.tokens for stream in trace.streams.values()]
    words = next((table for table in tables if table.is_text.any()), tables[0])
    return words, next((one for one in [words, *tables] if has_place(one).any()), words)


def _edges(boxes: np.ndarray) -> dict[str, Any]:
    """Boxes as pairs of rows and columns where they form a grid, which may be large."""
    rounded = np.round(boxes, 2)
    columns, rows = (np.unique(rounded[:, side::2], axis=0) for side in (0, 1))
    if len(boxes) == len(columns) * len(rows):
        return {"columns": columns.tolist(), "rows": rows.tolist()}
    return {"each": rounded.tolist()}


def _read(tokens: TokenTable) -> dict[str, Any]:
    """What the model reads before it answers, and how much of it is not shown."""
    is_read = ~(tokens.is_image | tokens.is_padding | tokens.is_generated)
    shown = np.flatnonzero(is_read)
    return {
        "tokens": [_token(tokens, i) for i in shown[:MOST_TOKENS]],
        "more": _more(len(shown) - MOST_TOKENS),
    }


def _more(count: int) -> str:
    return f"and {count:,} more" if count > 0 else ""


def _token(tokens: TokenTable, index: int) -> dict[str, Any]:
    is_unknown = bool(tokens.is_unknown[index])
    kind = tokens.kinds[index]
    return {
        "text": tokens.texts[index],
        "kind": kind,
        "unknown": is_unknown,
        "title": UNKNOWN if is_unknown else TITLES[kind],
    }


def _data_url(picture: Image.Image | None) -> str:
    if picture is None:
        return ""
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()


def _grid_sentence(trace: Trace, tokens: TokenTable) -> str:
    if trace.example.image is None or trace.example.original_size is None:
        return ""
    width, height = trace.example.original_size
    seen_width, seen_height = trace.example.image.size
    return (
        f"{_counted(tokens, has_place(tokens))}. The picture of {width} × {height} pixels reaches "
        f"the model as {seen_width} × {seen_height}."
    )


def _counted(tokens: TokenTable, placed: TokenMask) -> str:
    sizes = view_sizes(tokens)
    said = f"{placed.sum()} patches"
    if len(sizes) > 1:
        said += f" ({', '.join(f'{view}: {count}' for view, count in sizes.items())})"
    without = int(tokens.is_image.sum() - placed.sum())
    return said + (f" and {without} tokens without a place in the picture" if without else "")


def _unknown_sentence(tokens: TokenTable) -> str:
    """What to think of an answer to a question with words outside the vocabulary."""
    unknown = list(dict.fromkeys(tokens.texts[i] for i in np.flatnonzero(tokens.is_unknown)))
    if not unknown:
        return ""
    *first, last = (f"“{word}”" for word in unknown)
    said = f"{', '.join(first)} and {last}" if first else last
    place, word = ("their places", "words") if first else ("its place", "word")
    return (
        f"It does not know {said} and reads [UNK] in {place}: with any other unknown {word} the "
        "answer would be the same."
    )
