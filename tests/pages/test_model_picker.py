"""Choosing a model in the sidebar: from a hub of our own, from folders, by links."""

import threading
from itertools import count

import pytest
import streamlit as st
from transformers import ViltForQuestionAnswering

from pages.shared import awaited, models, requests, session
from tests import hub as hub_module
from tests.families import test_llava, test_vilt
from tests.pages.serving import (
    PATIENCE,
    analyse,
    assert_sound,
    choose,
    forget_all,
    is_ready,
    load,
    said,
    visitor,
    wait,
)
from vl_core import checkpoints
from vl_core.errors import ModelError

VILT, LLAVA = "dandelin/vilt-b32-finetuned-vqa", "someone/their-llava"
GATED = "google/gemma-3-4b-it"
OPENED = requests.worked_example()
WORDY = 10_000_001  # a scene whose third question is the first that the small model can read
visitors = count()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two tiny checkpoints."""
    saved = tmp_path_factory.mktemp("models")
    test_vilt.save(saved / "vilt", ViltForQuestionAnswering)
    test_llava.save(saved / "llava")
    return saved


@pytest.fixture(autouse=True)
def server(tmp_path, monkeypatch):
    """One that has nothing loaded and nothing in its cache, and whose owner has settled nothing."""
    for name in ("MODELS", "FOLDERS", "PRECISION", "MODELS_GB", "TRACE_MB"):
        monkeypatch.delenv(f"VLINTERPRET_{name}", raising=False)
    hub_module.use_cache(tmp_path, monkeypatch)
    forget_all()
    yield
    forget_all()


@pytest.fixture
def hub(folders, monkeypatch):
    """A hub with a model of the list and one of somebody's own."""
    with hub_module.in_place_of_hugging_face(monkeypatch) as served:
        served.publish(VILT, hub_module.files_of(folders / "vilt"))
        served.publish(LLAVA, hub_module.files_of(folders / "llava"))
        yield served


def on_show(app):
    """Model and picture that the address names."""
    return app.query_params["model"], app.query_params["example"]


def test_at_first_it_is_the_embedded_one():
    """Ready, with the well-known ones beside it and no word about loading."""
    app = visitor().run()

    field = app.sidebar.selectbox(key="model")
    assert field.value == "embedded"
    assert len(field.options) == 1 + len(checkpoints.offered())
    assert is_ready(app)
    assert "load_model" not in [button.key for button in app.sidebar.button]


def test_of_a_listed_model_is_told_what_it_answers_and_takes(hub):
    """Nothing is fetched by choosing; what is on show stays, the form waits."""
    app = visitor().run()
    choose(app, VILT)

    entry = next(one for one in checkpoints.CATALOGUE if one.model_id == VILT)
    assert f"**{VILT}**" in said(app.sidebar)
    assert f"Answers: {entry.answers}." in said(app.sidebar)
    assert "Takes about 0.8 GB of memory, 472 MB on a GPU." in said(app.sidebar)
    assert "Not in the local cache" in said(app.sidebar)
    assert not is_ready(app)
    assert on_show(app) == (OPENED.model, OPENED.name)
    assert hub.asked == []


def test_a_model_of_the_list_is_loaded_asked_and_seen_on_all_pages(hub):
    """On show is what was on show before, until the question is asked."""
    app = visitor().run()
    load(app, VILT)

    assert is_ready(app)
    assert on_show(app) == (OPENED.model, OPENED.name)
    assert "On show is still what another model did" in said(app.sidebar)
    analyse(app)
    assert on_show(app) == (VILT, OPENED.name)
    assert "On show is still" not in said(app.sidebar)
    assert_sound(app)
    assert checkpoints.is_cached(VILT)


def test_any_other_model_can_be_typed(hub):
    """A decoder of somebody's own: its answer is generated, all pages open."""
    app = visitor().run()
    load(app, f"  {LLAVA} ")
    app.sidebar.selectbox(key="entry").set_value("three-hearts").run()

    assert on_show(app) == (LLAVA, "three-hearts")
    assert_sound(app)


