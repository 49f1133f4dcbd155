"""The overview's card: picture with patch grid, question as tokens, answer with its runners-up."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from pages.shared.components.assets import component
from pages.shared.layout import percent
from vl_core.trace import TokenTable, Trace

TITLES = {
    "text": "A word of the question",
    "special": "Added by the model: marks the beginning, the end or a gap",
}
UNKNOWN = "The model does not know this word: it reads [UNK], as for any unknown word"

_mount = component("summary")


def summary(trace: Trace, in_place: str = "") -> None:
    """Draw the card for a trace; in_place: what the model was shown instead of the picture."""
    stack = next(iter(trace.stacks.values()))
    _mount(key="summary", data=_payload(trace, stack.queries, in_place))


def _payload(trace: Trace, tokens: TokenTable, in_place: str) -> dict[str, Any]:
    boxes = tokens.boxes[tokens.is_image]
    return {
        "picture": _data_url(trace.example.picture),
        "alt": "The picture that was analysed, with the grid of its patches",
        "size": trace.example.original_size,
        "boxes": np.round(boxes, 2).tolist(),
        "instead": f"Shown to the model: {in_place}" if in_place else "",
        "caption": _grid_sentence(trace, len(boxes)),
        "tokens": [_token(tokens, i) for i in np.flatnonzero(~tokens.is_image)],
        "doubt": _unknown_sentence(tokens),
        "answers": [
            {"text": text, "share": share, "said": percent(share)}
            for text, share in trace.prediction.top[:5]
        ],
        "truth": _truth(trace),
    }


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


def _grid_sentence(trace: Trace, patches: int) -> str:
    if trace.example.image is None or trace.example.original_size is None:
        return ""
    width, height = trace.example.original_size
    seen_width, seen_height = trace.example.image.size
    return (
        f"{patches} patches. The picture of {width} × {height} pixels reaches the model "
        f"as {seen_width} × {seen_height}."
    )


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


def _truth(trace: Trace) -> str:
    right = trace.example.answer
    if right is None:
        return ""
    verdict = "right" if trace.prediction.top[0][0] == right else f"wrong: it is {right}"
    return f"The scene's own answer is known; the model is {verdict}."
