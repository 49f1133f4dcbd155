"""What VCR's words and tags become for reading."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vl_core.datasets.vcr.rendering import NAMES, called, said
from vl_core.example import clean_text

OBJECTS = ("person", "dog", "person", "trafficlight", "dog", "person")
NUMBERS = called(OBJECTS, "number")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["He", "does", "n't", "know", "."], "He doesn't know."),
        (["Do", "N'T", "!"], "DoN'T!"),
        (["It", "'s", "late", ",", "so", "we", "'ll", "go"], "It's late, so we'll go"),
        (["She", "ca", "n’t", ";", "they", "’ve", "left"], "She can’t; they’ve left"),
        (["(", "a", ")", "[", "b", "]", "$", "5", "%"], "(a) [b] $5%"),
        (['"', "Stop", "!", '"', "he", "says", '"', "now", '"'], '"Stop!" he says "now"'),
        (["``", "Stop", "''", "..."], "``Stop''..."),
        (
            ["a", "t", "-", "shirt", "or", "the", "boys", "'", "room"],
            "a t - shirt or the boys ' room",
        ),
        ([",", "then", "?", "!"], ", then?!"),
        ([(0,), "'s", "and", (4,), ","], "[1]'s and [5],"),
        ([(0, 2, 5), "wave", "."], "[1] and [3] and [6] wave."),
        (["(", (1,), ")"], "([2])"),
    ],
)
def test_marks_and_endings_stand_at_their_word(words, text):
    """As one would write it; what could be either stays as it is parted in the file."""
    assert said(tuple(words), NUMBERS).text == text


def test_people_and_classes_are_counted_each_by_itself():
    """In every style, the objects in VCR's order."""
    assert NUMBERS == ("[1]", "[2]", "[3]", "[4]", "[5]", "[6]")
    assert called(OBJECTS, "name") == ("Casey", "dog", "Riley", "traffic light", "dog", "Jessie")
    assert called(OBJECTS, "class") == (
        *("person 1", "dog 1", "person 2", "the traffic light", "dog 2", "person 3"),
    )
    assert called(OBJECTS, "special") == (
        *("[PERSON_0]", "dog", "[PERSON_2]", "traffic light", "dog", "[PERSON_5]"),
    )


def test_names_are_told_apart_in_a_crowd():
    """A second person of one name has a number; special tokens end at 80."""
    crowd = called(("person",) * 90, "name")

    assert len(NAMES) == len(set(NAMES)) == 14
    assert max(Counter(crowd).values()) == 1
    assert crowd[13:15] == ("Quinn", "Casey 2")
    assert crowd[28] == "Casey 3"
    assert called(("person",) * 90, "special")[78:83] == (
        *("[PERSON_78]", "[PERSON_79]", *["[PERSON_80]"] * 3),
    )


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["a", "is", ",", ".", "n't", '"', "(", ")", "'s", "``", "and", "é"]),
            st.lists(st.integers(0, 5), min_size=1, max_size=4).map(tuple),
        ),
        min_size=1,
    ),
    st.sampled_from(["number", "name", "class", "special"]),
)
def test_mentions_are_where_the_names_are(words, style):
    """Whatever the words: in order, each once, and the text needs no cleaning that moves them."""
    names = called(OBJECTS, style)
    text, mentions = said(tuple(words), names)

    wanted = [number for word in words if isinstance(word, tuple) for number in word]
    assert [mention.number for mention in mentions] == wanted
    assert all(text[one.start : one.end] == names[one.number] for one in mentions)
    assert all(one.end <= other.start for one, other in pairwise(mentions))
    assert clean_text(text) == text
    plain = "".join(
        word if isinstance(word, str) else "and".join(names[number] for number in word)
        for word in words
    )
    assert text.replace(" ", "") == plain.replace(" ", "")
