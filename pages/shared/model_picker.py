"""Which model looks at the picture: what there is, what it takes, and loading it."""

import streamlit as st

from pages.shared import background, session, settings
from pages.shared.layout import escaped
from vl_core import checkpoints
from vl_core.checkpoints import Entry
from vl_core.errors import VLError

EMBEDDED = checkpoints.EMBEDDED_NAME
HELP = (
    "A model of Hugging Face by its name, owner/name: choose one of the list, or type any other of "
    "an architecture that is covered, your own fine-tune for instance."
)
FOLDERS = " A folder of this machine will do as well."


def draw() -> bool:
    """The field, and what the chosen model takes; whether it is ready to analyse."""
    # The field follows links, which choose a model before it is drawn.
    st.session_state.setdefault("model", session.request().model)
    st.selectbox(
        "Model",
        _offered(),
        format_func=_title,
        key="model",
        accept_new_options=not settings.models(),
        help=HELP + FOLDERS * settings.allows_folders(),
    )
    name = chosen()
    if session.is_loaded(name) or name == EMBEDDED:
        return True
    _offer_to_load(name)
    return False


def chosen() -> str:
    """The model's name as it stands in the field."""
    return str(st.session_state.get("model") or EMBEDDED).strip()


def _offered() -> list[str]:
    """The embedded model, the owner's choice or the well-known ones, and what is loaded."""
    listed = settings.models() or tuple(entry.model_id for entry in checkpoints.offered())
    names = [EMBEDDED, *listed, *session.loaded_models(), chosen()]
    return list(dict.fromkeys(names))


def _title(name: str) -> str:
    if name == EMBEDDED:
        return "Embedded, KD-VLP style"
    entry = _entry(name)
    return entry.title if entry else name


def _entry(name: str) -> Entry | None:
    return next((entry for entry in checkpoints.CATALOGUE if entry.model_id == name), None)


def _offer_to_load(name: str) -> None:
    """What the model is and takes, and the button that fetches and loads it."""
    job = session.loading(name)
    if job is not None and job.problem is None:
        background.progress(job)
        return
    try:
        st.caption(escaped(_described(name)))
    except VLError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return
    if job is not None:
        st.error(escaped(job.problem), icon=":material/error:")
    st.button(
        "Load the model" if job is None else "Try again",
        icon=":material/download:",
        on_click=session.load,
        args=(name,),
        width="stretch",
    )


def _described(name: str) -> str:
    """What it answers and takes, and whether it must be fetched; raises ModelError for no name."""
    if settings.allows_folders() and not checkpoints.is_hub_name(name):
        return f"The checkpoint in the folder {name}."
    entry, cached = _entry(name), checkpoints.is_cached(name)
    parts = ["In the local cache." if cached else "Not in the local cache yet: it is downloaded."]
    if entry:
        size = checkpoints.readable(entry.weights_bytes("bfloat16"))
        full = checkpoints.readable(entry.needed_bytes("float32"))
        half = checkpoints.readable(entry.needed_bytes("bfloat16"))
        parts.insert(0, f"{name}: {entry.answers}.")
        parts.append(
            f"About {size} in 16 bits; it takes {half} of memory in 16 bits, {full} in 32."
        )
        if entry.is_gated:
            parts.append("Its licence must be accepted at Hugging Face first.")
    return " ".join(parts)
