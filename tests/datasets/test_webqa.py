"""WebQA's questions, read from small files in its format."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.datasets.webqa_files import (
    FIRST,
    by_text,
    encoded,
    guid,
    hidden,
    labeled,
    picture,
    row,
    snippet,
    write_questions,
    write_rows,
)
from vl_core.datasets.items import Dataset
from vl_core.datasets.webqa import WebQA, is_at, opened
from vl_core.errors import DatasetError, ImageError

QUESTIONS = [
    labeled(0, "train"),
    labeled(1),
    labeled(2, category="YesNo"),
    labeled(3, "train", "shape"),
    by_text(4),
    labeled(5, "train"),
    labeled(6, "train"),
]


@pytest.fixture
def folder(tmp_path):
    """Both files of questions, and a picture for each number, no two of one size."""
    folder = tmp_path / "webqa"
    folder.mkdir()
    write_questions(folder / "WebQA_train_val.json", QUESTIONS)
    write_questions(folder / "WebQA_test.json", [hidden(8), hidden(9)])
    write_rows(folder, [row(number, encoded(20 + number, 17)) for number in range(93)])
    return folder


def only(tmp_path, question):
    """The item of a file with just this question."""
    (item,) = WebQA(write_questions(tmp_path / "one.json", [question]))
    return item


def test_validation_is_opened_where_there_are_several_splits(folder):
    """Its questions in the file's order; all splits and their categories are told of."""
    data = opened(folder)
    assert isinstance(data, Dataset)
    assert [item.name for item in data] == [guid(1), guid(2), guid(4)] == list(data.guids)
    assert (data.name, data.kind, len(data)) == ("WebQA_train_val.json, val", "WebQA", 3)
    assert data.metadata["questions"] == {"train": 4, "val": 3}
    assert data.metadata["categories"] == {
        "train": {"color": 3, "shape": 1},
        "val": {"color": 1, "YesNo": 1, "text": 1},
    }
    assert data.metadata["pictures"] == 93


@pytest.mark.parametrize(
    ("name", "split", "numbers"),
    [
        ("", "train", [0, 3, 5, 6]),
        ("", "val", [1, 2, 4]),
        ("", "test", [8, 9]),
        ("WebQA_train_val.json", None, [1, 2, 4]),
        ("WebQA_test.json", None, [8, 9]),
    ],
)
def test_each_split_is_opened_by_name(folder, name, split, numbers):
    """From the folder or from the file that holds it."""
    assert WebQA(folder / name, split).guids == tuple(map(guid, numbers))


def test_items_are_counted_from_both_ends(folder):
    """Beyond them there are none."""
    data = opened(folder)
    assert data[-1].name == data[2].name == guid(4)
    for number in (3, -4):
        with pytest.raises(IndexError, match="of 3"):
            data[number]


def test_a_question_stands_without_its_quotes(folder):
    """So do its answer, of which the first counts, and its key words."""
    item = opened(folder)[0]
    assert (item.text, item.asked[0].text) == ("What color is door 1?",) * 2
    assert item.answer == "Door 1 is green."
    assert item.category == "color"
    assert item.facts == {"topic": "lighthouse", "split": "val", "key words": "green"}
    assert item.asked[0].name == "sources"


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ('"Who?"', "Who?"),
        (' "Who? " ', "Who?"),
        ("Who?", "Who?"),
        ('"Who wrote "Emma"?"', 'Who wrote "Emma"?'),
        ('"Who sang "Hey""', 'Who sang "Hey"'),
        ('"', '"'),
    ],
)
def test_only_the_quotes_around_are_taken_off(tmp_path, told, text):
    """Those within belong to the question."""
    assert only(tmp_path, labeled(1, Q=told)).text == text


@pytest.mark.parametrize(
    ("changes", "answer"),
    [({"A": ['"TBD"']}, None), ({"A": []}, None), ({"A": None}, None), ({"A": ["yes"]}, "yes")],
)
def test_an_answer_that_is_kept_back_is_none(tmp_path, changes, answer):
    """WebQA says TBD for it."""
    assert only(tmp_path, labeled(1, **changes)).answer == answer


@pytest.mark.parametrize("keywords", ['"TBD"', "TBD", None, '""'])
def test_key_words_that_are_not_told_are_no_fact(tmp_path, keywords):
    """Text questions of the published validation files have TBD, others nothing."""
    assert "key words" not in only(tmp_path, labeled(1, Keywords_A=keywords)).facts


