"""The accuracy of answers, against a plain reading of the authors' rules."""

import random
from statistics import fmean

import pytest

from tests.datasets.webqa_files import by_text, guid, labeled, write_questions
from vl_core.datasets.webqa import WebQA, answer_accuracy, answer_figures
from vl_core.datasets.webqa.answer_words import COLORS, NUMBERS, SHAPES, words

CATEGORIES = ("color", "shape", "YesNo", "number", "choose", "Others", "text")
SAID = """
the a an The yes no Yes, No. red blue red Blue, blue-green circle square Star. stars two Three 2 3
2.5 007 7 twenty-two hundred seventeen . - 5. .5 tall tower (tower) i's
"""


def plain_words(text):
    """Character by character and word by word."""
    letters = list(text.lower())
    if len(text.strip()) > 1:
        letters = [one for one in letters if one.isalnum() or one.isspace() or one == "."]
        followers = [*letters[1:], " "]
        pairs = zip(letters, followers, strict=True)
        letters = [one for one, following in pairs if one != "." or following.isdigit()]
    pieces = "".join(letters).split()
    if len(text.split()) > 1:
        pieces = [piece for piece in pieces if piece not in ("a", "an", "the")]
    return [str(NUMBERS[piece]) if piece in NUMBERS else piece for piece in pieces]


def plain_accuracy(answer, keywords, category):
    """Shared words are crossed off one by one."""
    said, wanted = plain_words(answer), plain_words(keywords)
    allowed = {"color": COLORS, "shape": SHAPES, "YesNo": {"yes", "no"}}.get(category)
    if allowed:
        said, wanted = (sorted({one for one in own if one in allowed}) for own in (said, wanted))
    if category == "number":
        digits = set("0123456789")
        said, wanted = ([str(int(o)) for o in own if set(o) <= digits] for own in (said, wanted))
    left, shared = list(said), 0
    for word in wanted:
        if word in left:
            left.remove(word)
            shared += 1
    if shared == 0:
        return 0.0
    precision, recall = shared / len(said), shared / len(wanted)
    is_f1 = category in ("color", "shape", "YesNo", "number")
    return 2 * precision * recall / (precision + recall + 1e-5) if is_f1 else recall


@pytest.mark.parametrize("category", CATEGORIES)
def test_accuracy_is_that_of_the_plain_rules(category):
    """Answers and key words of any length, with articles, points and numbers."""
    rng = random.Random(category)
    found = []
    for _ in range(400):
        answer = " ".join(rng.choice(SAID.split()) for _ in range(rng.randrange(1, 9)))
        keywords = " ".join(rng.choice(SAID.split()) for _ in range(rng.randrange(1, 5)))
        expected = plain_accuracy(answer, keywords, category)
        assert answer_accuracy(answer, keywords, category) == pytest.approx(expected), (
            answer,
            keywords,
        )
        found.append(expected)
    assert 0 < fmean(found) < 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Tower, of a King.", ["tower", "of", "king"]),
        ("a", ["a"]),
        (" ? ", ["?"]),
        ("The", ["the"]),
        ("The.", ["the"]),
        ("It is 2.5 m. tall", ["it", "is", "2.5", "m", "tall"]),
        ("twenty two", ["20", "2"]),
        ("Twenty-two", ["twentytwo"]),
        ("one hundred", ["1", "100"]),
        ("nineteen", ["19"]),
        ("blue-green", ["bluegreen"]),
        ("it's", ["its"]),
        ("stars", ["stars"]),
        ("", []),
    ],
)
def test_words_come_in_one_form(text, expected):
    """As the authors' scorer has them, but for their stems."""
    assert words(text) == expected


@pytest.mark.parametrize(
    ("category", "answer", "keywords", "accuracy"),
    [
        ("color", "The door is green.", "green", 0.999995),
        ("color", "It is green and red.", "green", 2 / 3),
        ("color", "Green, green, and green.", "green", 0.999995),
        ("color", "It is not told.", "green", 0),
        ("shape", "It is a red circle.", "circle", 0.999995),
        ("YesNo", "Yes, it is.", "yes", 0.999995),
        ("YesNo", "Yes and no.", "yes", 2 / 3),
        ("number", "There are three towers and two doors.", "3", 2 / 3),
        ("number", "2 and 2", "two", 2 / 3),
        ("number", "2.5", "2.5", 0),
        ("number", "agent 007", "7", 0.999995),
        ("Others", "An old red door.", "red door handle", 2 / 3),
        ("choose", "the door, the tower, and all else", "tower", 1),
        ("text", "", "tower", 0),
        ("not told", "a tower", "the tower", 1),
    ],
)
def test_answers_worked_out_by_hand(category, answer, keywords, accuracy):
    """F1 over what the category counts, or the share of key words."""
    assert answer_accuracy(answer, keywords, category) == pytest.approx(accuracy, abs=5e-6)


def test_figures_are_means_over_questions_and_categories(tmp_path):
    """Questions without key words are counted and left out; what is not computed is said."""
    questions = [
        labeled(1, "val", "color", Keywords_A='"green"'),
        labeled(2, "val", "Others", Keywords_A='"old door"'),
        by_text(3),
        labeled(4, "val", "color", Keywords_A='"red"'),
        labeled(5, "val", "color", Keywords_A="TBD"),
    ]
    data = WebQA(write_questions(tmp_path / "val.json", questions))
    assert data.guids[0] == guid(1)
    found = answer_figures(list(data), ["green", "a door", "green", "blue", "green"])
    assert found.accuracy == pytest.approx((1 + 0.5 + 0) / 3, abs=1e-5)
    assert found.by_category == pytest.approx({"color": 0.5, "Others": 0.5}, abs=1e-5)
    assert (found.n_scored, found.n_without) == (3, 2)
    assert found.fluency == "not computed"
    assert "no lemmas" in found.method


def test_without_key_words_nothing_is_measured(tmp_path):
    """A missing mean, and not 0."""
    data = WebQA(write_questions(tmp_path / "val.json", [by_text(1), by_text(2)]))
    found = answer_figures(list(data), ["one", "two"])
    assert (found.accuracy, found.by_category, found.n_without) == (None, {}, 2)
