"""From rows to items: every column and every form that it may have, and what is refused."""

import re
from dataclasses import dataclass

import pytest

from tests.datasets.pictures import png
from vl_core.datasets.items import PLAIN, Dataset
from vl_core.datasets.rows import Table, check_table, first_columns
from vl_core.errors import DatasetError, ImageError, TextError

BOX = [2, 3, 12, 10.5]


@dataclass
class Given:
    """Rows from a list; one that is an error is raised when it is asked for."""

    rows: list
    paths = ()

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, number):
        row = self.rows[number]
        if isinstance(row, Exception):
            raise row
        return row

    def named(self, number):
        """As an editor would count."""
        return f"line {number + 1} of a.jsonl"


class Files:
    """A single picture."""

    def read(self, name):
        """Its bytes, under its name."""
        if name != "pictures/a.png":
            raise DatasetError(f"{name} cannot be read: No such file or directory.")
        return png()

    def has(self, name):
        """Whether it is that one."""
        return name == "pictures/a.png"


def table(*rows):
    """A data set of these rows."""
    return Table("a.jsonl", "table", Given(list(rows)), Files(), {})


def only(**row):
    """The item of one row, with a picture and a question unless it says otherwise."""
    return table({"image": "pictures/a.png", "question": "Where is the red star?"} | row)[0]


def test_a_row_with_a_picture_and_a_question_is_enough():
    """It has one option and no name but its number."""
    data = table({"image": "pictures/a.png", "question": "  Where\nis it? "})
    (item,) = data

    assert isinstance(data, Dataset)
    assert (item.name, item.text, item.category, item.answer) == ("0", "Where is it?", "", None)
    assert [asked.name for asked in item.asked] == [PLAIN]
    assert item.asked[0].right is None
    assert item.example.text == "Where is it?"
    assert item.example.size == (24, 18)
    assert item.example.task == "answer"
    assert item.example.regions == ()


@pytest.mark.parametrize("name", ["question", "text", "caption"])
@pytest.mark.parametrize("image", ["image", "file_name"])
def test_columns_may_have_other_usual_names(image, name):
    """Those of Hugging Face's folders among them; an empty one is passed over."""
    row = {image: "pictures/a.png", "question": "", "text": None, "caption": float("nan")}
    item = table(row | {name: "a dog"})[0]
    assert item.text == "a dog"
    assert item.example.size == (24, 18)


@pytest.mark.parametrize(
    "image",
    [
        png(),
        {"bytes": png(), "path": None},
        {"bytes": None, "path": "pictures/a.png"},
        {"path": "pictures/a.png"},
        lambda: {"bytes": png(), "path": "elsewhere.png"},
        png,
    ],
)
def test_a_picture_may_be_in_the_row(image):
    """Its bytes, with or without a name, or a function that reads them."""
    assert only(image=image).example.size == (24, 18)


@pytest.mark.parametrize("image", [None, "", {"bytes": None, "path": None}])
def test_a_row_may_have_no_picture(image):
    """Then there is a text alone."""
    assert only(image=image).example.image is None


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        ("b.png", DatasetError, r"line 1 of a\.jsonl: b\.png cannot be read"),
        ("http://x.org/b.png", DatasetError, r"is an address, and nothing is downloaded"),
        (7, DatasetError, r"line 1 of a\.jsonl: 7 in the place of a picture's name"),
        (b"GIF", ImageError, r"line 1 of a\.jsonl: This file is not a picture"),
    ],
)
def test_a_picture_that_cannot_be_read_is_told_with_its_row(image, error, message):
    """When the example is asked for, and not before."""
    item = only(image=image)
    assert item.text
    with pytest.raises(error, match=message):
        _ = item.example


@pytest.mark.parametrize(("answer", "said"), [("red", "red"), (3, "3"), (0, "0"), ("", None)])
def test_the_answer_is_kept_in_words(answer, said):
    """Also for the example, whose trace shows it."""
    item = only(answer=answer, category="color", id=17)
    assert (item.answer, item.example.answer) == (said, said)
    assert (item.name, item.category) == ("17", "color")