def test_each_source_is_an_option_by_its_number(folder):
    """Pictures are called by number, texts by their snippet's; captions and texts are read."""
    for number, question in zip((0, 2), (QUESTIONS[1], QUESTIONS[4]), strict=True):
        item = opened(folder)[number]
        (asked,) = item.asked
        facts = {name: question[name] for name in question if name.endswith("Facts")}
        expected = {
            str(fact.get("image_id", fact.get("snippet_id"))): fact.get(
                "caption", f"Lighthouse. {fact.get('fact')}"
            )
            for own in facts.values()
            for fact in own
        }
        assert {one.name: one.title for one in asked.options} == expected
        right = {
            str(fact.get("image_id", fact.get("snippet_id")))
            for name in ("img_posFacts", "txt_posFacts")
            for fact in facts[name]
        }
        assert {asked.options[place].name for place in asked.right} == right
        for option in asked.options:
            example = option.example()
            assert example.task == "source"
            assert example.parts == (item.text, expected[option.name])
            is_picture = option.name.isdecimal()
            assert example.size == ((20 + int(option.name) - FIRST, 17) if is_picture else None)


def test_the_order_of_options_says_nothing_of_what_is_right(tmp_path):
    """The file has right ones first; over many questions each place is right equally often."""
    n_questions = 400
    path = write_questions(tmp_path / "many.json", [labeled(n) for n in range(n_questions)])
    places = [place for item in WebQA(path) for place in item.asked[0].right]
    counts = [places.count(place) for place in range(9)]
    assert sum(counts) == 2 * n_questions
    # 89 expected; the standard deviation is 8.3.
    assert all(58 < count < 120 for count in counts)


def test_the_order_is_the_same_each_time(folder):
    """Whatever stands before the question in the file."""
    (alone,) = WebQA(write_questions(folder / "alone.json", [QUESTIONS[4]]))
    again = WebQA(folder, "val")[2]
    assert [one.name for one in alone.asked[0].options] == [
        one.name for one in again.asked[0].options
    ]


def test_the_test_split_has_no_labels(folder):
    """Nothing is right, nothing is answered; A holds a placeholder."""
    item = WebQA(folder, "test")[1]
    assert item.asked[0].right is None
    assert (item.answer, item.category) == (None, "")
    assert item.facts == {"split": "test"}
    assert {one.title for one in item.asked[0].options} == {
        "shown 0", "shown 1", "shown 2", "Lighthouse. Said 0.", "Lighthouse. Said 1."
    }  # fmt: skip
    assert item.example.task == "source"


def test_a_placeholder_of_the_test_split_is_no_answer(tmp_path):
    """Even if it looks like one."""
    item = only(tmp_path, hidden(1) | {"A": ['"Something."'], "Keywords_A": '"thing"'})
    assert item.answer is None
    assert "key words" not in item.facts


def test_a_question_without_right_sources_is_labeled_all_the_same(tmp_path):
    """None is right, which is not the same as not told."""
    item = only(tmp_path, labeled(1, img_posFacts=[]))
    assert item.asked[0].right == frozenset()


def test_a_source_that_is_listed_twice_is_one_option(tmp_path):
    """And right, if it is listed among the right ones."""
    facts = [picture(1, "twice"), picture(2), picture(2), picture(1, "again")]
    item = only(tmp_path, labeled(1, img_posFacts=[picture(1, "once")], img_negFacts=facts))
    names = [one.name for one in item.asked[0].options]
    assert len(names) == len(set(names)) == 2 + 4
    (place,) = item.asked[0].right
    assert item.asked[0].options[place].title == "once"


@pytest.mark.parametrize(
    ("title", "fact", "text"),
    [
        ("Cape Nowhere", "It has a light.", "Cape Nowhere. It has a light."),
        ("Cape Nowhere", "the CAPE NOWHERE has a light.", "the CAPE NOWHERE has a light."),
        ("Cape", "Capes have lights.", "Cape. Capes have lights."),
        ("Light (1832)", "Light (1832), a tower.", "Light (1832), a tower."),
        ("", "It has a light.", "It has a light."),
        (" ", "It has a light.", "It has a light."),
    ],
)
def test_a_title_is_not_said_twice(tmp_path, title, fact, text):
    """It stands before the text, unless that says it."""
    facts = [snippet(1, 0, fact, title)]
    item = only(tmp_path, labeled(1, txt_negFacts=facts))
    assert text in [one.title for one in item.asked[0].options]


@pytest.mark.parametrize(
    ("caption", "title", "text"), [("A", "B", "A"), ("A", "A", "A"), ("", "B", "B")]
)
def test_a_picture_is_told_by_its_caption(tmp_path, caption, title, text):
    """By its title only where there is no caption."""
    facts = [picture(1, caption, title=title)]
    item = only(tmp_path, labeled(1, img_posFacts=facts))
    (place,) = item.asked[0].right
    assert item.asked[0].options[place].title == text


