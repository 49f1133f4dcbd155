"""The overview's card: picture with patch grid, text as tokens, what the model makes of them."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from pages.shared.components.assets import component
from pages.shared.components.summary.verdict import verdict
from pages.shared.drawn_patches import drawn_patches
from vl_core import as_seen
from vl_core.trace import TokenTable, Trace
from vl_core.trace.nouns import image_noun

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
    words, patches = as_seen.words_and_patches(trace)
    return {
        "picture": _data_url(trace.example.picture),
        "alt": f"The picture that was analysed, with its {image_noun(patches).many}",
        "size": trace.example.original_size,
        "boxes": _edges(patches.boxes[drawn_patches(patches)]),
        "instead": f"Shown to the model: {in_place}" if in_place else "",
        "caption": as_seen.sentence(trace),
        **_read(words),
        "doubt": _unknown_sentence(words),
        **verdict(trace),
    }


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