CANDIDATES = ["a cat", " a  dog", "a red star", "2"]


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("a dog", 1),
        ("a  dog ", 1),
        (1, 1),
        (1.0, 1),
        ("1", 1),
        ("1.0", 1),
        ("0", 0),
        ("2", 3),  # a candidate itself
        (2, 3),
        (None, None),
        ("", None),
    ],
)
@pytest.mark.parametrize("form", [list, str])
def test_candidates_are_options_of_which_the_answer_is_right(answer, right, form):
    """Each one joined to the question; the answer by its text or its number."""
    given = CANDIDATES if form is list else '["a cat", " a  dog", "a red star", "2"]'
    item = only(candidates=given, answer=answer)
    (asked,) = item.asked

    assert asked.name == "candidates"
    assert asked.text == item.text
    assert asked.right == (None if right is None else {right})
    assert [option.name for option in asked.options] == ["0", "1", "2", "3"]
    assert [option.title for option in asked.options] == ["a cat", "a dog", "a red star", "2"]
    example = asked.options[1].example()
    assert example.parts == ("Where is the red star?", "a dog")
    assert example.task == "candidate"
    assert item.answer == example.answer == (None if right is None else asked.options[right].title)


@pytest.mark.parametrize("answer", ["a bird", 4, -1, "-1", "1.5", True])
def test_an_answer_that_is_none_of_the_candidates_is_refused(answer):
    """It would be counted as wrong whatever a model says."""
    with pytest.raises(DatasetError, match=r"is none of the 4 candidates, nor the number of one"):
        only(candidates=CANDIDATES, answer=answer)


LABELED = [{"label": "RED  Star", "box": BOX}, {"label": "moon", "box": [0, 0, 5, 6]}]


@pytest.mark.parametrize(
    "boxes",
    [
        LABELED,
        '[{"label": "RED  Star", "box": [2, 3, 12, 10.5]}, {"label": "moon", "box": [0,0,5,6]}]',
        {"label": ["RED  Star", "moon"], "box": [BOX, [0, 0, 5, 6]]},
    ],
)
def test_boxes_name_the_words_that_are_their_label(boxes):
    """As whole words; a label that the text does not hold names none."""
    regions = only(boxes=boxes).example.regions

    assert [region.label for region in regions] == ["RED Star", "moon"]
    assert [region.box for region in regions] == [(2, 3, 12, 10.5), (0, 0, 5, 6)]
    assert regions[0].span == (13, 21)
    assert regions[1].span is None


@pytest.mark.parametrize(
    ("text", "label", "words"),
    [
        ("stars and a star", "star", (12, 16)),
        ("a star, a star", "star", (2, 6)),
        ("a star-shaped star", "star", (2, 6)),
        ("is C++ (here)", "C++", (3, 6)),
        ("a superstar", "star", None),
        ("stars", "star", None),
    ],
)
def test_only_whole_words_count_and_the_first_of_them(text, label, words):
    """Whatever signs are in a label, it is taken as it stands."""
    (region,) = only(question=text, boxes=[{"label": label, "box": BOX}]).example.regions
    assert region.span == words


def test_a_label_is_named_within_the_question_or_within_the_candidate():
    """Not by words that stand side by side only because the two were joined."""
    item = only(
        question="is it red",
        candidates=["star", "a red star"],
        boxes=[{"label": "red star", "box": BOX}],
    )
    spans = [option.example().regions[0].span for option in item.asked[0].options]
    assert spans == [None, (12, 20)]