def test_a_source_without_text_is_refused_when_it_is_read(tmp_path):
    """The others of the question are there."""
    write_rows(tmp_path, [row(number, encoded(20, 17)) for number in range(20)])
    item = only(tmp_path, labeled(1, img_posFacts=[picture(1, "", title=" ")]))
    (place,) = item.asked[0].right
    with pytest.raises(DatasetError, match=rf"{guid(1)} or its source {FIRST + 1} has no text"):
        item.asked[0].options[place].example()
    assert item.asked[0].options[place - 1].example().parts


def test_texts_can_be_read_without_the_pictures(tmp_path):
    """A picture says which files are missing."""
    data = WebQA(write_questions(tmp_path / "val.json", [labeled(1)]))
    assert data.metadata["pictures"] == "imgs.tsv or imgs.lineidx is missing"
    for option in data[0].asked[0].options:
        if option.name.isdecimal():
            with pytest.raises(
                DatasetError, match=r"imgs\.tsv and imgs\.lineidx are wanted beside"
            ):
                option.example()
        else:
            assert option.example().image is None


def test_a_picture_that_cannot_be_shown_is_named(tmp_path):
    """Cut short, no picture at all, and too small for any model."""
    whole = encoded(120, 90, "JPEG")
    contents = [whole[: len(whole) // 2], b"no picture", encoded(8, 30), whole]
    write_rows(tmp_path, [row(number, content) for number, content in enumerate(contents)])
    facts = [picture(number) for number in range(4)]
    item = only(tmp_path, labeled(1, img_posFacts=facts, img_negFacts=[], txt_negFacts=[]))
    options = {int(one.name) - FIRST: one for one in item.asked[0].options}
    for number, reason in enumerate(("cut short", "not a picture", "at least 16")):
        with pytest.raises(ImageError, match=rf"Picture {FIRST + number} of imgs.tsv: .*{reason}"):
            options[number].example()
    assert options[3].example().size == (120, 90)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Q": None}, "Q is missing"),
        ({"Q": 5}, "Q is 5; a text"),
        ({"Q": "\ud800?"}, r"Q is '.ud800.', no text in Unicode"),
        ({"A": "text"}, "A is not a list of texts"),
        ({"A": [7]}, "A is not a list of texts"),
        ({"Qcate": ["color"]}, "Qcate is .'color'.; a text"),
        ({"img_posFacts": {}}, "img_posFacts is not a list of objects"),
        ({"txt_negFacts": ["text"]}, "txt_negFacts is not a list of objects"),
        ({"img_negFacts": [{"caption": "x"}]}, "image_id None"),
        ({"img_negFacts": [picture(1) | {"image_id": "30000001"}]}, "image_id '30000001'"),
        ({"img_negFacts": [picture(1) | {"image_id": True}]}, "image_id True"),
        ({"img_negFacts": [picture(1) | {"image_id": -5}]}, "image_id -5"),
        ({"img_negFacts": [picture(1) | {"caption": 3}]}, "caption is 3; a text"),
        ({"txt_negFacts": [snippet(1, 0) | {"snippet_id": 4}]}, "snippet_id is 4; a text"),
        ({"txt_negFacts": [{"title": "x", "snippet_id": "y"}]}, "fact is missing"),
        (
            dict.fromkeys(["img_posFacts", "img_negFacts", "txt_posFacts", "txt_negFacts"]),
            "has no sources",
        ),
    ],
)
def test_a_damaged_question_is_refused_when_it_is_asked_for(tmp_path, changes, reason):
    """With its Guid; the others are read."""
    questions = [labeled(1), labeled(2, **changes), labeled(3)]
    data = WebQA(write_questions(tmp_path / "val.json", questions))
    assert (data[0].name, data[2].name) == (guid(1), guid(3))
    with pytest.raises(DatasetError, match=rf"Question {guid(2)}.*{reason}"):
        data[1]


def test_what_is_null_is_as_if_it_were_missing(tmp_path):
    """As another writer of JSON may put it; the question is whole."""
    own = labeled(2, category="text") | dict.fromkeys(["Keywords_A", "Qcate", "topic"])
    own["txt_posFacts"] = None
    own["img_negFacts"][0]["caption"] = None
    (item,) = WebQA(write_questions(tmp_path / "val.json", [own]))

    assert (item.category, item.facts) == ("", {"split": "val"})
    assert len(item.asked[0].right) == 2
    assert "File 22" in [option.title for option in item.asked[0].options]


