"""The page that shows the linked view by itself: its files, the message and the bytes in one text.

What a user wrote comes in as JSON in a script that is not run, or as text; in neither can it end
its element. The page's own policy keeps the browser from loading anything.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from vl_core.linked_view import files

FOLDER = Path(__file__).parent


def written(
    message: Mapping[str, Any],
    blobs: Mapping[str, bytes],
    *,
    title: str,
    notes: Sequence[str],
) -> str:
    """The page as HTML.

    message, blobs: what the view is told, and its bytes by key (see `linked_view.message`). notes:
    sentences above it.
    """
    encoded = {key: base64.b64encode(content).decode("ascii") for key, content in blobs.items()}
    return Template(_text("page.html")).substitute(
        title=escape(title),
        notes="".join(f"<p>{escape(note)}</p>" for note in notes),
        page_css=_text("page.css"),
        view_css=files.css(),
        view=files.html(),
        data=_harmless({"message": message, "blobs": encoded}),
        script="\n".join([_text("bus.js"), files.script(), _text("page.js")]),
    )


def _harmless(content: object) -> str:
    """JSON in which nothing can be taken for a tag or a comment of HTML."""
    return json.dumps(content).replace("<", "\\u003c")


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
