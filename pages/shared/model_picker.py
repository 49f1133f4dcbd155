"""Which model looks at the picture: what there is, what it takes, and loading it."""

import streamlit as st

from pages.shared import awaited, model_list, models, settings
from pages.shared.awaited import Awaited
from pages.shared.layout import escaped
from pages.shared.progress import progress
from vl_core import checkpoints
from vl_core.checkpoints import EMBEDDED_NAME, readable
from vl_core.errors import VLError

EMBEDDED_TITLE = "Embedded, KD-VLP style"
LISTED = "One of the models that this server offers."
ANY = (
    "One of the list, or any other of an architecture that is covered, your own fine-tune for "
    "instance: type its name at Hugging Face, owner/name."
)
FOLDERS = " The folder of a checkpoint on the server will do as well."
ENDING = "It stops as soon as what is being done right now has been done."
MEANWHILE = "It is loaded for everybody. What is on show stays, and other models can be asked."
UNAWAITED = "It is being loaded, and you do not wait for it."
OTHERS = " Others do."


def draw() -> None:
    """The field, what the chosen model is and takes, and the way to load it."""
    with st.container(gap="xsmall"):
        st.selectbox(
            "Model",
            _offered(),
            format_func=_title,
            key="model",
            accept_new_options=not settings.models(),
            filter_mode="contains",
            on_change=_tidy,
            help=LISTED if settings.models() else ANY + FOLDERS * settings.allows_folders(),
        )
        name = chosen()
        if not models.is_ready(name):
            _offer_to_load(name)
        elif name != EMBEDDED_NAME:
            st.caption(f"**{escaped(name)}** is loaded.")
        if len(_offered()) > 1 and st.button(
            "Compare models", icon=":material/list:", type="tertiary", key="compare"
        ):
            model_list.show()


def fill_in(name: str) -> None:
    """Choose a model; only before the field is drawn, Streamlit forbids it afterwards."""
    st.session_state["model"] = name


def chosen() -> str:
    """The model's name as it stands in the field."""
    return str(st.session_state.get("model") or EMBEDDED_NAME)


def _tidy() -> None:
    fill_in(chosen().strip())


def _offered() -> list[str]:
    """The embedded model, the owner's choice or the well-known ones, and what is loaded."""
    names = [EMBEDDED_NAME, *model_list.listed()]
    if not settings.models():
        names += [*models.loaded(), chosen()]
    return list(dict.fromkeys(names))


def _title(name: str) -> str:
    if name == EMBEDDED_NAME:
        return EMBEDDED_TITLE
    entry = model_list.entry(name)
    return entry.title if entry else name


def _offer_to_load(name: str) -> None:
    """What the model is and takes, and the button that fetches and loads it."""
    job = models.loading(name)
    if job is not None and job.problem is None:
        _on_its_way(name, job)
        return
    try:
        settings.check_offered(name)
        st.caption(_described(name))
    except VLError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return
    if job is not None and job.was_stopped:
        st.info(escaped(job.problem), icon=":material/stop_circle:")
    elif job is not None:
        st.error(escaped(job.problem), icon=":material/error:")
    st.button(
        "Load the model" if job is None else "Try again",
        icon=":material/download:" if job is None else ":material/refresh:",
        key="load_model",
        on_click=models.load,
        args=(name,),
        width="stretch",
    )


def _on_its_way(name: str, job: Awaited[None]) -> None:
    """How far it is and the way to wait for it no longer; to who does not wait, the way to."""
    if not job.is_stopping and not job.is_awaited_by(awaited.visitor()):
        _offer_to_wait(name, job)
        return
    progress(job)
    st.caption(ENDING if job.is_stopping else MEANWHILE)
    st.button(
        "Stop",
        icon=":material/stop_circle:",
        key="stop_model",
        on_click=models.give_up,
        args=(name,),
        disabled=job.is_stopping,
        help="Wait for it no longer. It is loaded no further unless others wait for it.",
        width="stretch",
    )


def _offer_to_wait(name: str, job: Awaited[None]) -> None:
    """That this visitor does not wait for what is on its way, whether others do, and the choice."""
    st.caption(UNAWAITED + OTHERS * job.is_awaited)
    st.button(
        "Wait for it",
        icon=":material/hourglass_empty:",
        key="load_model",
        on_click=models.load,
        args=(name,),
        help="See how far it is. As long as you wait for it nobody else can stop it.",
        width="stretch",
    )


def _described(name: str) -> str:
    """What it answers and takes, and whether it must be fetched, as Markdown."""
    if settings.is_folder(name):
        return f"The checkpoint in the folder **{escaped(name)}**."
    parts = [f"**{escaped(name)}**  \n"]
    if entry := model_list.entry(name):
        parts += [f"Answers: {entry.answers}.", _memory(entry)]
    is_here = checkpoints.is_cached(name)
    parts.append("In the local cache." if is_here else "Not in the local cache: it is downloaded.")
    if entry and entry.is_gated:
        parts.append("Gated: its licence must be accepted at Hugging Face first.")
    return " ".join(parts)


def _memory(entry: checkpoints.Entry) -> str:
    """What it takes in the precision that is used here, which often depends on the device."""
    kept = settings.precision()
    if kept != "auto":
        return f"Takes about {readable(entry.needed_bytes(kept))} of memory in {kept}."
    full, half = (readable(entry.needed_bytes(kept)) for kept in ("float32", "bfloat16"))
    return f"Takes about {full} of memory, {half} on a GPU."