def test_boxes_may_have_no_label():
    """They are numbered, and name no words."""
    regions = only(boxes=[BOX, [0, 0, 5, 6]]).example.regions
    assert [region.label for region in regions] == ["box 1", "box 2"]
    assert [region.span for region in regions] == [None, None]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("boxes", "[[1, 2", r"line 1 of a\.jsonl: boxes is no list in JSON"),
        ("boxes", "[" * 100_000, r"boxes is no list in JSON"),
        ("boxes", 5, r"boxes is 5; a list is wanted"),
        ("boxes", '{"label": 1}', r"boxes is \{'label': 1\}; a list is wanted"),
        ("boxes", {"label": 5}, r"line 1 of a\.jsonl: boxes is \{'label': 5\}; a list is wanted"),
        ("boxes", {"label": "dog", "box": [BOX]}, r"boxes is .*; a list is wanted"),
        ("boxes", ["x" * 5000], r"^.{1,200}$"),
        ("boxes", [[1, 2, 3]], r"\[1, 2, 3\] in the place of a box; \[left, top, right, bottom\]"),
        ("boxes", [["a", 2, 3, 4]], r"in the place of a box"),
        ("boxes", [{"label": "star"}], r"None in the place of a box"),
        ("boxes", [7], r"7 in the place of a box"),
        ("boxes", [[0, 0, 10**400, 4]], r"\[0, 0, 1000+.* in the place of a box"),
        ("candidates", "a, b", r"candidates is no list in JSON"),
        ("candidates", ["a", " "], r"line 1 of a\.jsonl: a candidate is empty"),
        ("candidates", ["a", None], r"None among the candidates; texts or numbers are wanted"),
        ("candidates", ["a", True], r"True among the candidates"),
        ("candidates", ["a", {"b": 1}], r"\{'b': 1\} among the candidates"),
        ("id", "\ud800", r"id holds '\\ud800', which is no text in Unicode"),
        ("question", b"red?".decode, r"question holds bytes; a text is wanted"),
        ("question", "", r"line 1 of a\.jsonl: The question is empty"),
        ("question", ["where?"], r"question holds \['where\?'\]; a text is wanted"),
        ("answer", {"a": 1}, r"answer holds \{'a': 1\}; a text is wanted"),
        ("id", [1], r"id holds \[1\]; a text is wanted"),
    ],
)
def test_values_of_another_kind_are_refused_with_their_row(column, value, message):
    """In one sentence, when the item is asked for."""
    with pytest.raises(DatasetError, match=message):
        only(**{column: value})


NO_PLACES = {
    "beyond the edge": ([2, 3, 12, 19], "is not inside the picture of 24 x 18 pixels"),
    "on the other side": ([-2, 3, 12, 9], "is not inside the picture"),
    "from right to left": ([12, 3, 2, 9], "has no area"),
    "without a height": ([2, 3, 12, 3], "has no area"),
    "nan": ([2, 3, float("nan"), 9], "four finite numbers are wanted"),
    "without end": ([2, 3, float("inf"), 9], "four finite numbers are wanted"),
}


@pytest.mark.parametrize("case", NO_PLACES)
@pytest.mark.parametrize("candidates", [None, ["yes", "no"]])
def test_a_box_that_is_no_place_is_left_out_and_told_with_its_row(case, candidates):
    """The picture, what is asked and the other boxes are there all the same."""
    box, why = NO_PLACES[case]
    boxes = [BOX, {"label": "red star", "box": box}, [0, 0, 5, 6]]
    item = only(boxes=boxes, candidates=candidates)
    for option in item.asked[0].options:
        example = option.example()
        (sentence,) = option.left_out(example)

        assert [region.label for region in example.regions] == ["box 1", "box 3"]
        assert example.size == (24, 18)
        assert re.match(rf"line 1 of a\.jsonl: Region red star has the box .*{why}", sentence)
        assert sentence.endswith("It is left out.")


def test_what_can_be_told_without_the_picture_is_a_fact():
    """A picture is not read for it; of good boxes there is none."""
    item = only(boxes=[[12, 3, 2, 9], [2, 3, 12, 19], BOX], source="web", image="nowhere.png")
    (told,) = item.facts.keys() - {"source"}
    assert told == "boxes left out"
    assert item.facts[told].count("left out") == 1
    assert "Region box 1 has the box (12.0, 3.0, 2.0, 9.0), which has no area" in item.facts[told]
    assert only(boxes=[BOX]).facts == {}
    good = only(boxes=[BOX])
    assert good.asked[0].options[0].left_out(good.example) == ()


