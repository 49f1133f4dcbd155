"""The page of data sets: what is chosen, found, scored and put on show for all pages."""

import json

import numpy as np
import pytest
from PIL import Image

import vl_core
from pages.shared import models, requests, selection, session
from pages.shared.data_sets import scene_sets, set_scores, sets
from pages.shared.data_sets.set_list import LISTED
from pages.shared.data_sets.set_search import searched_text
from pages.shared.data_sets.sets import Place
from pages.shared.requests import OWN_TENSORS, Request
from pages.shared.said import score
from tests.datasets import vcr_sample
from tests.packed import head_map_of
from tests.pages.sent import messages
from tests.pages.serving import PAGES, visitor
from tests.pages.set_visits import (
    CHOICES,
    PAGE,
    SOURCES,
    at_sets,
    errors,
    forget_sets,
    inside,
    listed,
    look_inside,
    said,
)
from vl_core import datasets, head_stats
from vl_core.datasets import reading
from vl_core.datasets.scored import Scored, figures

COUNT = 23  # items: more than one page of the list
LAST_PAGE = list(range(COUNT - COUNT % LISTED, COUNT))
LINK = f"set={CHOICES}&item=3&asked=1&option=2"


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory):
    """One with the embedded model loaded, and with sets of several kinds that its owner brought."""
    folder = tmp_path_factory.mktemp("sets")
    tensors(folder / "own")
    plain(folder / "plain")
    (folder / "damaged.jsonl").write_text(f"{row('a?')}\n[1]\n{{\n{row('d?')}\n")
    vcr_sample.write(folder / "test", [vcr_sample.without_labels()], split="test")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLINTERPRET_CACHE", str(folder / "store"))
        patch.setenv(
            "VLINTERPRET_DATASETS",
            f"own={folder}/own,plain={folder}/plain,test={folder}/test,gone={folder}/gone,"
            f"damaged={folder}/damaged.jsonl",
        )
        patch.setattr(scene_sets, "COUNT", COUNT)
        forget_sets()
        models.model("embedded")
        yield folder
    forget_sets()


@pytest.fixture(scope="module")
def model():
    """The embedded model, to know what the page should show."""
    return vl_core.load("embedded")


@pytest.fixture
def nothing_known():
    """Nothing was scored before."""
    set_scores._all_known.clear()


