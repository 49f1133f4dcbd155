"""How an item of a data set is laid out, and what is offered of one that cannot be read."""

import json

import pytest
from PIL import Image
from streamlit.testing.v1.element_tree import Grid

from pages.shared import foreign, models
from pages.shared.data_sets import scene_sets, set_options, set_picture, set_scores, sets
from tests.pages.set_visits import (
    CHOICES,
    SOURCES,
    at_sets,
    errors,
    forget_sets,
    inside,
    listed,
    look_inside,
    said,
)

PICTURES = {"broad.png": (300, 100), "portrait.png": (90, 120)}
BOX = {"label": "dog", "box": [5, 6, 40, 50]}
BEYOND = {"label": "cat", "box": [5, 6, 91, 50]}  # by a pixel
TURNED = {"label": "bird", "box": [40, 6, 5, 50]}  # its sides exchanged: no place in any picture
LONG = "a very long story " * 30  # more words than the model reads
ROWS = [
    {"image": "portrait.png", "question": "is it left?", "candidates": ["yes", "no"]},
    {"image": "broad.png", "question": "is it right?", "candidates": ["yes", "no"]},
    {"image": "gone.png", "question": "is it gone?", "candidates": ["yes", "no"], "answer": "no"},
    {"image": "gone.png", "question": "where is it?", "answer": "left", "boxes": [BOX, TURNED]},
    {"image": "portrait.png", "question": "what story?", "candidates": [LONG, "none"]},
    {"image": "portrait.png", "question": "which?", "candidates": [f"the {n}" for n in range(11)]},
    {"image": "", "question": "without?", "answer": "yes", "category": "text", "shelf": "7b"},
    {"image": "portrait.png", "question": "what?", "boxes": [BOX, BEYOND, TURNED], "shelf": "5a"},
]
PORTRAIT, BROAD, GONE, GONE_TOO, STORY, MANY, PLAIN, BOXED = range(len(ROWS))


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory):
    """One with the embedded model loaded, and a table of pictures of several shapes."""
    folder = tmp_path_factory.mktemp("mine")
    for name, size in PICTURES.items():
        Image.new("RGB", size, "teal").save(folder / name)
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLINTERPRET_CACHE", str(folder / "store"))
        patch.setenv("VLINTERPRET_DATASETS", f"mine={folder}/rows.jsonl")
        patch.setattr(scene_sets, "COUNT", 3)
        forget_sets()
        models.model("embedded")
        yield
    forget_sets()


def at(name, number=0):
    """Somebody who looks at this item of a set."""
    app = at_sets()
    app.selectbox(key="set_name").set_value(name).run()
    return app.radio(key="set_item").set_value(number).run() if number else app


def ways_in(app, option=0):
    """The two buttons of an option."""
    return app.button(key=f"look_inside_{option}"), app.button(key=f"pin_{option}")


def texts(block):
    """What is written in a part of the page."""
    return " ".join(
        one.value for one in inside(block) if one.type in ("markdown", "caption", "subheader")
    ).replace("\\", "")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (GONE, "line 3 of rows.jsonl: gone.png cannot be read"),
        (GONE_TOO, "line 4 of rows.jsonl: gone.png cannot be read"),
    ],
)
def test_of_an_item_that_cannot_be_read_nothing_is_put_on_show_or_pinned(
    number, reason, monkeypatch
):
    """Why stands above, once; the rest of the item is there all the same.

    Of an item without candidates the buttons are not there; those of candidates say why.
    """
    score, scored = set_scores.score, []
    monkeypatch.setattr(
        set_scores, "score", lambda *args: (scored.append(args[2]), score(*args))[1]
    )
    app = at("mine", number)

    assert number not in scored
    assert len(errors(app)) == 1
    assert reason in errors(app)[0]
    candidates = ROWS[number].get("candidates", [])
    assert [one.label for one in app.button].count("Look inside") == len(candidates)
    for option in range(len(candidates)):
        for button in ways_in(app, option):
            assert button.disabled
            assert reason in button.help.replace("\\", "")
    assert ROWS[number]["question"] in said(app)
    assert "**2** no" in said(app) if number == GONE else "Answer: **left**" in said(app)


def test_a_candidate_that_the_model_cannot_read_is_offered_no_more():
    """The others are."""
    app = at("mine", STORY)

    assert [button.disabled for button in ways_in(app, 0)] == [True, True]
    assert all("this model reads at most" in button.help for button in ways_in(app, 0))
    assert [button.disabled for button in ways_in(app, 1)] == [False, False]
    assert errors(app) == []


