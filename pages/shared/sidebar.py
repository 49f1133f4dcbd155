"""What to analyse: a model, a picture (gallery, new scene or upload) and a question about it."""

from dataclasses import replace

import streamlit as st

from pages.shared import (
    files,
    model_picker,
    models,
    permalink,
    question_form,
    requests,
    session,
)
from pages.shared.data_sets import browsing, set_picture, set_show
from pages.shared.layout import escaped
from pages.shared.requests import OWN_TENSORS, Request, Upload
from vl_core.datasets import gallery
from vl_core.errors import VLError

SOURCES = {"gallery": "Gallery", "scene": "Scene", "upload": "Upload"}
SET = {"set": "Data set"}  # offered as soon as an example of a data set was on show


def draw() -> None:
    """The sidebar. It only notes what is asked for; the analysis itself runs on the page."""
    _fill_in()
    sources = SOURCES | (SET if "of_set" in st.session_state else {})
    with st.sidebar:
        model_picker.draw()
        if session.wanted().model == OWN_TENSORS:
            st.caption(
                "On show are the data set's **own tensors**, of a model that is not here. "
                "*Analyse* asks this one."
            )
        source = st.selectbox(
            "Picture",
            list(sources),
            format_func=sources.get,
            key="source",
            on_change=_suggest_question,
        )
        {"gallery": _gallery, "scene": _scene, "upload": _upload, "set": _set}[source]()
        st.caption(_privacy())


def _fill_in() -> None:
    """Let the sidebar show what is on show when a visit begins or a link is followed."""
    wanted = st.session_state.pop("fill_in", None)
    if wanted is None:
        if "source" in st.session_state:
            return
        wanted = session.request()
    st.session_state["source"] = wanted.source
    question_form.fill_in(wanted.question)
    if wanted.model != OWN_TENSORS:
        model_picker.fill_in(wanted.model)
    if wanted.source == "set":
        st.session_state["of_set"] = wanted.name, wanted.place
        if "entry" in st.session_state:  # what was chosen of other kinds of picture stays
            return
    names = [entry.name for entry in gallery.GALLERY]
    entry = wanted.name if wanted.name in names else names[0]
    st.session_state["entry"] = st.session_state["shown_entry"] = entry
    st.session_state["seed"] = requests.number(wanted.name) if wanted.source == "scene" else None


def _suggest_question() -> None:
    """Going to another kind of picture, offer a question that suits what is chosen there."""
    source, seed = st.session_state["source"], st.session_state["seed"]
    if source == "gallery":
        question_form.fill_in(requests.gallery_entry(st.session_state["shown_entry"]).question.text)
    elif source == "scene" and seed is not None:
        shown = Request(_model(), "scene", str(seed), "")
        question_form.fill_in(requests.known_questions(shown)[0].text)
    elif source == "set":
        question_form.fill_in("")


def _gallery() -> None:
    names = {entry.name: entry.title for entry in gallery.GALLERY}
    # Kept beside the field, which is not drawn while the visitor looks at other kinds of picture.
    st.session_state.setdefault("entry", st.session_state["shown_entry"])
    st.selectbox(
        "Example", list(names), format_func=names.get, key="entry", on_change=_show_gallery_entry
    )
    st.session_state["shown_entry"] = st.session_state["entry"]
    chosen = Request(_model(), "gallery", st.session_state["entry"], "")
    _offer(chosen, names[chosen.name])


def _show_gallery_entry() -> None:
    # A browser that has not drawn the last run yet may send the field's old value once more.
    if st.session_state["entry"] == st.session_state["shown_entry"]:
        return
    entry = requests.gallery_entry(st.session_state["entry"])
    question_form.ask(Request(_model(), "gallery", entry.name, entry.question.text))


def _scene() -> None:
    st.button("Draw a new scene", icon=":material/casino:", on_click=_draw_scene, width="stretch")
    seed = st.session_state["seed"]
    if seed is None:
        st.info("Draw a scene that the model has never seen, then ask about it.")
        return
    _offer(Request(_model(), "scene", str(seed), ""), f"Scene {seed}")


def _draw_scene() -> None:
    """Ask the first question of a new scene that the model can read, as some are long."""
    seed = requests.new_seed()
    st.session_state["seed"] = seed
    wanted = Request(_model(), "scene", str(seed), "")
    asked = [replace(wanted, question=one.text) for one in requests.known_questions(wanted)]
    question_form.ask(next(filter(session.can_read, asked), asked[0]))


def _upload() -> None:
    picture, regions = files.picture(), files.regions(models.feature_width(_model()))
    chosen = Request(
        _model(),
        "upload",
        "" if picture is None else requests.digest(picture),
        "",
        regions="" if regions is None else requests.digest(regions),
    )
    upload = None if picture is None else Upload(picture, regions)
    question_form.draw(chosen, upload, has_picture=picture is not None)


def _set() -> None:
    """The example of a data set that is on show, or was last; the page of the set has others."""
    name, place = st.session_state["of_set"]
    chosen = Request(_model(), "set", name, "", place=place)
    st.page_link(
        browsing.PAGE,
        label="Choose an item",
        icon=":material/dataset:",
        query_params=permalink.parameters(),
    )
    try:
        which = [f"{name}, item {place.item + 1:,}", set_show.said(chosen)]
        preview = set_picture.preview(name, place)
    except VLError:  # the page says why, where it is asked for
        st.caption("This item cannot be read.")
        return
    title = ": ".join(filter(None, which))
    if preview is not None:
        st.image(preview.svg, alt=title, width=preview.width)
    st.caption(escaped(title))
    question_form.draw(chosen, None, placeholder="As the set has it")


def _offer(chosen: Request, title: str) -> None:
    """A generated picture, the questions its generator suggests, and room for one's own."""
    try:
        scene = requests.drawn_scene(chosen)
        questions = [question.text for question in requests.known_questions(chosen)]
    except VLError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return
    name = f"{chosen.source} {chosen.name}"
    preview = session.preview(name, lambda: files.thumbnail(scene.render(requests.DISPLAY_SIDE)))
    st.image(preview, alt=title, width="stretch")
    asked = question_form.draw(chosen, None)
    with st.expander("Suggested questions"):
        for index, text in enumerate(questions):
            st.button(
                escaped(text),
                key=f"suggestion_{index}",
                type="tertiary",
                on_click=question_form.ask,
                args=(replace(asked, question=text),),
            )


def _model() -> str:
    return model_picker.chosen()


def _privacy() -> str:
    if session.STORES_UPLOADS:
        return (
            "This server keeps the analyses of uploaded pictures, of generated scenes and data "
            "sets, and of the questions about them on its disk."
        )
    return (
        "Uploaded pictures and their questions stay in memory and go when you leave. Analyses of "
        "generated scenes and data sets, with the questions asked about them, are kept on this "
        "server's disk."
    )