def tensors(folder):
    """A set of three that holds what a model did: right, wrong, and not told."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number, answer in enumerate(("yes", "no", None)):
        told = {} if answer is None else {"answer": "yes", "prediction": answer}
        np.savez_compressed(
            folder / f"{number}.npz",
            attention=rng.dirichlet(np.ones(9), size=(4, 2, 9)),
            tokens=["[CLS]", "a", "dog", *["patch"] * 6],
            n_text=3,
            image=rng.integers(0, 255, (32, 48, 3)).astype(np.uint8),
            grid=(2, 3),
            **told,
        )


def row(question):
    """A line of a table about no picture."""
    return json.dumps({"image": "", "question": question})


def plain(folder):
    """Two questions of different categories about one picture with a box."""
    folder.mkdir()
    Image.new("RGB", (120, 80), "teal").save(folder / "a.png")
    box = {"label": "the dog", "box": [10, 10, 60, 70]}
    rows = [
        {"question": "where is the dog?", "category": "place", "answer": "left", "boxes": [box]},
        {"question": "what *is* <b>it</b>?", "category": "kind"},
    ]
    lines = [json.dumps({"image": "a.png"} | row) for row in rows]
    (folder / "metadata.jsonl").write_text("\n".join(lines))


def choose_set(app, name):
    """Choose another set."""
    app.selectbox(key="set_name").set_value(name).run()


def search(app, text):
    """Type into the search field."""
    app.text_input(key="set_text").set_value(text).run()


def button(app, label):
    """The button with this label."""
    return next(one for one in app.button if one.label == label)


def linked_to(**parameters):
    """Somebody who follows a link to the page of data sets."""
    app = visitor().run().switch_page(PAGE)
    app.query_params.update(parameters)
    return app.run()


def scores_on(app):
    """The scores on the page, as they are written."""
    texts = [one.value for one in app.main.markdown]
    return [text.split("**")[1] for text in texts if " :small[:gray[" in text]


def test_an_item_shows_its_candidates_with_what_the_model_makes_of_them(model, nothing_known):
    """The model's own scores; the right one and the model's choice are marked."""
    app = at_sets()
    choose_set(app, CHOICES)
    app.radio(key="set_item").set_value(4).run()

    item = sets.item(CHOICES, 4)
    asked = item.asked[0]
    wanted = [model.score(option.example()) for option in asked.options]
    assert scores_on(app) == [f"{one:.2f}".replace("-", "\N{MINUS SIGN}") for one in wanted]
    text = said(app)
    assert f"5 · {item.text}" in text
    for place, option in enumerate(asked.options):
        assert f"**{place + 1}** {option.title}" in text
    marks = [one.value for one in app.main.markdown if "badge" in one.value]
    assert marks == [":green-badge[:material/check: right] :blue-badge[the model's choice]"]
    assert errors(app) == []


def test_the_task_can_be_switched(model):
    """The reasons are then asked about, given the right answer."""
    app = at_sets()
    choose_set(app, CHOICES)
    app.segmented_control(key="set_asked").set_value(1).run()

    asked = sets.item(CHOICES, 0).asked[1]
    assert asked.text in said(app)
    assert all(option.title in said(app) for option in asked.options)
    assert len(scores_on(app)) == 4
    app.radio(key="set_item").set_value(2).run()
    assert app.segmented_control(key="set_asked").value == 1


def test_sources_stand_as_cards_in_the_sets_order(model, nothing_known):
    """Pictures and texts, each scored, the right ones and the highest marked."""
    app = at_sets()
    choose_set(app, SOURCES)

    item = sets.item(SOURCES, 0)
    text = said(app)
    places = [text.index(f"**{n + 1}** {one.title}") for n, one in enumerate(item.asked[0].options)]
    assert places == sorted(places)
    n_pictures = sum(one.example().image is not None for one in item.asked[0].options)
    assert 0 < n_pictures < 8
    assert len(app.main.get("image")) == n_pictures
    judged = set_scores.judged("embedded", SOURCES, 0, 0).scored
    assert judged.scores[3] == pytest.approx(model.score(item.asked[0].options[3].example()))
    assert text.count(":blue-badge[highest score]") == 1
    assert text.count("check: right]") == len(item.asked[0].right)


def test_the_list_has_pages_and_any_item_can_be_gone_to():
    """Few to a page; the page follows the item."""
    app = at_sets()
    choose_set(app, CHOICES)
    assert listed(app) == list(range(LISTED))

    [pager] = app.get("pagination")
    pager.set_value(2).run()
    assert listed(app) == list(range(LISTED, 2 * LISTED))
    assert app.radio(key="set_item").value is None

    app.get("pagination")[0].set_value(1).run()
    app.number_input(key="set_number").set_value(22).run()
    assert listed(app) == LAST_PAGE
    assert app.radio(key="set_item").value == 21
    assert app.query_params["browse"] == CHOICES
    assert app.query_params["entry"] == "22"


def test_the_list_shows_all_of_its_page_and_turns_to_the_item_on_show():
    """Also where items are filtered; nothing of it has to be scrolled to."""
    app = at_sets(f"set={CHOICES}&item={LISTED}")
    assert listed(app) == list(range(LISTED))
    [box] = [one for one in inside(app.main) if "set_items" in getattr(one.proto, "id", "")]
    assert not box.proto.height_config.pixel_height
    app.switch_page("pages/heads.py").run()
    button(app, "Next item").click().run()
    app.switch_page(PAGE).run()
    assert (app.radio(key="set_item").value, listed(app)[0]) == (LISTED, LISTED)

    search(app, "the")
    numbers = listed(app)
    app.get("pagination")[0].set_value(2).run()
    assert listed(app)[0] > numbers[-1]
    app.radio(key="set_item").set_value(listed(app)[0]).run()
    look_inside(app, 0)
    app.switch_page("pages/heads.py").run()
    button(app, "Previous item").click().run()
    app.switch_page(PAGE).run()
    assert app.radio(key="set_item").value == numbers[-1]
    assert listed(app) == numbers


def test_items_are_found_by_words_and_categories():
    """In the list are those that fit; how many of how many is said."""
    app = at_sets()
    choose_set(app, SOURCES)
    wanted = [
        number
        for number in range(COUNT)
        if (item := sets.item(SOURCES, number)).category == "choose"
        and "triangle" in searched_text(item)
    ]
    app.selectbox(key="set_category").set_value("choose").run()
    search(app, "TRIANGLE")
    assert 0 < len(wanted) < COUNT
    assert listed(app) == wanted[:LISTED]
    assert f"{len(wanted)} of {COUNT} items" in said(app)

    search(app, "no such word")
    assert len(app.radio) == 0
    choose_set(app, CHOICES)
    assert len(listed(app)) == LISTED
    assert app.text_input(key="set_text").value == ""


def test_what_is_right_and_wrong_is_known_of_what_was_scored(nothing_known):
    """The other items are not yet known; scoring more of them leaves fewer."""
    app = at_sets()
    choose_set(app, CHOICES)
    app.selectbox(key="set_outcome").set_value("right").run()
    assert listed(app) == [0]
    app.selectbox(key="set_outcome").set_value("unknown").run()
    assert listed(app) == list(range(1, 1 + LISTED))

    app.number_input(key=f"set_count_{CHOICES}").set_value(5).run()
    button(app, "Score the set").click().run()
    set_scores.job("embedded", CHOICES).thread.join(120)
    app.run()
    outcomes = set_scores.outcomes("embedded", CHOICES)
    assert listed(app) == list(range(5, 5 + LISTED))
    assert sorted(outcomes) == list(range(5))
    for outcome, is_right in (("wrong", False), ("right", True)):
        app.selectbox(key="set_outcome").set_value(outcome).run()
        wanted = [number for number, one in outcomes.items() if one == is_right][:LISTED]
        assert (listed(app) if wanted else []) == wanted


def test_the_figures_of_the_task_are_those_of_the_command_line(model, nothing_known):
    """Worked out from the same scores, over the items that are scored."""
    app = at_sets()
    choose_set(app, SOURCES)
    app.number_input(key=f"set_count_{SOURCES}").set_value(4).run()
    button(app, "Score the set").click().run()
    set_scores.job("embedded", SOURCES).thread.join(120)
    app.run()

    data = sets.opened(SOURCES)
    known = [
        Scored.of(number, data[number], 0, reading.scores(data[number].asked[0], model.score, []))
        for number in range(4)
    ]
    shown = [
        float(one.value.replace(" %", "").replace("\N{MINUS SIGN}", "-")) for one in app.metric
    ]
    wanted = [value for _, value in figures("WebQA", known)]
    assert shown[:4] == pytest.approx([100 * one for one in wanted[:4]], abs=0.06)
    assert shown[4] == pytest.approx(wanted[4], abs=0.006)
    assert "Over the 4 items that are scored so far" in said(app)
    assert "which flatters" in said(app)


def test_looking_inside_a_candidate_puts_it_on_show_for_all_pages(model):
    """The picture with the question and that candidate, its regions, and the model's own score."""
    app = at_sets()
    choose_set(app, CHOICES)
    app.radio(key="set_item").set_value(2).run()
    look_inside(app, 1)
    assert "On show: Q→A, candidate 2 of 4" in said(app)
    assert app.button(key="look_inside_1").disabled

    wanted = model.trace(sets.option(CHOICES, Place(2, 0, 1)).example())
    for page in (*PAGES, PAGE):
        app.switch_page(page).run()
        assert not app.exception
        assert errors(app) == []
        assert [app.query_params[one] for one in ("set", "item", "asked", "option")] == [
            *(CHOICES, "3", "1", "2")
        ]
        assert "question" not in app.query_params
    app.switch_page("pages/overview.py").run()
    card = json.loads(messages(app, "vl_summary")[0].json)
    tokens = wanted.streams["encoder"].tokens
    assert [one["text"] for one in card["tokens"]] == list(tokens.chosen(~tokens.is_image).texts)
    assert card["answers"][0]["said"] == score(wanted.prediction.top[0][1])
    app.query_params["statistic"] = "grounding"
    app.switch_page("pages/heads.py").run()
    assert head_map_of(app)["values"] == pytest.approx(
        head_stats.GROUNDING.of(wanted.stacks["encoder"]), abs=1e-3
    )
    assert np.isfinite(head_map_of(app)["values"]).all()


