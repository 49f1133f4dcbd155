"""The link to what is on show: everything needed to see it again stands in the address.

Layers (by the model's own numbers), heads and tokens count from 1 there, as on screen. A link is
followed when a visit begins and when the visitor goes back or forward; otherwise the page leads
and the address follows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.shared import models, requests, selection, session, settings, tour
from pages.shared.comparing import pinned
from pages.shared.data_sets import browsing
from pages.shared.data_sets.sets import Place
from pages.shared.requests import Request
from vl_core.checkpoints import EMBEDDED_NAME
from vl_core.errors import DatasetError, ModelError, VLError

SOURCES = {"example": "gallery", "scene": "scene", "image": "upload", "set": "set"}
PLACE = ("item", "asked", "option")  # of an example of a data set
WORDS = ("stack", "statistic", "view", "direction", "projection", "fit")
RARE_WORDS = ("position", "picture_view")
MOST_TOKENS = 20_000  # a link must not make the server count for ever


@dataclass(frozen=True)
class Link:
    """A link that is not met yet: what it names, and what was on show when it came.

    wanted: None where the link names no picture. stop: of the tour, where nothing else of the link
    counts. is_refused: it names a picture that does not exist.
    """

    wanted: Request | None
    chosen: dict[str, object]
    on_show: Request
    stop: int | None = None
    is_refused: bool = False


def follow(page: str) -> None:
    """Ask for what the address names if it is not what was written there last.

    page: the file of the page that is about to be drawn.
    """
    address = dict(st.query_params)
    is_back = _is_going_back()
    if not address or (address == st.session_state.get("address") and not is_back):
        return
    st.session_state["address"] = address
    on_show = session.request()
    named = tour.named(address.get("tour"))
    stop = tour.passed(named, page) if is_back else named
    tour.join(stop)
    is_bare = stop is not None and (len(address) == 1 or stop != named)
    if page == browsing.PAGE:
        browsing.follow(address, is_back=is_back)
    try:
        wanted = tour.step(stop).request if is_bare else _request(address)
        _pin(address, is_back=is_back)
    except VLError as error:
        session.complain(str(error))
        st.session_state["link"] = Link(None, {}, on_show, is_refused=True)
        return
    st.session_state["link"] = (
        Link(wanted, {}, on_show, stop) if is_bare else Link(wanted, _selection(), on_show)
    )
    if wanted not in {None, on_show}:
        session.ask(wanted)
        st.session_state["fill_in"] = wanted


def _pin(address: Mapping[str, str], *, is_back: bool) -> None:
    """Pin what the address names for comparison; who goes back to before it was pinned, unpins."""
    if "with" in address:
        wanted = _request(dict(parse_qsl(address["with"])))
        if wanted is not None and wanted != pinned.current():
            pinned.pin(wanted, session.kept_upload())
    elif is_back:
        pinned.unpin()


def _is_going_back() -> bool:
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def settle() -> None:
    """Select what a link names once its picture is on show."""
    link = st.session_state.get("link")
    if link and not link.is_refused and link.wanted in {None, session.request()}:
        if link.stop is not None:
            tour.select(tour.step(link.stop))
        selection.update(**_counted(link.chosen))
        del st.session_state["link"]


def write(page: str) -> None:
    """Put what is on show into the address, unless a link there still waits to be met.

    page: the file of the page that was drawn; the one of data sets has something more to name.
    """
    link = st.session_state.get("link")
    if link and link.on_show == session.request():
        return
    st.session_state.pop("link", None)
    wanted = parameters() | (browsing.parameters() if page == browsing.PAGE else {})
    st.session_state["address"] = wanted
    if dict(st.query_params) != wanted:
        st.query_params.from_dict(wanted)


def parameters() -> dict[str, str]:
    """What names the page's content in an address: model, picture, question and selection."""
    what = _named(session.request())
    if (one := pinned.current()) is not None:
        what["with"] = urlencode(_named(one))
    if (stop := tour.number()) is not None:
        what["tour"] = str(stop)
    return what | _numbered(selection.current())


def _named(shown: Request) -> dict[str, str]:
    """What names a picture, its question and the model that is asked."""
    name = next(name for name, source in SOURCES.items() if source == shown.source)
    what = {"model": shown.model, name: shown.name}
    if shown.source == "set":
        what |= {part: str(getattr(shown.place, part) + 1) for part in PLACE}
    if shown.question:
        what["question"] = shown.question
    others = {part: getattr(shown, part) for part in ("instead", "regions")}
    return what | {part: value for part, value in others.items() if value}


