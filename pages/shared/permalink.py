"""The link to what is on show: everything needed to see it again stands in the address.

Layers, heads and tokens count from 1 there, as on screen.
"""

import streamlit as st

from pages.shared import requests, selection, session
from pages.shared.requests import Request
from vl_core.errors import ModelError, VLError

SOURCES = {"example": "gallery", "scene": "scene", "image": "upload"}
NUMBERS = ("layer", "state")
WORDS = ("stack", "statistic", "view", "direction", "projection", "fit")


def follow() -> None:
    """On a visit's first run, ask for what the link names; afterwards the page leads."""
    if st.session_state.setdefault("link_followed", False):
        return
    st.session_state["link_followed"] = True
    selection.update(**_selection())
    try:
        wanted = _request()
    except VLError as error:
        session.complain(str(error))
        return
    if wanted is not None:
        session.ask(wanted)


def write() -> None:
    """Put what is on show into the address."""
    shown = session.request()
    parameter = next(name for name, source in SOURCES.items() if source == shown.source)
    wanted = {"model": shown.model, parameter: shown.name, "question": shown.question}
    wanted |= _numbered(selection.current())
    if dict(st.query_params) != wanted:
        st.query_params.from_dict(wanted)


def _numbered(chosen: selection.Selection) -> dict[str, str]:
    values = {name: str(getattr(chosen, name)) for name in WORDS}
    values["layer"] = str(chosen.layer + 1)
    values["state"] = str(chosen.state)  # state 0 is the embeddings, k is after layer k
    values["head"] = "mean" if chosen.head is None else str(chosen.head + 1)
    values["specials"] = "with" if chosen.specials else "without"
    values["tokens"] = ",".join(str(token + 1) for token in chosen.tokens)
    return {name: value for name, value in values.items() if value}


def _request() -> Request | None:
    parameters = st.query_params
    for name, source in SOURCES.items():
        if name in parameters:
            question = parameters.get("question", "")
            wanted = Request(_model(), source, parameters[name], question)
            return wanted if question else _with_first_question(wanted)
    return None


def _model() -> str:
    # A link must never make the server open a path or fetch a model of its own choosing.
    name = st.query_params.get("model", requests.MODELS[0])
    if name not in requests.MODELS:
        raise ModelError(
            f"The link asks for the model {name!r}, which this server does not offer. "
            f"It has: {', '.join(requests.MODELS)}."
        )
    return name


def _with_first_question(wanted: Request) -> Request:
    if wanted.is_private:
        return wanted
    first = requests.known_questions(wanted)[0]
    return Request(wanted.model, wanted.source, wanted.name, first.text)


def _selection() -> dict[str, object]:
    parameters = st.query_params
    found: dict[str, object] = {name: parameters[name] for name in WORDS if name in parameters}
    if (layer := _number(parameters.get("layer"))) is not None:
        found["layer"] = layer - 1
    if (state := _number(parameters.get("state"))) is not None:
        found["state"] = state
    if parameters.get("head") == "mean":
        found["head"] = None
    elif (head := _number(parameters.get("head"))) is not None:
        found["head"] = head - 1
    if "specials" in parameters:
        found["specials"] = parameters["specials"] != "without"
    tokens = [_number(part) for part in parameters.get("tokens", "").split(",")]
    if any(token is not None for token in tokens):
        found["tokens"] = tuple(token - 1 for token in tokens if token is not None)
    return found


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else None