def test_candidates_are_switched_with_layer_head_and_the_questions_words_in_place():
    """All pages follow; a word of the candidate itself is pinned no longer."""
    app = visitor(f"{LINK}&layer=3&head=7&tokens=2,5").run()
    app.switch_page("pages/attention.py").run()
    item = sets.item(CHOICES, 2)
    n_question = len(item.asked[0].options[1].example().parts[0].split())
    assert n_question >= 4  # so that tokens 2 and 5, counted from 1, are words of the question
    button(app, "Next candidate").click().run()

    assert [app.query_params[one] for one in ("option", "layer", "head", "tokens")] == [
        *("3", "3", "7", "2,5")
    ]
    assert item.asked[0].options[2].title in said(app)

    button(app, "To QA→R").click().run()
    assert [app.query_params[one] for one in ("asked", "option", "layer", "head", "tokens")] == [
        *("2", "3", "3", "7", "2,5")
    ]
    button(app, "Next item").click().run()
    assert [app.query_params[one] for one in ("item", "asked", "option", "layer", "head")] == [
        *("4", "2", "3", "3", "7")
    ]
    assert app.query_params["tokens"] != "2,5"  # of another question
    button(app, "Previous candidate").click().run()
    button(app, "Previous candidate").click().run()
    assert app.query_params["option"] == "1"
    assert button(app, "Previous candidate").disabled
    assert errors(app) == []