def test_what_an_analysis_keeps_is_told_before_it_runs(hub, monkeypatch):
    """The estimate, and with too small a budget what is left out; all pages say so or do without.

    The embedded model's analyses are small, and nothing is said of them.
    """
    app = visitor().run()
    assert "Keeps up to" not in said(app.sidebar)
    load(app, LLAVA)
    assert "Keeps up to" in said(app.sidebar)

    monkeypatch.setenv("VLINTERPRET_TRACE_MB", "0.001")
    app.run()
    assert "1 kB are allowed" in said(app.sidebar)
    assert "Not kept: the attention of “language”, “vision tower”" in said(app.sidebar)
    analyse(app)
    assert_sound(app)
    app.switch_page("pages/attention.py").run()
    assert "was not kept" in said(app.main)
    app.switch_page("pages/hidden_states.py").run()
    assert "No hidden states were kept" in said(app.main)
    assert app.query_params["model"] == LLAVA


def test_while_it_loads_the_visitor_goes_on_with_another(hub, monkeypatch):
    """Progress is shown; nothing is asked of the model that is not there; pages stay usable."""
    may_go_on, is_reading, read = threading.Event(), threading.Event(), models._read

    def slow(*how):
        is_reading.set()
        return may_go_on.wait(PATIENCE) and read(*how)

    models.model("embedded")
    monkeypatch.setattr(models, "_read", slow)
    app, other = visitor().run(), visitor().run()
    choose(app, LLAVA)
    app.sidebar.button(key="load_model").click().run()
    assert is_reading.wait(PATIENCE)
    monkeypatch.setattr(models, "_read", read)
    app.sidebar.selectbox(key="entry").set_value("three-hearts").run()

    assert "It is loaded for everybody" in said(app.sidebar)
    assert "load_model" not in [button.key for button in app.sidebar.button]
    assert on_show(app) == (OPENED.model, OPENED.name)
    assert app.sidebar.text_input(key="question").value == "how many hearts are there?"
    assert not is_ready(app)
    assert_sound(app)
    choose(app, "embedded")
    analyse(app)
    assert on_show(app) == ("embedded", "three-hearts")
    other.sidebar.selectbox(key="entry").set_value("three-hearts").run()
    assert on_show(other) == ("embedded", "three-hearts")
    assert not models.is_ready(LLAVA)
    may_go_on.set()
    wait(LLAVA)

    choose(other, LLAVA)
    assert is_ready(other)


def test_a_download_can_be_stopped(hub):
    """The button is there as long as it goes on; nothing of it is used; it can be begun again."""
    held = hub.holds["model.safetensors"] = threading.Event()
    app = visitor().run()
    choose(app, LLAVA)
    assert "stop_model" not in [button.key for button in app.sidebar.button]
    app.sidebar.button(key="load_model").click().run()
    while not hub.requested("model.safetensors"):
        models.loading(LLAVA).thread.join(0.01)
    app.sidebar.button(key="stop_model").click().run()
    wait(LLAVA)
    held.set()
    app.run()

    assert not app.exception
    assert f"Loading {LLAVA} was stopped. Files that came whole are kept" in said(app.sidebar)
    assert not app.sidebar.error
    assert "stop_model" not in [button.key for button in app.sidebar.button]
    assert not is_ready(app)
    assert not checkpoints.is_cached(LLAVA)
    app.sidebar.button(key="load_model").click().run()
    wait(LLAVA)
    app.run()
    assert is_ready(app)


@pytest.fixture
def strangers(monkeypatch):
    """Visitors of this server are told apart, as sessions are; none of them leaves."""
    monkeypatch.setattr(
        awaited, "visitor", lambda: st.session_state.setdefault("who", f"visitor {next(visitors)}")
    )


@pytest.fixture
def held(hub):
    """A model of which the weights do not come until this is set."""
    held = hub.holds["model.safetensors"] = threading.Event()
    yield held
    held.set()


@pytest.mark.usefixtures("strangers")
def test_who_looks_at_what_another_loads_is_asked_whether_to_wait(held):
    """They are told that they do not; the other stops it meanwhile."""
    app, other = visitor().run(), visitor().run()
    choose(app, LLAVA)
    app.sidebar.button(key="load_model").click().run()
    assert "you do not wait" not in said(app.sidebar)

    choose(other, LLAVA)

    assert "It is being loaded, and you do not wait for it. Others do." in said(other.sidebar)
    assert other.sidebar.button(key="load_model").label == "Wait for it"
    assert "stop_model" not in [button.key for button in other.sidebar.button]
    app.sidebar.button(key="stop_model").click().run()
    job = models.loading(LLAVA)
    assert job.is_stopping or job.was_stopped  # it may have ended by now
    held.set()
    wait(LLAVA)
    other.run()
    assert f"Loading {LLAVA} was stopped" in said(other.sidebar)


