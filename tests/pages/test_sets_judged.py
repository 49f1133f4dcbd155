"""What the pages say of a model's judgement of a set, and what they do with items that fail."""

import json

import numpy as np
import pytest
from PIL import Image

from pages.shared import foreign, models, session
from pages.shared.data_sets import scene_sets, set_answers, set_scores, sets
from pages.shared.data_sets.set_list import LISTED
from pages.shared.requests import Request
from tests.pages.serving import visitor
from tests.pages.set_visits import (
    PAGE,
    SOURCES,
    at_sets,
    errors,
    forget_sets,
    listed,
    look_inside,
    said,
)
from vl_core.answers import Answer, is_same
from vl_core.model import Model

LONG = "word " * 400  # more than the embedded model reads
HEADS = "pages/heads.py"


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory):
    """One with the embedded model loaded, and with sets some of whose items fail."""
    folder = tmp_path_factory.mktemp("judged")
    Image.new("RGB", (120, 80), "teal").save(folder / "a.png")
    table(folder / "answers", [{"question": f"what is {n}?", "answer": "a red."} for n in "abc"])
    texts = ["is it?", LONG, LONG, "was it?", *[LONG] * 21, "who?"]
    table(folder / "long", [{"question": text, "answer": "yes"} for text in texts])
    candidates = {"candidates": ["yes", LONG], "answer": LONG}
    table(folder / "partly", [{"question": "one?", "candidates": ["a", "a"], "answer": 0}])
    table(folder / "lacking", [{"question": f"{n}?"} | candidates for n in (1, 2)])
    tensors(folder / "own")
    paths = ("answers", "long", "partly", "lacking")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLINTERPRET_CACHE", str(folder / "store"))
        named = [f"{name}={folder}/{name}.jsonl" for name in paths]
        patch.setenv("VLINTERPRET_DATASETS", ",".join([*named, f"own={folder}/own"]))
        patch.setattr(scene_sets, "COUNT", 6)
        forget_sets()
        models.model("embedded")
        yield folder
    forget_sets()


def table(path, rows):
    """A table about one picture."""
    lines = [json.dumps({"image": "a.png"} | row) for row in rows]
    path.with_suffix(".jsonl").write_text("\n".join(lines))