def test_the_head_that_was_suggested_stays_for_the_other_candidates():
    """Although another one grounds their words best, as theirs alone would suggest."""
    traces = [
        session.trace_of(Request("embedded", "set", CHOICES, "", place=Place(3, 0, option)))
        for option in range(4)
    ]
    heads = [selection.telling_head(trace.stacks["encoder"]) for trace in traces]
    assert heads[0] != heads[1]
    app = visitor(f"set={CHOICES}&item=4").run()
    before = [app.query_params[one] for one in ("layer", "head")]
    assert before == [str(number + 1) for number in heads[0]]

    button(app, "Next candidate").click().run()

    assert [app.query_params[one] for one in ("layer", "head")] == before


def test_sources_are_stepped_through_with_nothing_pinned_to_another_picture():
    """Their texts and pictures have nothing in common but the question."""
    app = visitor(f"set={SOURCES}&item=1&tokens=2,3").run()
    assert app.query_params["tokens"] == "2,3"
    button(app, "Next source").click().run()
    assert app.query_params["option"] == "2"
    assert app.query_params["tokens"] != "2,3"


def test_a_word_of_the_candidate_is_not_pinned_to_another_ones_word():
    """Nor is a patch, which has another place behind a longer text."""
    app = visitor(LINK).run()
    example = sets.option(CHOICES, Place(2, 0, 1)).example()
    table = (
        session.trace_of(Request("embedded", "set", CHOICES, "", place=Place(2, 0, 1)))
        .streams["encoder"]
        .tokens
    )
    own = next(n for n, (start, _) in enumerate(table.spans) if start >= example.breaks[0])
    patch = int(np.flatnonzero(table.is_image)[3])
    app = visitor(f"{LINK}&tokens=2,{own + 1},{patch + 1}").run()
    assert app.query_params["tokens"] == f"2,{own + 1},{patch + 1}"

    button(app, "Next candidate").click().run()

    assert app.query_params["tokens"] == "2"


def test_the_items_that_were_found_are_stepped_through():
    """The bar leads to the next of them, and the list to the same."""
    app = at_sets(LINK)
    search(app, "share")
    numbers = listed(app)
    assert len(numbers) > 2
    app.radio(key="set_item").set_value(numbers[0]).run()
    look_inside(app, 0)
    app.switch_page("pages/heads.py").run()

    assert button(app, "Previous item").disabled
    button(app, "Next item").click().run()
    assert app.query_params["item"] == str(numbers[1] + 1)
    app.switch_page(PAGE).run()
    assert app.radio(key="set_item").value == numbers[1]
    assert listed(app) == numbers