@pytest.mark.usefixtures("strangers")
def test_nobody_stops_what_another_visitor_waits_for(held):
    """Who gives it up can wait for it again; it stops when the last one has given it up."""
    app, other = visitor().run(), visitor().run()
    for one in (app, other):
        choose(one, LLAVA)
        one.sidebar.button(key="load_model").click().run()
    assert "load_model" not in [button.key for button in other.sidebar.button]

    other.sidebar.button(key="stop_model").click().run()

    assert not models.loading(LLAVA).is_stopping
    assert "you do not wait for it. Others do." in said(other.sidebar)
    app.run()
    assert not app.sidebar.button(key="stop_model").disabled
    other.sidebar.button(key="load_model").click().run()
    assert not other.sidebar.button(key="stop_model").disabled
    for one, is_last in ((app, False), (other, True)):
        one.sidebar.button(key="stop_model").click().run()
        job = models.loading(LLAVA)
        assert (job.is_stopping or job.was_stopped) == is_last  # it may have ended by now
    held.set()
    wait(LLAVA)
    assert models.loading(LLAVA).was_stopped


@pytest.mark.usefixtures("strangers")
def test_that_others_wait_is_said_only_where_they_do(held, monkeypatch):
    """Who began it may have left, and it goes on."""
    app, other = visitor().run(), visitor().run()
    choose(app, LLAVA)
    app.sidebar.button(key="load_model").click().run()
    monkeypatch.setattr(awaited, "is_here", lambda _: False)

    choose(other, LLAVA)

    assert "you do not wait for it." in said(other.sidebar)
    assert "Others do" not in said(other.sidebar)
    assert other.sidebar.button(key="load_model").label == "Wait for it"
    held.set()
    wait(LLAVA)
    assert models.is_ready(LLAVA)


@pytest.mark.parametrize(
    ("name", "break_it", "sentence"),
    [
        (LLAVA, lambda hub: setattr(hub, "failure", hub_module.BROKEN), "cannot be reached"),
        (GATED, lambda hub: hub.gated.add(GATED), "is gated: its licence must be accepted"),
        ("someone/nothing", lambda _: None, "There is no model someone/nothing"),
    ],
)
def test_what_stands_in_the_way_is_said_plainly_and_can_be_tried_again(
    hub, folders, name, break_it, sentence
):
    """One sentence below the field; once it is put right, the next try succeeds."""
    hub.publish(GATED, hub_module.files_of(folders / "vilt"))
    break_it(hub)
    app = visitor().run()
    load(app, name)

    assert not app.exception
    assert sentence in said(app.sidebar)
    assert app.sidebar.button(key="load_model").label == "Try again"
    assert not is_ready(app)

    hub.failure = None
    hub.gated.clear()
    hub.publish(name, hub_module.files_of(folders / "vilt"))
    app.sidebar.button(key="load_model").click().run()
    wait(name)
    app.run()
    assert sentence not in said(app.sidebar)
    assert is_ready(app)


def test_an_architecture_that_is_not_covered_is_told_before_anything_large_travels(hub):
    """With those that are."""
    files = {"config.json": b'{"model_type": "bert"}', "model.safetensors": b"never fetched"}
    hub.publish("someone/text", files)
    app = visitor().run()
    load(app, "someone/text")

    assert "a model of type 'bert', which is not covered. Covered: blip," in said(app.sidebar)
    assert hub.requested("model.safetensors") == []


def test_a_model_that_does_not_fit_is_told_with_what_it_needs(hub, folders, monkeypatch):
    """What it needs, what is free, what would do."""
    wanted = checkpoints.demand_of(checkpoints.find(str(folders / "llava")), "float32").needed
    monkeypatch.setattr(checkpoints.devices, "free_memory", lambda _: 300_000)
    app = visitor().run()
    load(app, LLAVA)

    needs = f"{LLAVA} needs about {checkpoints.readable(wanted)} of memory in float32"
    assert f"{needs}; 300 kB are free on cpu" in said(app.sidebar)


@pytest.mark.parametrize("name", ["/etc", "../..", "a b", "$x$ **bold** `code`"])
def test_what_is_no_name_is_told_and_cannot_be_loaded(name):
    """Folders are not allowed here, and a name is shown as it was typed."""
    app = visitor().run()
    choose(app, name)

    assert not app.exception
    is_path = name in {"/etc", "../.."}
    sentence = "Folders are not open" if is_path else f"{name!r} is no name of a model at Hugging"
    assert sentence in said(app.sidebar)
    assert "load_model" not in [button.key for button in app.sidebar.button]
    models.load(name)
    wait(name)
    assert not models.is_ready(name)


