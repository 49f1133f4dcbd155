"""What every page shares in looks: its heading, its explanation and its downloads."""

import html
import io
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.shared import requests, session

if TYPE_CHECKING:
    import plotly.graph_objects as go

CAUTION = (
    "**Attention shows routing, not cause.** A head that looks at a place need not use what it "
    "finds there, and what it does not look at may have reached it through other layers."
)
# Where addresses of the web and of mail are told, escaped or not (GitHub's Markdown).
_ADDRESS = re.compile(r"https?:(?=//)|www(?=\.)|(?<=[\w.+-])@(?=\w)", re.IGNORECASE)
SUBTITLE_ROOM = 44  # pixels: the line, and a legend below it


def heading(title: str, sentence: str) -> None:
    """The page's question, and in one sentence what it shows."""
    st.title(title, anchor=False)
    st.caption(sentence)


def how_to_read(markdown: str, caution: str = CAUTION) -> None:
    """The definitions behind a view, and a caution: of attention unless another one is given."""
    with st.expander("How to read this", icon=":material/menu_book:"):
        st.markdown(markdown)
        st.markdown(caution)


def escaped(text: str) -> str:
    """The text as Markdown that shows exactly these characters: labels and errors are Markdown.

    An address in it stays text: an invisible character in it keeps Markdown from making it a link.
    """
    text = _ADDRESS.sub("\\g<0>\N{WORD JOINER}", text)
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])", r"\\\1", text)


def cut(text: str, most: int) -> str:
    """The text with at most so many characters, the last of which tells that it was longer."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def percent(share: float) -> str:
    """A share (0..1) for reading, with one decimal and never rounded to nothing or to all."""
    if 0 < share < 0.001:
        return "<0.1 %"
    if 0.999 < share < 1:
        return ">99.9 %"
    return f"{100 * share:.1f} %".replace(".0 %", " %")


def said_about_example() -> str:
    """What is on show, for whatever leaves the page: the picture, the question and the model."""
    return said_about(session.request(), session.trace().example.text)


def said_about(shown: requests.Request, text: str) -> str:
    """An example in a line: the picture, the text as the model read it, and the model."""
    model = shown.model if shown.model == requests.OWN_TENSORS else f"{shown.model} model"
    return f"{picture_called(shown)} · {text} · {model}"


def picture_called(shown: requests.Request) -> str:
    """What an example's picture is called within a sentence, and what stands in its place."""
    pictures = {
        "scene": f"scene {shown.name}",
        "upload": "an uploaded picture",
        "set": f"{shown.name}, item {shown.place.item + 1}",
    }
    if shown.source == "gallery":
        title = requests.gallery_entry(shown.name).title
        pictures["gallery"] = title[0].lower() + title[1:]
    picture = pictures[shown.source]
    return f"{picture} (in its place: {requests.in_its_place(shown)})" if shown.instead else picture


def downloads(
    name: str,
    *,
    csv: Callable[[], str] | None = None,
    npz: Callable[[], Mapping[str, np.ndarray]] | None = None,
    figure: "Callable[[], go.Figure] | None" = None,
    figure_name: str | None = None,
    title: str | None = None,
    counted: str = "",
) -> None:
    """A row of buttons for the numbers and the figure of a view, made when they are clicked.

    Of the figure's file: figure_name, where `name` says too little; title, where the figure has
    none on the page; counted: what must be said of its numbers besides.
    """
    offers = [
        ("Data (CSV)", "csv", "text/csv", csv and (lambda: csv().encode())),
        ("Data (NPZ)", "npz", "application/octet-stream", npz and (lambda: _npz(npz()))),
        (
            "Figure (HTML)",
            "html",
            "text/html",
            figure and (lambda: _page(figure(), title, counted)),
        ),
    ]
    names = {"html": figure_name or name}
    with st.container(horizontal=True):
        for label, ending, mime, content in offers:
            if content:
                st.download_button(
                    label,
                    content,
                    f"{names.get(ending, name)}.{ending}",
                    mime,
                    key=f"download_{name}_{ending}",
                    on_click="ignore",
                    icon=":material/download:",
                )


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def _page(figure: "go.Figure", title: str | None, counted: str) -> bytes:
    shown = captioned(figure, " · ".join(filter(None, [said_about_example(), counted])))
    if title is not None:
        shown.update_layout(title={"text": title})
    # Plotly's script goes into the file, so that it opens offline; frames wait to be played.
    return shown.to_html(include_plotlyjs=True, auto_play=False).encode()


def captioned(figure: "go.Figure", sentence: str) -> "go.Figure":
    """A copy with a line below its title, and room for it at the top."""
    copied = deepcopy(figure)  # figures on a page are shared by all visitors
    # Plotly reads a few HTML tags in its texts; a question must not write any.
    title = {"y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 12}}
    copied.update_layout(title=title | {"subtitle": {"text": html.escape(sentence)}})
    if copied.layout.height:
        copied.update_layout(height=copied.layout.height + SUBTITLE_ROOM)
    return copied.update_layout(margin={"t": (copied.layout.margin.t or 0) + SUBTITLE_ROOM})