def test_items_that_cannot_be_read_are_listed_and_passed_over():
    """One that is chosen says why; steps lead to the next that can be read."""
    app = at_sets()
    choose_set(app, "damaged")
    assert listed(app) == [0, 1, 2, 3]
    assert [":gray[cannot be read]" in one for one in app.radio[0].options] == [
        False,
        True,
        True,
        False,
    ]
    app.radio(key="set_item").set_value(1).run()
    assert len(errors(app)) == 1
    assert "line 2 of damaged.jsonl" in errors(app)[0]

    app.radio(key="set_item").set_value(0).run()
    look_inside(app, 0)
    app.switch_page("pages/heads.py").run()
    button(app, "Next item").click().run()
    assert (app.query_params["item"], errors(app)) == ("4", [])
    button(app, "Previous item").click().run()
    assert (app.query_params["item"], errors(app)) == ("1", [])


def test_a_link_shows_the_same_again():
    """On every page; the list opens where the item stands."""
    for page in (*PAGES, PAGE):
        app = visitor(f"set={CHOICES}&item=22&asked=2&option=4&layer=2&head=3").run()
        app.switch_page(page).run()
        assert errors(app) == []
        assert app.sidebar.selectbox(key="source").value == "set"
        assert [app.query_params[one] for one in ("item", "asked", "option", "layer", "head")] == [
            *("22", "2", "4", "2", "3")
        ]
    assert listed(app) == LAST_PAGE
    assert app.radio(key="set_item").value == 21
    assert app.segmented_control(key="set_asked").value == 1


def test_a_link_to_an_item_that_is_only_looked_at_is_followed():
    """What is on show stays what it is."""
    app = linked_to(browse=SOURCES, entry="21")
    assert app.selectbox(key="set_name").value == SOURCES
    assert app.radio(key="set_item").value == 20
    assert app.query_params["example"] == requests.worked_example().name
    assert app.query_params["entry"] == "21"

    app = linked_to(browse="nobody", entry="1")
    assert errors(app) == []
    [error] = errors(linked_to(browse=SOURCES, entry="99"))
    assert error.startswith(f"“{SOURCES}” has {COUNT} items, and number 99 was asked for.")


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("set=nobody&item=1", "no data set called 'nobody'"),
        ("set=/etc/passwd", "no data set called '/etc/passwd'"),
        (f"set={CHOICES}&item=24", "has 23 items, and number 24"),
        (f"set={CHOICES}&item=0", "names the item '0'"),
        (f"set={CHOICES}&item=-1", "names the item '-1'"),
        (f"set={CHOICES}&item=2&option=5", "has 4 candidates or sources there, and number 5"),
        (f"set={CHOICES}&item=2&asked=3", "2 things are asked, and number 3"),
        ("set=gone&item=1", "not where this server looks"),
        (f"set={CHOICES}&model={OWN_TENSORS}", "holds no tensors"),
        (f"example=red-star&model={OWN_TENSORS}", "holds no tensors"),
    ],
)
def test_a_link_to_what_is_not_there_is_refused_in_one_sentence(address, sentence):
    """The last good result stays, and the link can still be copied."""
    app = visitor(address).run()

    assert not app.exception
    assert len(errors(app)) == 1
    assert sentence in errors(app)[0]
    assert app.title[0].value == "See where a vision-language model looks"
    first = address.partition("&")[0].split("=")
    assert app.query_params[first[0]] == first[1]


def test_a_set_whose_files_have_gone_is_said_where_it_is_chosen(server):
    """The others can be chosen; one that goes while it is looked at is told in a sentence, too."""
    app = at_sets()
    choose_set(app, "gone")
    assert errors(app) == ["The files of “gone” are not where this server looks for them."]
    choose_set(app, "plain")
    assert errors(app) == []

    table = server / "plain" / "metadata.jsonl"
    content = table.read_bytes()
    table.unlink()
    app.run()
    assert not app.exception
    assert errors(app)
    assert all(str(server) not in one for one in errors(app))
    table.write_bytes(content)
    app.run()
    assert errors(app) == []