@pytest.mark.parametrize("number", [PORTRAIT, BROAD, MANY])
def test_candidates_stand_beside_a_picture_that_leaves_room(number):
    """Below one that is broad, and where they are many."""
    app = at("mine", number)

    grids = [one for one in inside(app.main) if isinstance(one, Grid) and one.column_count == 2]
    assert len(grids) == (number == PORTRAIT)
    if grids:
        picture, candidates = grids[0].children.values()
        assert [one.type for one in inside(picture)][-1] == "image"
        assert "**2** no" in texts(candidates)
    last = ROWS[number]["candidates"][-1]
    assert f"** {last}" in texts(app.main)


def test_a_box_that_is_no_place_in_the_picture_is_told_of_below_it():
    """The others are drawn, and the item can be looked into."""
    app = at("mine", BOXED)

    assert errors(app) == []
    assert "line 8 of rows.jsonl: Region cat has the box (5.0, 6.0, 91.0, 50.0)" in texts(app.main)
    assert "It is left out." in texts(app.main)
    place = sets.Place(BOXED, 0)
    assert set_picture.whole("mine", place).names == ("dog",)
    assert [button.disabled for button in ways_in(app)] == [False, False]


@pytest.mark.parametrize(("number", "facts"), [(BOXED, "shelf: 5a"), (GONE_TOO, "boxes left out:")])
def test_a_box_that_is_left_out_is_told_of_once(number, facts):
    """Below the picture; where there is none to see, among what the file has."""
    app = at("mine", number)

    [folded] = [one for one in app.expander if one.label == "As the file has it"]
    assert texts(app.main).count("Region bird has the box") == 1
    assert facts in texts(folded)


def test_the_way_on_stands_below_the_title():
    """Before the answer, the picture and the candidates; what has no other is not told apart."""
    app = at("mine", PLAIN)
    look_inside(app, 0)

    assert errors(app) == []
    assert "all of it" not in texts(app.main) + texts(app.sidebar)
    written = texts(app.main)
    places = [written.index(one) for one in ("7 · without?", "[On show]", "Answer: **yes**")]
    assert places == sorted(places)
    assert "mine, item 7" in [one.value.replace("\\", "") for one in app.sidebar.caption]
    app.switch_page("pages/heads.py").run()
    assert "**mine** · item 7" in [one.value.replace("\\", "") for one in app.markdown]


def test_that_the_model_does_not_know_such_pictures_stands_after_the_item():
    """In a narrow window the item itself comes first."""
    parts = list(inside(at("mine", PORTRAIT).main))

    [note] = [i for i, one in enumerate(parts) if getattr(one, "value", "") == foreign.OF_SCORES]
    ways = [i for i, one in enumerate(parts) if getattr(one, "label", "") == "Look inside"]
    assert len(ways) == 2
    assert note > max(ways)


def test_the_answer_stands_below_the_question_of_sources():
    """Not after all of them."""
    written = texts(at(SOURCES).main)

    answer = f"Answer: **{sets.item(SOURCES, 0).answer}**"
    assert written.index("1 · ") < written.index(answer) < written.index("**1** ")


@pytest.mark.parametrize(("name", "count"), [(CHOICES, 4), (SOURCES, 8)])
def test_what_a_score_is_is_explained_once(name, count):
    """Over the column, not at each of them."""
    app = at(name)

    explained = [one for one in inside(app.main) if getattr(one, "help", "") == set_options.HELP]
    assert len(explained) == 1
    assert len([one for one in app.button if one.label == "Look inside"]) == count


def test_what_else_the_file_has_is_folded_away():
    """It can be unfolded."""
    app = at("mine", PLAIN)

    [facts] = [one for one in app.expander if one.label == "As the file has it"]
    assert not facts.proto.expanded
    assert texts(facts) == "category: text  \nshelf: 7b"
    assert texts(app.main).count("shelf: 7b") == 1


def test_right_and_wrong_stand_before_the_number():
    """With a mark for what is not known, so that the numbers stand below each other."""
    app = at("mine", PORTRAIT)

    labels = app.radio(key="set_item").options
    assert listed(app) == list(range(len(ROWS)))
    known = set_scores.outcomes("embedded", "mine")
    assert known.keys() < set(range(len(ROWS)))
    marks = [label.partition("**")[0] for label in labels]
    assert marks == [
        {True: ":green[:material/check:] ", False: ":red[:material/close:] "}.get(
            known.get(number), ":gray[:material/remove:] " if known else ""
        )
        for number in range(len(ROWS))
    ]