def test_a_folder_is_opened_where_the_owner_allows_it(folders, monkeypatch):
    """Then a checkpoint of one's own needs no network."""
    monkeypatch.setenv("VLINTERPRET_FOLDERS", "1")
    name = str(folders / "vilt")
    app = visitor().run()
    choose(app, name)
    choose(app, "nonsense name with blanks")
    assert "There is no folder 'nonsense name with blanks'" in said(app.sidebar)
    assert "The checkpoint in" not in said(app.sidebar)
    choose(app, name)
    assert f"The checkpoint in the folder **{name}**." in said(app.sidebar)
    load(app, name)
    analyse(app)

    assert on_show(app) == (name, OPENED.name)
    assert_sound(app)


def test_an_owner_may_offer_a_few_models_only(hub, folders, monkeypatch):
    """The list is theirs, nothing else can be loaded, typed or linked to."""
    own = str(folders / "llava")
    monkeypatch.setenv("VLINTERPRET_MODELS", f"{VILT},{own}")
    app = visitor().run()

    assert app.sidebar.selectbox(key="model").options[1:] == ["ViLT, VQA", own]
    models.load(LLAVA)
    wait(LLAVA)
    assert "does not offer the model" in models.loading(LLAVA).problem
    load(app, own)
    assert is_ready(app)
    linked = visitor(f"model={LLAVA}&example=three-hearts").run()
    assert "does not offer" in linked.error[0].value
    assert linked.sidebar.selectbox(key="model").value == "embedded"


def test_an_owner_may_offer_the_embedded_model_alone(monkeypatch):
    """Then there is nothing to choose, and nothing to compare."""
    monkeypatch.setenv("VLINTERPRET_MODELS", "embedded")
    app = visitor().run()

    assert app.sidebar.selectbox(key="model").options == ["Embedded, KD-VLP style"]
    assert is_ready(app)
    assert "compare" not in [button.key for button in app.sidebar.button]


def test_a_link_loads_no_model_but_waits_until_a_visitor_has(hub):
    """Field, picture and question are filled in; once it is asked, what the link selects is on."""
    link = f"model={VILT}&example=three-hearts&question=what&layer=3&head=4"
    app = visitor(link).run()

    assert hub.asked == []
    assert models.loaded() == []
    assert "not loaded on this server. Load it under Model" in said(app.main)
    assert app.sidebar.selectbox(key="model").value == VILT
    assert app.sidebar.selectbox(key="entry").value == "three-hearts"
    assert app.sidebar.text_input(key="question").value == "what"
    load(app, VILT)
    assert on_show(app) == (VILT, "three-hearts")
    analyse(app)
    assert not app.error
    assert on_show(app) == (VILT, "three-hearts")
    assert (app.query_params["layer"], app.query_params["head"]) == ("3", "4")


@pytest.mark.parametrize("rest", ["", "&layer=3&head=4", "&instead=three-hearts"])
def test_a_link_that_names_a_model_alone_is_about_what_is_on_show(hub, rest):
    """It waits as any other does: nothing is loaded, it is said, and the field is filled in."""
    app = visitor(f"model={VILT}{rest}").run()

    assert hub.asked == []
    assert models.loaded() == []
    assert "not loaded on this server. Load it under Model" in said(app.main)
    assert app.sidebar.selectbox(key="model").value == VILT
    assert "load_model" in [button.key for button in app.sidebar.button]
    assert app.sidebar.text_input(key="question").value == OPENED.question
    load(app, VILT)
    analyse(app)
    assert not app.error
    assert on_show(app) == (VILT, OPENED.name)
    if "layer" in rest:
        assert (app.query_params["layer"], app.query_params["head"]) == ("3", "4")


def test_a_link_to_the_model_on_show_says_nothing(hub):
    """Nor does one that names no model."""
    for link in ("model=embedded&layer=3", "layer=3"):
        app = visitor(link).run()

        assert not app.error
        assert app.query_params["layer"] == "3"


