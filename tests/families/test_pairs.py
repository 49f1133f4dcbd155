"""What holds of all models that read a picture and a sentence."""

import pytest

from tests.families import tiny
from vl_core.errors import ImageError, TextError, TraceError
from vl_core.example import Example
from vl_core.families import pairs
from vl_core.families.prompts import Prompt


def test_a_picture_is_asked_for():
    """In a sentence."""
    with pytest.raises(ImageError, match="Add a picture"):
        pairs.picture(Example(None, "what"))


def test_as_many_tokens_as_fit_and_no_more():
    """Those that the tokenizer adds count."""
    assert len(pairs.token_ids(tiny.bert(), Prompt.whole("a star"), 4)) == 4

    with pytest.raises(TextError, match=r"makes 4 tokens.*at most 3\. Shorten"):
        pairs.token_ids(tiny.bert(), Prompt.whole("a star"), 3)


@pytest.mark.parametrize("text", ["a [MASK]", "[CLS] a", "[PAD]", "\ufffd"])
def test_signs_of_the_model_and_nothing_legible_are_refused(text):
    """Each alone, and among words."""
    with pytest.raises(TextError):
        pairs.token_ids(tiny.bert(), Prompt.whole(text), 9)


def test_a_sign_may_be_allowed():
    """That one and no other."""
    tokenizer = tiny.bert()
    ids = pairs.token_ids(tokenizer, Prompt.whole("a [MASK]"), 9, allowed="[MASK]")

    assert ids[2] == tokenizer.mask_token_id
    with pytest.raises(TextError, match=r"contains \[SEP\]"):
        pairs.token_ids(tokenizer, Prompt.whole("a [MASK] [SEP]"), 9, allowed="[MASK]")


@pytest.mark.parametrize(
    ("share", "names"), [(0.7, ("match", "no match")), (0.2, ("no match", "match"))]
)
def test_the_likelier_of_match_and_no_match_comes_first(share, names):
    """Both with their probability; a cosine besides, if there is one."""
    found = pairs.match(share, similarity=-0.3)

    assert tuple(name for name, _ in found.top) == names
    assert dict(found.top) == pytest.approx({"match": share, "no match": 1 - share})
    assert found.similarity == -0.3
    assert pairs.match(share).similarity is None


@pytest.mark.parametrize("similarity", [1.1, -1.1, float("nan")])
def test_what_is_no_cosine_is_refused(similarity):
    """Rounding aside."""
    with pytest.raises(TraceError, match="similarity of"):
        pairs.match(0.5, similarity)
