"""The link to what is on show: everything needed to see it again stands in the address.

Layers, heads and tokens count from 1 there, as on screen. A link is followed when a visit begins
and when the visitor goes back or forward; otherwise the page leads and the address follows.
"""

from dataclasses import dataclass

import streamlit as st

from pages.shared import requests, selection, session
from pages.shared.requests import Request
from vl_core.errors import ModelError, VLError

SOURCES = {"example": "gallery", "scene": "scene", "image": "upload"}
WORDS = ("stack", "statistic", "view", "direction", "projection", "fit")


@dataclass(frozen=True)
class Link:
    """A link that is not met yet: what it names, and what was on show when it came.

    wanted: None where the link names no picture. is_refused: it names one that does not exist.
    """

    wanted: Request | None
    chosen: dict[str, object]
    on_show: Request
    is_refused: bool = False


def follow() -> None:
    """Ask for what the address names if it is not what was written there last."""
    address = dict(st.query_params)
    if not address or address == st.session_state.get("address"):
        return
    st.session_state["address"] = address
    on_show = session.request()
    try:
        wanted = _request(_model())
    except VLError as error:
        session.complain(str(error))
        st.session_state["link"] = Link(None, {}, on_show, is_refused=True)
        return
    st.session_state["link"] = Link(wanted, _selection(), on_show)
    if wanted not in {None, on_show}:
        session.ask(wanted)
        st.session_state["fill_in"] = wanted


def settle() -> None:
    """Select what a link names once its picture is on show."""
    link = st.session_state.get("link")
    if link and not link.is_refused and link.wanted in {None, session.request()}:
        selection.update(**link.chosen)
        del st.session_state["link"]


def write() -> None:
    """Put what is on show into the address, unless a link there still waits to be met."""
    link = st.session_state.get("link")
    if link and link.on_show == session.request():
        return
    st.session_state.pop("link", None)
    wanted = parameters()
    st.session_state["address"] = wanted
    if dict(st.query_params) != wanted:
        st.query_params.from_dict(wanted)


def parameters() -> dict[str, str]:
    """What names the page's content in an address: model, picture, question and selection."""
    shown = session.request()
    name = next(name for name, source in SOURCES.items() if source == shown.source)
    what = {"model": shown.model, name: shown.name, "question": shown.question}
    return what | _numbered(selection.current())


def _numbered(chosen: selection.Selection) -> dict[str, str]:
    values = {name: str(getattr(chosen, name)) for name in WORDS}
    values["layer"] = "mean" if chosen.all_layers else str(chosen.layer + 1)
    values["state"] = str(chosen.state)  # state 0 is the embeddings, k is after layer k
    values["head"] = "mean" if chosen.head is None else str(chosen.head + 1)
    values["specials"] = "with" if chosen.specials else "without"
    values["tokens"] = ",".join(str(token + 1) for token in chosen.tokens) or "none"
    return values


def _request(model: str) -> Request | None:
    parameters = st.query_params
    for name, source in SOURCES.items():
        if name in parameters:
            question = parameters.get("question", "")
            wanted = Request(model, source, parameters[name], question)
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
    if "layer" in parameters:
        found["all_layers"] = parameters["layer"] == "mean"
    if (layer := requests.number(parameters.get("layer"))) is not None:
        found["layer"] = layer - 1
    if (state := requests.number(parameters.get("state"))) is not None:
        found["state"] = state
    if parameters.get("head") == "mean":
        found["head"] = None
    elif (head := requests.number(parameters.get("head"))) is not None:
        found["head"] = head - 1
    if "specials" in parameters:
        found["specials"] = parameters["specials"] != "without"
    if "tokens" in parameters:
        tokens = [requests.number(part) for part in parameters["tokens"].split(",")]
        found["tokens"] = tuple(token - 1 for token in tokens if token is not None)
    return found