def test_a_guid_that_is_no_text_is_refused_with_its_question(tmp_path):
    """The others are read."""
    own = labeled(1) | {"Guid": "\ud800"}
    data = WebQA(write_questions(tmp_path / "val.json", [own, labeled(2)]))
    assert data[1].name == guid(2)
    with pytest.raises(DatasetError, match=r"Question '\\ud800' has a name that is no text"):
        data[0]


def test_questions_whose_split_cannot_be_read_are_a_split_of_their_own(tmp_path):
    """So that their number is told and the others are not mixed with them."""
    path = write_questions(tmp_path / "all.json", [labeled(1), labeled(2), labeled(3)])
    content = path.read_bytes().replace(b'"split": "val"', b'"split": broken', 1)
    path.write_bytes(content.replace(b'"split": "val"', b'"split": [1]', 1))
    assert WebQA(path).metadata["questions"] == {"not told": 2, "val": 1}
    assert WebQA(path).guids == (guid(3),)
    for number, reason in enumerate(("is no JSON", "split is .1.; a text")):
        with pytest.raises(DatasetError, match=rf"Question {guid(number + 1)}.*{reason}"):
            WebQA(path, "not told")[number]


@pytest.mark.parametrize("told", ["[]", '{"a": ' * 5 + "{}" + "}" * 5, "[" * 90_000 + "]" * 90_000])
def test_a_value_that_is_no_question_is_refused(tmp_path, told):
    """A list, an object of something else, and brackets without end."""
    path = tmp_path / "val.json"
    path.write_text(f'{{"{guid(1)}": {told}}}')
    with pytest.raises(DatasetError, match=f"Question {guid(1)}"):
        WebQA(path)[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "one.json holds no question"),
        ("[1, 2]", "one.json is damaged or cut short after byte 0"),
        ('{"a": {"Q": "', "one.json is damaged or cut short"),
        ('{"a": {}, "a": {}}', "has question 'a' twice"),
    ],
)
def test_a_file_of_something_else_is_not_opened(tmp_path, content, message):
    """One sentence, without the server's path."""
    path = tmp_path / "one.json"
    path.write_text(content)
    with pytest.raises(DatasetError, match=message) as raised:
        opened(path)
    assert str(tmp_path) not in str(raised.value)


def test_a_split_or_a_file_that_is_not_there_is_told(folder, tmp_path):
    """With those that are."""
    with pytest.raises(DatasetError, match=r"no split 'dev'; it has train, val\."):
        WebQA(folder, "dev")
    (tmp_path / "bare").mkdir()
    with pytest.raises(DatasetError, match=r"^bare holds neither WebQA_train_val.json nor"):
        opened(tmp_path / "bare")
    with pytest.raises(DatasetError, match=r"^gone\.json cannot be read: No such file"):
        opened(tmp_path / "gone.json")


def test_a_file_that_is_taken_away_is_told_when_a_question_is_read(folder):
    """And one that has changed since it was opened."""
    data = opened(folder)
    path = folder / "WebQA_train_val.json"
    content = path.read_bytes()
    path.write_bytes(b" " + content[:-1])
    with pytest.raises(DatasetError, match=f"Question {guid(1)} is no JSON"):
        data[0]
    path.unlink()
    with pytest.raises(DatasetError, match="cannot be read"):
        data[0]


def test_it_is_known_by_its_names_or_its_first_question(folder, tmp_path):
    """Whatever the file is called; nothing else is taken for it."""
    assert is_at(folder)
    assert is_at(write_questions(tmp_path / "subset.txt", [hidden(3)]))
    assert is_at(write_questions(tmp_path / "indented.json", [labeled(3)], indent=2))
    others = {
        "list.json": json.dumps([labeled(1)]),
        "other.json": json.dumps({"a": {"Q": "who?", "choices": []}}),
        "flat.json": json.dumps({"img_posFacts": [], "Q": "who?"}),
        "empty.json": "",
    }
    for name, content in others.items():
        (tmp_path / name).write_text(content)
        assert not is_at(tmp_path / name)
    assert not is_at(tmp_path)
    assert not is_at(tmp_path / "gone.json")
    assert not is_at(tmp_path / "\0")


def test_several_threads_read_at_once(folder):
    """Questions and pictures, as visitors do."""
    data = WebQA(folder, "train")

    def read(number):
        item = data[number % 4]
        option = next(one for one in item.asked[0].options if one.name.isdecimal())
        return item.name, int(option.name) - FIRST + 20 == option.example().size[0]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, range(200)))
    assert found == [(data.guids[number % 4], True) for number in range(200)]
