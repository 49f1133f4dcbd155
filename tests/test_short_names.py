"""Short names: cut where there is no room, with what tells the parts of one text apart."""

from dataclasses import replace

import pytest

from tests.builders import random_tokens
from tests.decoders import language_tokens
from vl_core.short_names import (
    LONGEST,
    SHORT_VIEWS,
    cut_name,
    short_labels,
    short_names,
    short_view,
)
from vl_core.token_attention import token_names
from vl_core.trace.picture_views import TILES, WHOLE


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("star", "star"),
        ("x" * 16, "x" * 16),
        ("x" * 17, "x" * 15 + "…"),
        ("�" * 60 + " (7/48)", "�" * 8 + "… (7/48)"),
        ("'" + "�" * 60 + " (12/48)'", "'" + "�" * 5 + "… (12/48)'"),
        ("'" + "x" * 30 + "'", "'" + "x" * 13 + "…'"),
    ],
)
def test_a_long_name_is_cut_and_keeps_what_tells_it_apart(name, short):
    """At most so many characters, with the part of the text it is and the quote that closes it."""
    assert cut_name(name) == short
    assert len(short) <= LONGEST


def test_names_of_words_are_cut_and_those_of_patches_are_not():
    """A patch's name ends in what it is about."""
    table = language_tokens()
    texts = list(table.texts)
    texts[-2] = "interminable" * 3
    long = replace(table, texts=tuple(texts))

    names = short_names(long)

    assert names[-2] == "'interminablei…'"
    assert names[:-2] == token_names(table)[:-2]
    assert "patch 1, 1 (whole picture)" in names


def test_patches_of_several_views_have_labels_with_the_view_in_front():
    """So that what is cut off behind them is not what tells them apart; all fit 13 characters."""
    labels = short_labels(language_tokens(whole=(2, 3), tiles=(4, 5)))

    assert labels[2] == "whole 1, 1"
    assert labels[2 + 6] == "tiles 1, 1"
    assert short_labels(random_tokens())[6] == "patch 1, 1"


def test_every_short_view_is_one_that_families_know():
    """Else it would be written out again where there is no room."""
    assert SHORT_VIEWS.keys() <= {WHOLE, TILES}
    assert [short_view(view) for view in (WHOLE, TILES, "")] == ["whole", "tiles", ""]