def test_a_plain_item_shows_picture_question_and_answer():
    """And can be looked into; what stands in it is text and no markup."""
    app = at_sets()
    choose_set(app, "plain")
    assert "Answer: **left**" in said(app)
    assert scores_on(app) == []
    app.radio(key="set_item").set_value(1).run()
    assert app.subheader[0].value == r"2 · what \*is\* \<b\>it\</b\>?"

    look_inside(app, 0)
    assert errors(app) == []
    assert (app.query_params["set"], app.query_params["item"]) == ("plain", "2")
    assert "its scores and answers mean nothing" in said(app)


def test_where_the_truth_is_not_told_nothing_is_right_or_wrong(nothing_known):
    """As in the test split of VCR, which asks for a reason given each answer."""
    app = at_sets()
    choose_set(app, "test")

    assert len(app.segmented_control(key="set_asked").options) == 5
    assert len(scores_on(app)) == 4
    assert "right]" not in said(app)
    assert "the set does not tell what is right" in said(app)
    app.selectbox(key="set_outcome").set_value("unknown").run()
    assert listed(app) == [0]


def test_tensors_of_its_own_are_looked_into_without_any_model(server):
    """What the set holds is on show; its own model is told right or wrong."""
    app = at_sets()
    choose_set(app, "own")
    assert "The model said **yes**." in said(app)
    app.selectbox(key="set_outcome").set_value("wrong").run()
    assert listed(app) == [1]
    app.radio(key="set_item").set_value(1).run()
    assert "The model said **no**; right is **yes**." in said(app)
    look_inside(app, 0)

    held = datasets.open(server / "own").trace(1).stacks["encoder"]
    assert (app.query_params["model"], app.query_params["set"]) == (OWN_TENSORS, "own")
    for page in PAGES:
        app.switch_page(page).run()
        assert not app.exception
        assert errors(app) == []
    app.switch_page("pages/hidden_states.py").run()
    assert "they have no hidden states to show" in said(app)
    app.switch_page("pages/heads.py").run()
    shown = head_map_of(app)["values"]
    assert shown == pytest.approx(held.head_stats["text_to_image_mass"], abs=1e-3)
    again = visitor(f"model={OWN_TENSORS}&set=own&item=2").run()
    assert errors(again) == []
    assert again.query_params["model"] == OWN_TENSORS


def test_of_tensors_nothing_else_can_be_asked_but_a_model_can():
    """The sentence says so; Analyse in the sidebar asks the chosen model about the same picture."""
    app = visitor(f"model={OWN_TENSORS}&set=own&item=2").run()
    app.switch_page("pages/heads.py").run()
    app.segmented_control(key="heads_view").set_value("change").run()
    assert len(errors(app)) == 1
    assert "nothing else can be asked of it" in errors(app)[0]
    assert app.query_params["model"] == OWN_TENSORS

    button(app, "Analyse").click().run()
    assert errors(app) == []
    assert (app.query_params["model"], app.query_params["item"]) == ("embedded", "2")
    assert "instead" not in app.query_params


def test_a_question_of_ones_own_is_asked_about_the_sets_picture(model):
    """Its link is followed; the set's own text is asked again with the field empty."""
    app = visitor(LINK).run()
    assert app.sidebar.text_input(key="question").value == ""
    app.sidebar.text_input(key="question").set_value("what color is the star?")
    button(app, "Analyse").click().run()
    assert app.query_params["question"] == "what color is the star?"
    assert "with a question of your own" in said(app)
    wanted = Request("embedded", "set", CHOICES, "what color is the star?", place=Place(2, 0, 1))
    trace = session.trace_of(wanted)
    assert trace.example.text == "what color is the star?"
    assert trace.example.task == "answer"
    own = sets.option(CHOICES, Place(2)).example()
    assert {one.number for one in trace.example.regions} == {one.number for one in own.regions}
    assert len(trace.example.regions) == len({one.number for one in own.regions})

    again = visitor("&".join(f"{key}={app.query_params[key]}" for key in app.query_params)).run()
    assert errors(again) == []
    assert again.sidebar.text_input(key="question").value == "what color is the star?"
    again.sidebar.text_input(key="question").set_value("")
    button(again, "Analyse").click().run()
    assert "question" not in again.query_params
    assert "candidate 2 of 4" in said(again)


