"""The view as the browser gets it: HTML, CSS and one JavaScript module, without a build step.

The module exports `linkedView`. It expects a `bus` before it with the bytes by key:
`{ blobs: Map, target: EventTarget }`.
"""

from pathlib import Path

FOLDER = Path(__file__).parent / "view"
SCRIPTS = (
    "colors",
    "halves",
    "masks",
    "layers",
    "tables",
    "profiles",
    "picture",
    "words",
    "thumbnails",
    "telling",
    "choices",
    "pointing",
    "playing",
    "export",
    "component",
)


def script() -> str:
    """The JavaScript, joined into one module."""
    return "\n".join(_text(f"{name}.js") for name in SCRIPTS)


def html() -> str:
    """What the view is drawn into."""
    return _text("component.html")


def css() -> str:
    """Its styles, for a shadow root; the colors and fonts are variables that begin with --st-."""
    return _text("component.css")


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
