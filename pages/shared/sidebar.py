"""What to analyse: a model, a picture (gallery, new scene or upload) and a question."""

import streamlit as st

from pages.shared import requests, selection, session
from pages.shared.layout import escaped
from pages.shared.requests import Request
from vl_core.datasets import gallery
from vl_core.errors import VLError
from vl_core.pictures import read_picture

SOURCES = {"gallery": "Gallery", "scene": "Scene", "upload": "Upload"}
MODEL_NAMES = {"embedded": "Embedded, KD-VLP style"}
ENDINGS = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "heic", "heif"]
MAX_QUESTION = 500  # characters; the model's own limit is counted in tokens and said by the core


def draw() -> None:
    """The sidebar. It only notes what is asked for; the analysis itself runs on the page."""
    _fill_in()
    with st.sidebar:
        st.selectbox(
            "Model", requests.MODELS, format_func=lambda name: MODEL_NAMES[name], key="model"
        )
        source = st.segmented_control(
            "Picture",
            list(SOURCES),
            format_func=SOURCES.get,
            key="source",
            required=True,
            width="stretch",
        )
        {"gallery": _gallery, "scene": _scene, "upload": _upload}[source]()
        st.caption(
            "Uploaded pictures stay in memory and go when you leave. "
            "Generated scenes are shared with other visitors of this server."
        )


def _fill_in() -> None:
    """Let the sidebar show what is on show when a visit begins or a link is followed."""
    if "source" in st.session_state:
        return
    wanted, _ = st.session_state.get("asked", (session.request(), None))
    st.session_state["source"] = wanted.source
    st.session_state["question"] = wanted.question
    names = [entry.name for entry in gallery.GALLERY]
    st.session_state["entry"] = wanted.name if wanted.name in names else names[0]
    is_number = wanted.source == "scene" and wanted.name.isdigit()
    st.session_state["seed"] = int(wanted.name) if is_number else None


def _gallery() -> None:
    names = {entry.name: entry.title for entry in gallery.GALLERY}
    st.selectbox(
        "Example", list(names), format_func=names.get, key="entry", on_change=_show_gallery_entry
    )
    chosen = Request(_model(), "gallery", st.session_state["entry"], "")
    _offer(chosen, names[chosen.name])


def _show_gallery_entry() -> None:
    entry = requests.gallery_entry(st.session_state["entry"])
    _ask(Request(_model(), "gallery", entry.name, entry.question.text))


def _scene() -> None:
    st.button("Draw a new scene", icon=":material/casino:", on_click=_draw_scene, width="stretch")
    seed = st.session_state["seed"]
    if seed is None:
        st.info("Draw a scene that the model has never seen, then ask about it.")
        return
    _offer(Request(_model(), "scene", str(seed), ""), f"Scene {seed}")


def _draw_scene() -> None:
    seed = requests.new_seed()
    st.session_state["seed"] = seed
    wanted = Request(_model(), "scene", str(seed), "")
    _ask(Request(_model(), "scene", str(seed), requests.known_questions(wanted)[0].text))


def _upload() -> None:
    file = st.file_uploader(
        "Picture file", ENDINGS, key="file", help="JPEG, PNG, WebP, GIF, BMP or TIFF, up to 20 MB"
    )
    if file is None:
        st.info("Choose a picture, then ask a question about it.")
        return
    content = file.getvalue()
    try:
        picture = read_picture(content)
    except VLError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return
    st.image(picture, alt="The picture you uploaded", width="stretch")
    _question(Request(_model(), "upload", requests.digest(content), ""), content)


def _offer(chosen: Request, title: str) -> None:
    """A generated picture, the questions its generator suggests, and room for one's own."""
    try:
        picture = requests.drawn_scene(chosen).render(requests.DISPLAY_SIDE)
        questions = [question.text for question in requests.known_questions(chosen)]
    except VLError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return
    st.image(picture, alt=title, width="stretch")
    _question(chosen, None)
    with st.expander("Suggested questions"):
        for index, text in enumerate(questions):
            st.button(
                escaped(text),
                key=f"suggestion_{index}",
                type="tertiary",
                on_click=_ask,
                args=(Request(chosen.model, chosen.source, chosen.name, text),),
            )


def _question(chosen: Request, upload: bytes | None) -> None:
    with st.form("question_form", border=False):
        st.text_input("Question", key="question", max_chars=MAX_QUESTION)
        if st.form_submit_button(
            "Analyse", type="primary", icon=":material/play_arrow:", width="stretch"
        ):
            text = st.session_state["question"]
            _ask(Request(chosen.model, chosen.source, chosen.name, text), upload, fill=False)


def _ask(wanted: Request, upload: bytes | None = None, *, fill: bool = True) -> None:
    if fill:  # only before the field is drawn: Streamlit forbids it afterwards
        st.session_state["question"] = wanted.question
    selection.forget_tokens()
    session.ask(wanted, upload)


def _model() -> str:
    return st.session_state.get("model", requests.MODELS[0])