def test_a_box_needs_no_picture_to_be_left_out():
    """A row may have none."""
    item = only(image="", boxes=[[12, 3, 2, 9], [2, 3, 900, 900]])
    assert [region.label for region in item.example.regions] == ["box 2"]
    (option,) = item.asked[0].options
    assert len(option.left_out(item.example)) == 1


def test_a_label_without_end_does_not_fill_the_screen():
    """In the sentence on its box."""
    item = only(boxes=[{"label": "x" * 5000, "box": [12, 3, 2, 9]}])
    assert len(item.facts["boxes left out"]) < 400


def test_other_short_values_are_facts():
    """What is known, empty, long or no single value is none."""
    item = only(answer="red", source="web", year=1999, long="x" * 201, empty="", tags=["a"])
    assert item.facts == {"source": "web", "year": "1999"}


def test_numbers_are_candidates_and_halves_of_characters_no_facts():
    """As they read."""
    item = only(candidates=[1, 2.5, "three"], answer="2.5", source="\ud800", year=1999)
    assert [one.title for one in item.asked[0].options] == ["1", "2.5", "three"]
    assert (item.asked[0].right, item.facts) == ({1}, {"year": "1999"})


def test_one_damaged_row_breaks_no_other():
    """It is told when it is asked for."""
    good = {"image": "pictures/a.png", "text": "a dog"}
    data = table(good, DatasetError("line 2 of a.jsonl is no JSON"), {"image": "a"}, good)

    assert (len(data), data[0].text, data[-1].text) == (4, "a dog", "a dog")
    with pytest.raises(DatasetError, match=r"^line 2 of a\.jsonl is no JSON$"):
        data[1]
    with pytest.raises(DatasetError, match=r"^line 3 of a\.jsonl: The question is empty") as told:
        data[2]
    assert isinstance(told.value.__cause__, TextError)
    for number in (4, -5):
        with pytest.raises(IndexError, match="of 4"):
            data[number]


@pytest.mark.parametrize(
    ("columns", "is_enough"),
    [
        (["image", "question"], True),
        (["x", "file_name", "caption"], True),
        (["image", "answer"], False),
        (["question"], False),
        ([], False),
    ],
)
def test_missing_columns_are_told_beside_those_there_are(columns, is_enough):
    """And what is wanted."""
    rows = Given([{}])
    if is_enough:
        check_table(rows, columns, "a.csv")
        return
    there = ", ".join(columns) or r"\(none\)"
    wanted = rf'a\.csv has the columns {there}\. Wanted are .*"image" or "file_name".*"caption"'
    with pytest.raises(DatasetError, match=wanted):
        check_table(rows, columns, "a.csv")


@pytest.mark.parametrize("twice", ["question", "Question", "IMAGE"])
def test_columns_that_differ_in_capitals_at_most_are_refused(twice):
    """It cannot be told which is meant."""
    with pytest.raises(DatasetError, match=rf"a\.csv has .* and '{twice}' among its columns"):
        check_table(Given([{}]), ["image", "question", twice], "a.csv")


def test_an_empty_table_is_refused():
    """Whatever its columns are called."""
    with pytest.raises(DatasetError, match=r"a\.csv is empty"):
        check_table(Given([]), ["image", "question"], "a.csv")


def test_columns_of_rows_that_name_their_own_are_gathered():
    """From the first that can be read."""
    damage = DatasetError("line 1 of a.jsonl is no JSON")
    assert first_columns(Given([damage, {"a": 1}, {"b": 2, "a": 3}])) == ["a", "b"]
    assert first_columns(Given([])) == []
    with pytest.raises(DatasetError, match="line 1"):
        first_columns(Given([damage, damage]))
