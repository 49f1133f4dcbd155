"""Registering a component from its folder: component.js beside .css and .html, no build step."""

from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent


def component(name: str, *scripts: str) -> Any:  # noqa: ANN401 Streamlit's renderer has no public type
    """The component of that folder, ready to be mounted; its files are read once per process.

    scripts: the files of its JavaScript in order, joined into one module; component.js alone
    unless given.
    """
    parts = {kind: text(f"{name}/component.{kind}") for kind in ("html", "css")}
    joined = "\n".join(text(script) or "" for script in scripts or (f"{name}/component.js",))
    return st.components.v2.component(f"vl_{name}", js=joined or None, **parts)


def text(name: str) -> str | None:
    """A file of this folder, None if there is none of that name."""
    file = HERE / name
    return file.read_text(encoding="utf-8") if file.exists() else None
