"""The question in the sidebar, what the model is shown, and the button that asks it."""

from dataclasses import replace

import streamlit as st

from pages.shared import kept, models, requests, selection, session
from pages.shared.requests import OWN_TENSORS, Request, Upload
from vl_core.errors import ImageError

INSTEAD = (
    "Put something else in place of the picture and ask the same: what does not change was not "
    "about the picture."
)
NO_PIXELS = (
    "This model reads no pixels but the regions that a detector found, and those would stay the "
    "same whatever picture stood here."
)
REGIONS = (
    "This model reads no pixels but the regions that a detector found in the picture. Add the file "
    "with these above."
)
REGIONS_ELSEWHERE = (
    "This model reads no pixels but the regions that a detector found in a picture. Choose "
    "*Upload* to bring both."
)
MAX_QUESTION = 500  # characters; the model's own limit is counted in tokens and said by the core


def draw(
    chosen: Request,
    upload: Upload | None,
    *,
    has_picture: bool = True,
    placeholder: str | None = None,
) -> Request:
    """The question's field and what the model is shown; returns all that is chosen.

    placeholder: what stands in the field where no question does.
    """
    asked, lacking = _asked(chosen), _lacking(chosen)
    is_ready = has_picture and models.is_ready(asked.model) and lacking is None
    found = kept.foreseen(asked, upload) if is_ready else None
    # Another question may do where the text is refused, but not where the picture is.
    is_sent = _form(placeholder, is_open=is_ready and not isinstance(found, ImageError))
    _choose_in_place(asked, upload, is_open=is_ready)
    if has_picture and lacking is not None:
        st.info(lacking)
    elif is_ready:
        kept.tell(found)
    if is_sent:
        _note(asked, upload)
    elif is_ready and session.wanted().model not in {asked.model, OWN_TENSORS}:
        st.caption("On show is still what another model did; *Analyse* asks this one.")
    return asked


def ask(wanted: Request) -> None:
    """Write the question into its field, and ask it unless the model must be loaded first.

    Or unless it lacks what a gallery does not have.
    """
    fill_in(wanted.question)
    if models.is_ready(wanted.model) and _lacking(wanted) is None:
        _note(wanted, None)


def fill_in(question: str) -> None:
    """Write into the question's field; only before it is drawn, Streamlit forbids it afterwards."""
    st.session_state["typed"] = st.session_state["question"] = question


def _asked(chosen: Request) -> Request:
    """What is chosen with its question: what the form was sent with is known before it is drawn."""
    # Streamlit forgets a field that a run does not draw; what stood in it is kept beside it.
    st.session_state.setdefault("question", st.session_state.get("typed", ""))
    return replace(chosen, question=st.session_state["question"], instead=_instead(chosen))


def _form(placeholder: str | None, *, is_open: bool) -> bool:
    """The field and the button; returns whether it was sent."""
    with st.form("question_form", border=False):
        st.text_input("Question", key="question", max_chars=MAX_QUESTION, placeholder=placeholder)
        is_sent = st.form_submit_button(
            "Analyse",
            type="primary",
            icon=":material/play_arrow:",
            width="stretch",
            disabled=not is_open,
        )
    st.session_state["typed"] = st.session_state["question"]
    return is_sent


def _choose_in_place(asked: Request, upload: Upload | None, *, is_open: bool) -> None:
    """What the model is shown: the picture, or something else in its place."""
    names = {"": "The picture itself"} | requests.replacements(asked)
    # The field follows what is on show, which also the pages can change.
    st.session_state["instead"] = asked.instead
    reads_regions = _reads_regions(asked.model)
    st.selectbox(
        "Shown to the model",
        list(names),
        format_func=names.get,
        key="instead",
        on_change=_put_in_place,
        args=(asked, upload),
        disabled=not is_open or reads_regions,
        help=NO_PIXELS if reads_regions else INSTEAD,
    )


def _reads_regions(model: str) -> bool:
    return models.feature_width(model) is not None


def _lacking(chosen: Request) -> str | None:
    """What must be brought beside the picture before the model can be asked, as Markdown."""
    if not _reads_regions(chosen.model) or chosen.regions:
        return None
    return REGIONS if chosen.source == "upload" else REGIONS_ELSEWHERE


def _instead(chosen: Request) -> str:
    """What stands in the place of the chosen picture, if that is the one on show."""
    shown = session.wanted()
    return shown.instead if _is_same_picture(shown, chosen) else ""


def _is_same_picture(one: Request, other: Request) -> bool:
    return replace(one, question="", instead="", regions="") == replace(
        other, question="", instead="", regions=""
    )


def _put_in_place(asked: Request, upload: Upload | None) -> None:
    """Analyse with what was chosen in the picture's place; on that picture all stays selected."""
    wanted = replace(asked, instead=st.session_state["instead"])
    if _is_same_picture(session.request(), wanted):
        session.ask(wanted, upload)
    else:
        _note(wanted, upload)


def _note(wanted: Request, upload: Upload | None) -> None:
    """Ask; of another model no layer, head or stack is the same."""
    if wanted.model == session.request().model:
        selection.forget_tokens()
    else:
        selection.forget()
    session.ask(wanted, upload)
