"""One of a thing is told in the singular."""

import pytest

from vl_core.counted import counted


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 boxes"), (1, "1 box"), (2, "2 boxes"), (2304, "2,304 boxes")]
)
def test_the_noun_agrees_with_the_number(count, said):
    """None are several, and thousands are set apart."""
    assert counted(count, "box", "boxes") == said


def test_most_nouns_only_take_an_s():
    """So nothing more has to be given."""
    assert (counted(1, "question"), counted(3, "question")) == ("1 question", "3 questions")
