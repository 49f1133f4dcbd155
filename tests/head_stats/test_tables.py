"""Which words name a place in the picture, and how much of each patch lies in it."""

import numpy as np
import pytest

from vl_core.example import Region
from vl_core.head_stats.tables import Tables, class_token
from vl_core.trace import TokenTable

# "sun" and "flower" are pieces of one word, which ends where the space begins.
TOKENS = TokenTable.of(
    ["[CLS]", "sun", "flower", "red", "image", "left", "right"],
    ["special", "text", "text", "text", "special", "image", "image"],
    np.array([[np.nan] * 4] * 4 + [[0.0, 0, 20, 8], [0.0, 0, 10, 8], [10.0, 0, 20, 8]]),
    np.array([[-1, -1], [0, 3], [3, 9], [10, 13], [-1, -1], [-1, -1], [-1, -1]]),
)


def _boxed(*regions):
    words, inside, _ = Tables(TOKENS, TOKENS, regions).boxed_words
    return dict(zip(words.tolist(), inside.tolist(), strict=True))


def test_words_overlap_the_span_by_a_character_at_least():
    """A piece that only borders on the span does not name the region."""
    box = (0.0, 0.0, 20.0, 8.0)

    assert list(_boxed(Region("flower", box, (3, 9)))) == [2]
    assert list(_boxed(Region("sunflower", box, (2, 4)))) == [1, 2]
    assert list(_boxed(Region("red", box, (9, 11)))) == [3]
    assert _boxed(Region("nowhere", box)) == {}


def test_patches_count_by_the_area_inside():
    """A patch cut by the box counts in part; a special token never, even if it has a place."""
    assert _boxed(Region("red", (5.0, 0.0, 15.0, 4.0), (10, 13))) == {
        3: [0, 0, 0, 0, 0, 0.25, 0.25]
    }


def test_several_boxes_of_a_word_are_one_area():
    """Where boxes overlap, the area counts once."""
    first = Region("red", (0.0, 0.0, 10.0, 4.0), (10, 13))
    second = Region("red", (5.0, 2.0, 20.0, 6.0), (10, 13))

    assert _boxed(first, second) == {3: [0, 0, 0, 0, 0, 0.625, 0.5]}


def test_box_without_area_covers_nothing():
    """A degenerate box is no error."""
    assert _boxed(Region("red", (5.0, 2.0, 5.0, 6.0), (10, 13))) == {3: [0] * 7}


def test_the_class_token_has_the_boxes_of_all_that_is_asked_about():
    """Two of three regions, named or not, as one area; none without such regions."""
    asked = Region("red", (0.0, 0.0, 10.0, 4.0), (10, 13)), Region("unnamed", (5.0, 0.0, 20.0, 2.0))
    anchor = Region("flower", (0.0, 0.0, 20.0, 8.0), (3, 9), is_asked=False)
    token, inside, hits = Tables(TOKENS, TOKENS, (*asked, anchor)).boxed_class

    assert token.tolist() == [0]
    assert inside.tolist() == [[0, 0, 0, 0, 0, 0.5, 0.25]]
    assert hits.tolist() == [[False] * 5 + [True, True]]
    assert Tables(TOKENS, TOKENS, (anchor,)).boxed_class.inside.shape == (0, 7)


@pytest.mark.parametrize("name", ["[CLS]", "class", "<cls>"])
def test_the_class_token_is_the_first_special_one_of_that_name_that_is_no_padding(name):
    """Padding is no token, and neither is a word that is called so."""
    table = TokenTable.of(
        [name, "class", "<bos>", name, name, "[SEP]"],
        ["special", "text", *["special"] * 4],
        is_padding=np.arange(6) == 0,
    )

    assert class_token(table).tolist() == [3]


@pytest.mark.parametrize("name", ["<s>", "<bos>", "<|startoftext|>", "[SEP]"])
def test_what_a_text_begins_with_is_no_class_token(name):
    """It stands before all that could be summed up."""
    assert class_token(TokenTable.of([name, "star"], ["special", "text"])).tolist() == []