def test_a_blank_picture_can_be_put_in_the_sets_pictures_place():
    """The next candidate is asked with the blank picture as well, the next item is not."""
    app = visitor(LINK).run()
    app.sidebar.selectbox(key="instead").set_value(requests.BLANK).run()
    assert app.query_params["instead"] == requests.BLANK
    button(app, "Next candidate").click().run()
    assert (app.query_params["instead"], app.query_params["option"]) == (requests.BLANK, "3")
    button(app, "Next item").click().run()
    assert "instead" not in app.query_params
    assert errors(app) == []


def test_the_effect_of_heads_on_an_answer_is_not_told_of_a_candidate():
    """There is no answer, and what the model would answer is not what it was asked."""
    app = visitor(f"{LINK}&statistic=ablation_question").run().switch_page("pages/heads.py").run()

    assert np.isnan(head_map_of(app)["values"]).all()
    assert "A candidate or a source is judged here" in said(app)


def test_the_set_stays_in_the_sidebar_when_something_else_is_on_show():
    """And can be gone back to; what was chosen in the gallery is kept meanwhile."""
    app = visitor("example=red-star").run()
    assert "Data set" not in app.sidebar.selectbox(key="source").options
    app.switch_page(PAGE).run()
    choose_set(app, CHOICES)
    look_inside(app, 2)
    assert app.sidebar.selectbox(key="source").value == "set"
    app.sidebar.selectbox(key="source").set_value("gallery").run()
    assert app.sidebar.selectbox(key="entry").value == "red-star"
    button(app, "Analyse").click().run()
    assert app.query_params["example"] == "red-star"
    app.sidebar.selectbox(key="source").set_value("set").run()
    button(app, "Analyse").click().run()
    assert app.query_params["option"] == "3"
    assert errors(app) == []


def test_the_first_page_of_a_server_waits_for_no_model(monkeypatch, nothing_known):
    """The candidates are there at once, the scores follow."""
    monkeypatch.setattr(models, "is_loaded", lambda _: False)
    monkeypatch.setattr(set_scores, "score", lambda *_: pytest.fail("loads the model"))
    app = at_sets()
    choose_set(app, CHOICES)

    assert not app.exception
    assert "The scores follow" in said(app)
    assert sets.item(CHOICES, 0).asked[0].options[3].title in said(app)


def test_a_model_that_is_not_loaded_scores_nothing_and_says_what_to_do():
    """What is known of the embedded model is not taken for its."""
    app = at_sets()
    choose_set(app, CHOICES)
    app.sidebar.selectbox(key="model").options.append("someone/model")
    app.sidebar.selectbox(key="model").set_value("someone/model").run()

    assert "someone/model** is not loaded: load it" in said(app)
    assert scores_on(app) == []
    assert button(app, "Score the set").disabled
    assert app.button(key="look_inside_0").disabled


def test_a_link_waits_for_a_model_that_is_not_loaded():
    """The set stands in the sidebar meanwhile, so that it can be asked about when it is."""
    app = visitor(f"{LINK}&model=someone/model").run()

    assert len(errors(app)) == 1
    assert "someone/model is not loaded" in errors(app)[0]
    assert app.sidebar.selectbox(key="source").value == "set"
    assert app.query_params["model"] == "someone/model"
    assert "item 3: Q→A, candidate 2 of 4" in " ".join(
        one.value.replace("\\", "") for one in app.sidebar.caption
    )


def test_what_is_kept_is_said_truly():
    """Analyses of data sets are on the server's disk, like those of scenes."""
    app = visitor(LINK).run()
    captions = " ".join(one.value for one in app.sidebar.caption)
    assert "Analyses of generated scenes and data sets" in captions
    assert not Request("embedded", "set", CHOICES, "").is_private
