"""What every page shares in looks: its heading, its explanation and its downloads."""

import io
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

if TYPE_CHECKING:
    import plotly.graph_objects as go

CAUTION = (
    "**Attention shows routing, not cause.** A head that looks at a place need not use what it "
    "finds there, and what it does not look at may have reached it through other layers."
)


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
    """The text as Markdown that shows exactly these characters: labels and errors are Markdown."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])", r"\\\1", text)


def downloads(
    name: str,
    *,
    csv: Callable[[], str] | None = None,
    npz: Callable[[], Mapping[str, np.ndarray]] | None = None,
    figure: "Callable[[], go.Figure] | None" = None,
) -> None:
    """A row of buttons for the numbers and the figure of a view, made when they are clicked."""
    offers = [
        ("Data (CSV)", "csv", "text/csv", csv and (lambda: csv().encode())),
        ("Data (NPZ)", "npz", "application/octet-stream", npz and (lambda: _npz(npz()))),
        ("Figure (HTML)", "html", "text/html", figure and (lambda: _page(figure()))),
    ]
    with st.container(horizontal=True):
        for label, ending, mime, content in offers:
            if content:
                st.download_button(
                    label,
                    content,
                    f"{name}.{ending}",
                    mime,
                    key=f"download_{name}_{ending}",
                    on_click="ignore",
                    icon=":material/download:",
                )


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def _page(figure: "go.Figure") -> bytes:
    # Plotly's script goes into the file, so that it opens offline.
    return figure.to_html(include_plotlyjs=True).encode()