def tensors(folder):
    """What a model did: wrong, right, of rows that do not sum to one, and right again."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number, (said_, scale) in enumerate([("cat", 1), ("Dog.", 1), ("dog", 0.5), ("dog", 1)]):
        np.savez_compressed(
            folder / f"{number}.npz",
            attention=scale * rng.dirichlet(np.ones(9), size=(4, 2, 9)),
            tokens=["[CLS]", "a", "dog", *["patch"] * 6],
            n_text=3,
            image=rng.integers(0, 255, (32, 48, 3)).astype(np.uint8),
            grid=(2, 3),
            answer="dog",
            prediction=said_,
        )


@pytest.fixture
def nothing_known():
    """Nothing was scored or answered before."""
    for memory in (set_scores._all_known, set_answers._all_known, set_scores._jobs):
        memory.clear()


def at(name):
    """Somebody who looks at a set."""
    app = at_sets()
    app.selectbox(key="set_name").set_value(name).run()
    return app


def press(app, label):
    """Click the button with this label."""
    next(one for one in app.button if one.label == label).click().run()


def warnings(app):
    """What is warned of on the page."""
    return [one.value.replace("\\", "") for one in app.main.warning]


def on_show(app):
    """The number of the item on show, as the address and the sidebar have it."""
    sidebar = " ".join(one.value for one in app.sidebar.caption).replace("\\", "")
    number = app.query_params["item"]
    assert f", item {number}" in sidebar
    return int(number)


def score_all(app, name):
    """Score the whole set and wait for it."""
    press(app, "Score the set")
    set_scores.job("embedded", name).thread.join(120)
    app.run()


def test_items_that_the_model_cannot_read_are_passed_over_and_said():
    """One step leads to the next that can be analysed, with the sidebar at the same item."""
    app = at("long")
    look_inside(app, 0)
    app.switch_page(HEADS).run()

    press(app, "Next item")
    assert (on_show(app), errors(app)) == (4, [])
    [warning] = warnings(app)
    assert warning.startswith("Items 2 and 3 were passed over: ")
    assert "this model reads at most" in warning
    app.run()
    assert warnings(app) == []

    press(app, "Previous item")
    assert on_show(app) == 1


def test_a_step_that_finds_nothing_leaves_all_as_it_was_and_the_next_goes_on_from_there():
    """Twenty items are tried at once; the sidebar is back at what is on show."""
    app = visitor("set=long&item=4&layer=2&head=3&tokens=2,3").run()
    app.switch_page(HEADS).run()
    before = {part: app.query_params[part] for part in ("item", "layer", "head", "tokens")}

    press(app, "Next item")
    [error] = errors(app)
    assert error.startswith("20 items, 5 to 24, were passed over: ")
    assert on_show(app) == 4
    assert {part: app.query_params[part] for part in before} == before

    press(app, "Next item")
    assert (on_show(app), errors(app)) == (26, [])
    assert warnings(app)[0].startswith("Item 25 was passed over: ")


def test_into_tensors_that_are_none_no_way_is_offered():
    """Why stands in its place; the others can be looked into."""
    app = at("own")
    app.radio(key="set_item").set_value(2).run()
    ways = [one.label for one in app.button if one.label in ("Look inside", "Pin")]

    assert ways == []
    [error] = errors(app)
    assert error.startswith("2.npz: attention of layer 0")
    app.radio(key="set_item").set_value(3).run()
    assert errors(app) == []
    assert not app.button(key="look_inside_0").disabled


def test_tensors_that_are_none_are_passed_over():
    """Their rows do not sum to one, which shows when they are read whole."""
    app = at("own")
    app.radio(key="set_item").set_value(1).run()
    look_inside(app, 0)
    app.switch_page(HEADS).run()
    press(app, "Next item")

    assert (on_show(app), errors(app)) == (4, [])
    assert "Item 3 was passed over: 2.npz: attention" in warnings(app)[0]


def test_looking_into_what_cannot_be_analysed_leaves_the_sidebar_at_what_is_on_show():
    """With one error, and no item tried in its place."""
    app = at("long")
    look_inside(app, 0)
    app.radio(key="set_item").set_value(1).run()
    look_inside(app, 0)

    assert len(errors(app)) == 1
    assert on_show(app) == 1


def test_a_question_that_is_refused_stays_in_the_sidebar():
    """There it can be mended."""
    app = visitor("set=answers&item=1").run()
    app.sidebar.text_input(key="question").set_value(LONG[:500])
    press(app, "Analyse")

    assert len(errors(app)) == 1
    assert app.sidebar.text_input(key="question").value == LONG[:500]


def test_the_models_answer_stands_beside_the_sets(nothing_known):
    """The embedded model is asked at once; its own answer, right or wrong word for word."""
    app = at("answers")
    wanted = [
        session.trace_of(
            Request("embedded", "set", "answers", "", place=sets.Place(n))
        ).prediction.top[0][0]
        for n in range(3)
    ]
    assert f"The embedded model says **{wanted[0]}**" in said(app)
    assert "Compared word for word" in said(app)
    is_right = [is_same(one, "red") for one in wanted]
    assert ("right is **a red.**" in said(app)) == (not is_right[0])

    app.selectbox(key="set_outcome").set_value("unknown").run()
    assert listed(app) == [1, 2]
    score_all(app, "answers")
    assert "No item fits." in said(app)
    [metric] = app.metric
    assert metric.label == "Answers equal to the set's"
    assert float(metric.value.split()[0]) == pytest.approx(100 * np.mean(is_right), abs=0.06)
    assert "compared word for word without upper case" in said(app)
    for outcome, one in (("right", True), ("wrong", False)):
        app.selectbox(key="set_outcome").set_value(outcome).run()
        numbers = [n for n in range(3) if is_right[n] == one]
        assert (listed(app) if numbers else []) == numbers


def test_an_answer_that_was_stopped_is_told_beside_it_and_beside_the_figure(
    nothing_known, monkeypatch
):
    """It is compared all the same; of whole answers nothing is said."""
    whole = at("answers")
    assert "stopped" not in said(whole)

    set_answers._all_known.clear()
    monkeypatch.setattr(Model, "answer", lambda *_: Answer("a red star and", is_cut_off=True))
    app = at("answers")
    assert "The answer was stopped; the model would have gone on." in said(app)
    assert "1 answer stopped before its end, and compared as it is." in said(app)


def test_another_model_answers_when_it_is_asked(nothing_known, monkeypatch):
    """By a button, as it may take long."""
    monkeypatch.setattr(set_scores, "is_quick", lambda _: False)
    app = at("answers")
    assert "says" not in said(app)
    press(app, "Let embedded answer this")

    assert "The embedded model says" in said(app)


def test_figures_of_pictures_that_the_model_does_not_know_are_not_believed(nothing_known):
    """Said below the item and beside the figures, whatever is on show."""
    app = at("answers")
    assert app.query_params["example"]
    assert foreign.OF_SCORES in said(app)
    assert warnings(app) == [foreign.OF_FIGURES]

    app.selectbox(key="set_name").set_value(SOURCES).run()
    assert "knows generated scenes only" not in said(app)
    assert warnings(app) == []
    app.selectbox(key="set_name").set_value("own").run()
    assert "knows generated scenes only" not in said(app)


def test_a_tie_is_no_choice(nothing_known):
    """Both are tied; the item counts as half right, and is not listed as right."""
    app = at("partly")

    assert said(app).count("tied for the highest score") == 2
    assert "the model's choice" not in said(app)
    assert app.metric[0].value == "50 %"
    app.selectbox(key="set_outcome").set_value("right").run()
    assert "No item fits." in said(app)


def test_a_right_one_without_a_score_is_left_out(nothing_known):
    """And counted; guessing and figures are over the others."""
    app = at("lacking")
    assert "1 question is left out: a right one there has no score." in said(app)
    assert len(app.metric) == 0
    score_all(app, "lacking")

    assert "2 questions are left out" in said(app)
    assert set_scores.outcomes("embedded", "lacking") == {}


def test_items_of_which_nothing_could_be_read_are_counted(nothing_known):
    """One is not several."""
    app = at("long")
    app.number_input(key="set_count_long").set_value(2).run()
    score_all(app, "long")
    assert "Of 1 item nothing could be read" in said(app)

    app.number_input(key="set_count_long").set_value(4).run()
    score_all(app, "long")
    assert "Of 2 items nothing could be read" in said(app)


def test_sources_above_the_threshold_are_marked_as_chosen(nothing_known):
    """And items are found by whether those are the right ones."""
    app = at(SOURCES)
    score_all(app, SOURCES)

    threshold = set_scores.threshold("embedded", SOURCES)
    judged = set_scores.judged("embedded", SOURCES, 0, 0).scored
    wanted = [place for place, score in enumerate(judged.scores) if score > threshold]
    chosen = [
        place
        for place in range(len(judged.scores))
        if any("blue-badge[chosen]" in one.value for one in card(app, place))
    ]
    assert chosen == wanted
    assert 0 < len(wanted) < len(judged.scores)

    field = app.selectbox(key="set_outcome")
    assert field.label == "The embedded model chooses"
    known = set_scores.all_scored("embedded", SOURCES)
    right = [one.number for one in known if one.is_exact(threshold)]
    assert len(right) == sum(map(bool, set_scores.outcomes("embedded", SOURCES).values()))
    field.set_value("right").run()
    assert (listed(app) if right else []) == right


def card(app, place):
    """The texts on the card of a source: those between its number and the next."""
    texts = list(app.main.markdown)
    starts = [n for n, one in enumerate(texts) if one.value.startswith(f"**{place + 1}** ")]
    ends = [n for n, one in enumerate(texts) if one.value.startswith(f"**{place + 2}** ")]
    return texts[starts[0] : (ends or [len(texts)])[0]]


def test_it_is_said_what_a_models_own_answer_was():
    """And what is right, where that is another; the sidebar knows whose tensors are on show."""
    app = at("own")
    assert "The model said **cat**; right is **dog**." in said(app)
    app.radio(key="set_item").set_value(1).run()
    assert "The model said **Dog.**." in said(app)
    assert "right]" in said(app)
    captions = " ".join(one.value for one in app.sidebar.caption)
    assert "own tensors" not in captions

    look_inside(app, 0)
    captions = " ".join(one.value for one in app.sidebar.caption)
    assert captions.count("own tensors") == 1
    assert "another model did" not in captions


def test_a_filter_that_nothing_fits_says_so_and_can_be_cleared():
    """In place of an empty column."""
    app = at("answers")
    app.text_input(key="set_text").set_value("no such word").run()
    assert "No item fits." in said(app)
    press(app, "Clear the filter")

    assert listed(app) == [0, 1, 2]
    assert "No item fits." not in said(app)


def test_the_bar_says_among_which_items_it_steps():
    """And leads out of them, on any page."""
    app = at("answers")
    look_inside(app, 0)
    app.text_input(key="set_text").set_value("is a?").run()
    app.switch_page(HEADS).run()
    assert "Among the items with “is a?” (1)" in said(app)
    assert next(one for one in app.button if one.label == "Next item").disabled

    press(app, "All items")
    assert "Among the items" not in said(app)
    press(app, "Next item")
    assert on_show(app) == 2


def test_a_link_names_the_filter():
    """Somebody else sees the same list; what cannot be is no error."""
    app = at("long")
    app.text_input(key="set_text").set_value("word").run()
    app.get("pagination")[0].set_value(3).run()
    assert len(listed(app)) == 23 - 2 * LISTED
    parameters = {one: app.query_params[one] for one in app.query_params}
    assert (parameters["find"], parameters["list"]) == ("word", "3")

    again = linked_to(**parameters)
    assert listed(again) == listed(app)
    assert again.text_input(key="set_text").value == "word"

    shown = linked_to(set="answers", item="2", find="what is b")
    assert listed(shown) == [1]
    odd = linked_to(browse="answers", entry="2", category="none", outcome="odd", list="x")
    assert errors(odd) == []
    assert "No item fits." in said(odd)


def linked_to(**parameters):
    """Somebody who follows a link to the page of data sets."""
    app = visitor().run().switch_page(PAGE)
    app.query_params.update(parameters)
    return app.run()
