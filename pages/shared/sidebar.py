"""What to analyse: a model, a picture (gallery, new scene or upload) and a question."""

from dataclasses import replace

import streamlit as st

from pages.shared import files, kept, model_picker, models, permalink, requests, selection, session
from pages.shared.data_sets import browsing, set_picture, set_show
from pages.shared.layout import escaped
from pages.shared.requests import OWN_TENSORS, Request, Upload
from vl_core.datasets import gallery
from vl_core.errors import ImageError, VLError

SOURCES = {"gallery": "Gallery", "scene": "Scene", "upload": "Upload"}
SET = {"set": "Data set"}  # offered as soon as an example of a data set was on show
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
    st.session_state["typed"] = st.session_state["question"] = wanted.question
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
        _type(requests.gallery_entry(st.session_state["shown_entry"]).question.text)
    elif source == "scene" and seed is not None:
        shown = Request(_model(), "scene", str(seed), "")
        _type(requests.known_questions(shown)[0].text)
    elif source == "set":
        _type("")


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
    _ask(Request(_model(), "gallery", entry.name, entry.question.text))


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
    _ask(next(filter(session.can_read, asked), asked[0]))


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
    _question(chosen, upload, has_picture=picture is not None)


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
    _question(chosen, None, placeholder="As the set has it")


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
    asked = _question(chosen, None)
    with st.expander("Suggested questions"):
        for index, text in enumerate(questions):
            st.button(
                escaped(text),
                key=f"suggestion_{index}",
                type="tertiary",
                on_click=_ask,
                args=(replace(asked, question=text),),
            )


def _question(
    chosen: Request,
    upload: Upload | None,
    *,
    has_picture: bool = True,
    placeholder: str | None = None,
) -> Request:
    """The question's field and what the model is shown; returns all that is chosen."""
    # Streamlit forgets a field that a run does not draw; what stood in it is kept beside it.
    st.session_state.setdefault("question", st.session_state.get("typed", ""))
    # What the form was sent with is known before it is drawn.
    asked = replace(chosen, question=st.session_state["question"], instead=_instead(chosen))
    wanted = _lacking(chosen)
    is_ready = has_picture and models.is_ready(_model()) and wanted is None
    found = kept.foreseen(asked, upload) if is_ready else None
    with st.form("question_form", border=False):
        st.text_input("Question", key="question", max_chars=MAX_QUESTION, placeholder=placeholder)
        is_asked = st.form_submit_button(
            "Analyse",
            type="primary",
            icon=":material/play_arrow:",
            width="stretch",
            # Another question may do where the text is refused, but not where the picture is.
            disabled=not is_ready or isinstance(found, ImageError),
        )
    st.session_state["typed"] = st.session_state["question"]
    names = {"": "The picture itself"} | requests.replacements(chosen)
    # The field follows what is on show, which also the pages can change.
    st.session_state["instead"] = asked.instead
    st.selectbox(
        "Shown to the model",
        list(names),
        format_func=names.get,
        key="instead",
        on_change=_put_in_place,
        args=(asked, upload),
        disabled=not is_ready or _reads_regions(),
        help=NO_PIXELS if _reads_regions() else INSTEAD,
    )
    if has_picture and wanted is not None:
        st.info(wanted)
    elif is_ready:
        kept.tell(found)
    if is_asked:
        _note(asked, upload)
    elif is_ready and session.wanted().model not in {asked.model, OWN_TENSORS}:
        st.caption("On show is still what another model did; *Analyse* asks this one.")
    return asked


def _reads_regions() -> bool:
    return models.feature_width(_model()) is not None


def _lacking(chosen: Request) -> str | None:
    """What must be brought beside the picture before the model can be asked, as Markdown."""
    if not _reads_regions() or chosen.regions:
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


def _ask(wanted: Request) -> None:
    """Write the question into its field, and ask it unless the model must be loaded first.

    Or unless it lacks what a gallery does not have.
    """
    _type(wanted.question)
    if models.is_ready(wanted.model) and _lacking(wanted) is None:
        _note(wanted, None)


def _type(question: str) -> None:
    """Write into the question's field; only before it is drawn, Streamlit forbids it afterwards."""
    st.session_state["typed"] = st.session_state["question"] = question


def _note(wanted: Request, upload: Upload | None) -> None:
    """Ask; of another model no layer, head or stack is the same."""
    if wanted.model == session.request().model:
        selection.forget_tokens()
    else:
        selection.forget()
    session.ask(wanted, upload)


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