def _numbered(chosen: selection.Selection) -> dict[str, str]:
    values = {name: str(getattr(chosen, name)) for name in WORDS}
    layers = session.trace().stacks[chosen.stack].layers
    values["layer"] = "mean" if chosen.all_layers else str(layers[chosen.layer] + 1)
    values["state"] = str(chosen.state)  # state 0 is the embeddings, k is after layer k
    values["head"] = "mean" if chosen.head is None else str(chosen.head + 1)
    values["specials"] = "with" if chosen.specials else "without"
    values["tokens"] = _listed(chosen.tokens) or "none"
    # Most traces offer no choice of these, and an address that names them would only be longer.
    rare = {"keys": _listed(chosen.keys), "picture_view": chosen.picture_view}
    rare["position"] = chosen.position if chosen.position != "predicts" else ""
    return values | {name: value for name, value in rare.items() if value}


def _listed(tokens: tuple[int, ...]) -> str:
    """Positions from 1, those that follow on each other as a range: "3,7-120,9"."""
    runs: list[list[int]] = []
    for token in tokens:
        if runs and token == runs[-1][-1] + 1:
            runs[-1].append(token)
        else:
            runs.append([token])
    short = [run if len(run) < 3 else [run[0], run[-1]] for run in runs]
    return ",".join(
        ("-" if len(run) > 2 else ",").join(str(end + 1) for end in ends)
        for run, ends in zip(runs, short, strict=True)
    )


def _request(parameters: Mapping[str, str]) -> Request | None:
    model = _model(parameters)
    for name, source in SOURCES.items():
        if name in parameters:
            question = parameters.get("question", "")
            regions = parameters.get("regions", "") if source == "upload" else ""
            wanted = Request(model, source, parameters[name], question, regions=regions)
            if source == "set":
                wanted = replace(wanted, place=_place(parameters))
            wanted = wanted if question else _with_first_question(wanted)
            return _with_instead(wanted, parameters)
    # A link that names no picture is about the one on show.
    wanted = session.request()
    if "model" in parameters:
        wanted = replace(wanted, model=model)
    if "instead" in parameters:
        wanted = _with_instead(wanted, parameters)
    return None if wanted == session.request() else wanted


def _place(parameters: Mapping[str, str]) -> Place:
    """Which example of a set the address names: the first of what it does not say."""
    numbers = {part: requests.number(parameters.get(part, "1")) for part in PLACE}
    for part, number in numbers.items():
        if not number:
            raise DatasetError(
                f"The link names the {part} {parameters[part][:20]!r} of a data set; whole "
                "numbers from 1 are wanted. Choose an item on the page Data sets."
            )
    return Place(**{part: (number or 1) - 1 for part, number in numbers.items()})


def _with_instead(wanted: Request, parameters: Mapping[str, str]) -> Request:
    instead = parameters.get("instead", "")
    is_itself = (wanted.source, wanted.name) == ("gallery", instead)
    return replace(wanted, instead="" if is_itself else instead)


def _model(parameters: Mapping[str, str]) -> str:
    # A link must never make the server open a path or fetch a model: one that is not loaded is
    # only put into the sidebar's field, and the link waits until the visitor has loaded it.
    name = parameters.get("model", EMBEDDED_NAME)
    if name == requests.OWN_TENSORS or models.is_ready(name):
        return name
    try:
        settings.check_offered(name)
    except ModelError as error:
        raise ModelError(
            f"The link asks for a model that this server does not offer. {error}"
        ) from error
    return name


def _with_first_question(wanted: Request) -> Request:
    if wanted.source not in ("gallery", "scene"):
        return wanted
    first = requests.known_questions(wanted)[0]
    return replace(wanted, question=first.text)


def _selection() -> dict[str, object]:
    parameters = st.query_params
    words = (*WORDS, *RARE_WORDS)
    found: dict[str, object] = {name: parameters[name] for name in words if name in parameters}
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
    for name in selection.TOKENS:
        if name in parameters:
            found[name] = _positions(parameters[name])
    return found


def _positions(listed: str) -> tuple[int, ...]:
    """What `_listed` wrote; of anything else what can be understood."""
    found: list[int] = []
    for part in listed.split(","):
        if len(found) >= MOST_TOKENS:
            break
        ends = [requests.number(end) for end in part.split("-")]
        if None not in ends and len(ends) <= 2:
            found += range(ends[0] - 1, min(ends[-1], ends[0] + MOST_TOKENS))
    return tuple(found[:MOST_TOKENS])


def _counted(chosen: dict[str, object]) -> dict[str, object]:
    """The selection with its layer counted within the stack, the nearest that this one has."""
    if "layer" not in chosen:
        return chosen
    stacks = session.trace().stacks
    name = str(chosen.get("stack", selection.current().stack))
    layers = stacks[name if name in stacks else selection.current().stack].layers
    nearest = min(range(len(layers)), key=lambda layer: abs(layers[layer] - chosen["layer"]))
    return chosen | {"layer": nearest}
