"""Figures of attention show the weights they were given, at the tokens they belong to."""

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import random_picture, random_tokens
from vl_core.figures import attention
from vl_core.figures.style import KIND_COLORS

CLS, SEP = 0, 4  # around three words; 2 x 4 patches and one token of padding follow


@pytest.fixture
def tokens():
    """[CLS] is the <i>red</i> [SEP], 2 x 4 patches, [PAD]."""
    table = random_tokens(n_text=3, rows=2, columns=4, padding=1)
    return replace(table, texts=tuple(t.replace("red", "<i>red</i>") for t in table.texts))


@pytest.fixture
def weights(tokens):
    """Query x key."""
    return np.random.default_rng(2).dirichlet(np.full(len(tokens), 0.5), size=len(tokens))


@pytest.mark.parametrize(
    ("parts", "rows", "columns"),
    [
        (("text", "text"), range(1, 4), range(1, 4)),
        (("text", "image"), range(1, 4), range(5, 13)),
        (("image", "text"), range(5, 13), range(1, 4)),
        (("image", "image"), range(5, 13), range(5, 13)),
        (("all", "all"), range(13), range(13)),
    ],
)
def test_a_matrix_has_queries_as_rows_and_keys_as_columns(tokens, weights, parts, rows, columns):
    """Each cell is the weight of its query on its key; padding is left out."""
    figure = attention.matrix(weights, tokens, tokens, parts, "title")

    cells = figure.data[0].z
    assert cells.shape == (len(rows), len(columns))
    for i, query in enumerate(rows):
        for j, key in enumerate(columns):
            assert cells[i, j] == weights[query, key]
    assert figure.layout.yaxis.title.text.startswith("looking (queries)")
    assert figure.layout.xaxis.title.text.startswith("looked at (keys)")
    assert figure.layout.yaxis.autorange == "reversed"


def test_the_scale_of_a_matrix_ends_at_its_largest_weight(tokens, weights):
    """And begins at zero, so that colors can be read as amounts."""
    drawn = attention.matrix(weights, tokens, tokens, ("text", "image"), "title").data[0]

    assert drawn.zmin == 0
    assert drawn.zmax == weights[1:4, 5:13].max()


def test_colors_are_none_that_streamlit_replaces(tokens, weights):
    """#000001 to #000016 stand for the theme's colors there; Magma begins with #000004."""
    drawn = attention.matrix(weights, tokens, tokens, ("all", "all"), "title").data[0]

    assert all(color.startswith("rgb(") for _, color in drawn.colorscale)


def test_words_that_are_spelled_alike_keep_rows_of_their_own(tokens, weights):
    """An axis would merge equal labels into one row."""
    alike = replace(tokens, texts=tuple("the" if k == "text" else k for k in tokens.kinds))

    drawn = attention.matrix(weights, alike, alike, ("text", "text"), "title").data[0]

    assert len(set(drawn.y)) == len(set(drawn.x)) == 3


def test_long_axes_have_few_labels_at_the_right_places(weights):
    """With many patches only some are named, each at its own place."""
    many = random_tokens(n_text=3, rows=6, columns=9)
    weights = np.full((len(many), len(many)), 1 / len(many))

    figure = attention.matrix(weights, many, many, ("text", "image"), "title")

    axis = figure.layout.xaxis
    assert len(axis.tickvals) <= attention.MOST_TICKS
    for place, label in zip(axis.tickvals, axis.ticktext, strict=True):
        row, column = label.split(", ")
        assert place.endswith(f"patch {row}, {column}")


def test_the_profile_shows_words_and_specials_as_bars_of_their_kind(tokens, weights):
    """One bar for each word and special token, in its kind's color, with its weight."""
    picture = np.asarray(random_picture())
    figure = attention.on_picture_and_words(picture, (60, 32), tokens, weights[2], "title")

    bars = next(trace for trace in figure.data if trace.type == "bar")
    np.testing.assert_array_equal(bars.x, weights[2, :5])
    text, special = KIND_COLORS["text"], KIND_COLORS["special"]
    assert bars.marker.color == (special, text, text, text, special)


def test_the_profile_lays_patches_over_the_picture_where_they_are(tokens, weights):
    """Hover marks lie at the patches' centres in the picture shown, which may be reduced."""
    reduced = np.asarray(random_picture().resize((30, 16)))
    figure = attention.on_picture_and_words(reduced, (60, 32), tokens, weights[2], "title")

    marks = next(trace for trace in figure.data if trace.type == "scatter")
    boxes = tokens.boxes[5:13] / 2
    np.testing.assert_allclose(marks.x, (boxes[:, 0] + boxes[:, 2]) / 2)
    np.testing.assert_allclose(marks.y, (boxes[:, 1] + boxes[:, 3]) / 2)
    np.testing.assert_array_equal(marks.marker.color, weights[2, 5:13])
    assert (figure.layout.images[0].sizex, figure.layout.images[0].sizey) == (30, 16)


def test_a_profile_without_a_picture_has_bars_alone(weights):
    """A model can be asked without a picture."""
    table = random_tokens(n_text=5, rows=0, columns=0)
    figure = attention.on_picture_and_words(None, None, table, weights[0, :7], "title")

    assert [trace.type for trace in figure.data] == ["bar"]


def test_markup_in_a_word_or_title_is_shown_and_not_obeyed(tokens, weights):
    """Plotly reads tags in its texts, so what looks like one is escaped."""
    matrix = attention.matrix(weights, tokens, tokens, ("text", "text"), "<b>where</b>")

    assert matrix.layout.title.text == "&lt;b&gt;where&lt;/b&gt;"
    assert matrix.layout.xaxis.ticktext[2] == "&lt;i&gt;red&lt;/i&gt;"
    assert matrix.data[0].y[2] == "4 '&lt;i&gt;red&lt;/i&gt;'"