def test_a_link_to_a_model_that_is_loaded_is_followed(hub):
    """A reload of the page shows the same, and the form is about it."""
    app = visitor().run()
    load(app, VILT)
    analyse(app)

    again = visitor("&".join(f"{name}={value}" for name, value in address(app).items())).run()
    assert not again.error
    assert on_show(again) == (VILT, OPENED.name)
    assert again.sidebar.selectbox(key="model").value == VILT
    assert is_ready(again)
    assert address(again) == address(app)


def address(app):
    """What the address says."""
    return {k: v[0] if isinstance(v, list) else v for k, v in app.query_params.items()}


def test_going_back_brings_back_the_model_too(hub):
    """The field follows the address, in the middle of a visit."""
    app = visitor().run()
    first = address(app)
    load(app, VILT)
    analyse(app)
    for name in list(app.query_params):
        del app.query_params[name]
    app.query_params.update(first)
    app.run()

    assert on_show(app) == (OPENED.model, OPENED.name)
    assert app.sidebar.selectbox(key="model").value == "embedded"


@pytest.mark.parametrize("source", ["scene", "upload", "gallery"])
def test_the_chosen_model_stays_whatever_picture_is_looked_for(hub, source):
    """Gallery, scenes and uploads are asked of the model in the field, on every page."""
    app = visitor().run()
    load(app, VILT)
    app.sidebar.selectbox(key="source").set_value(source).run()
    app.switch_page("pages/heads.py").run()

    assert app.sidebar.selectbox(key="model").value == VILT
    if source == "scene":
        next(one for one in app.sidebar.button if one.label == "Draw a new scene").click().run()
        assert app.query_params["model"] == VILT
    assert not app.exception
    assert not app.error


def test_of_a_new_scene_is_asked_what_the_model_can_read(hub, monkeypatch):
    """The first question that is short enough; where none is, it is said why."""
    monkeypatch.setattr(requests, "new_seed", lambda: WORDY)
    app = visitor().run()
    load(app, VILT)
    app.sidebar.selectbox(key="source").set_value("scene").run()
    next(one for one in app.sidebar.button if one.label == "Draw a new scene").click().run()

    texts = [
        one.text
        for one in requests.known_questions(requests.Request(VILT, "scene", str(WORDY), ""))
    ]
    assert not app.error
    assert app.query_params["question"] == texts[2]
    assert app.sidebar.text_input(key="question").value == texts[2]
    tried = []
    monkeypatch.setattr(session, "can_read", lambda wanted: tried.append(wanted.question))
    next(one for one in app.sidebar.button if one.label == "Draw a new scene").click().run()
    assert tried == texts
    assert "Shorten" in app.error[0].value


def test_what_was_shown_by_a_model_that_has_left_stays_on_show(hub):
    """Its trace is kept; another question is refused in one sentence until it is loaded again."""
    app = visitor().run()
    load(app, VILT)
    analyse(app)
    models._shelf().make_room(checkpoints.Demand(1, 1, 10**12), 0)

    assert_sound(app)
    assert not is_ready(app)
    assert app.sidebar.button(key="load_model").label == "Load the model"
    app.switch_page("pages/heads.py").run()
    app.segmented_control(key="heads_view").set_value("change").run()
    assert "not loaded on this server" in said(app.main)
    assert on_show(app) == (VILT, OPENED.name)


def test_all_models_can_be_compared(hub):
    """One row each: what it answers, how large it is, what it takes, whether it is here."""
    app = visitor().run()
    load(app, VILT)
    app.sidebar.button(key="compare").click().run()

    assert not app.exception
    table = app.dataframe[0].value.set_index("Name")
    assert list(table.index) == [entry.model_id for entry in checkpoints.offered()]
    assert table.loc[VILT, "Here"] == "loaded"
    assert table.loc[GATED, "Here"] == "gated"
    assert table.loc["Qwen/Qwen2-VL-2B-Instruct", "Parameters"] == "2.2 B"
    assert table.loc["Qwen/Qwen2-VL-2B-Instruct", "16 bits"] == "5.3 GB"


def test_a_setting_that_cannot_be_followed_is_told_where_it_matters(hub, monkeypatch):
    """The owner learns what is wrong; the embedded model is not touched by it."""
    monkeypatch.setenv("VLINTERPRET_PRECISION", "int3")
    app = visitor().run()
    assert not app.error
    choose(app, VILT)

    assert "VLINTERPRET_PRECISION is 'int3'" in said(app.sidebar)
    with pytest.raises(ModelError, match="not loaded"):
        models.model(VILT)
