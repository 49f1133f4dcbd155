"""Figures of attention show the weights they were given, at the tokens they belong to."""

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import random_picture, random_tokens
from tests.decoders import WHOLE, language_tokens
from vl_core.attention_matrix import Matrix
from vl_core.figures import attention
from vl_core.figures.style import KIND_COLORS, VIEW_TINTS
from vl_core.trace import TokenTable, picture_views

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


def cells(weights, queries, keys, parts):
    """The weights of these parts, one cell each."""
    rows, columns = attention.part_of(queries, parts[0]), attention.part_of(keys, parts[1])
    return Matrix(weights[np.ix_(rows, columns)], rows, columns)


def drawn(weights, tokens, *parts, title="title"):
    """The figure of a stream that looks at itself."""
    return attention.matrix(cells(weights, tokens, tokens, parts), tokens, tokens, parts, title)


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
    figure = drawn(weights, tokens, *parts)

    found = figure.data[0].z
    assert found.shape == (len(rows), len(columns))
    for i, query in enumerate(rows):
        for j, key in enumerate(columns):
            assert found[i, j] == weights[query, key]
    assert figure.layout.yaxis.title.text.startswith("looking (queries)")
    assert figure.layout.xaxis.title.text.startswith("looked at (keys)")
    assert figure.layout.yaxis.autorange == "reversed"


def test_the_scale_of_a_matrix_ends_at_its_largest_weight(tokens, weights):
    """And begins at zero, so that colors can be read as amounts."""
    heatmap = drawn(weights, tokens, "text", "image").data[0]

    assert heatmap.zmin == 0
    assert heatmap.zmax == weights[1:4, 5:13].max()


def test_colors_are_none_that_streamlit_replaces(tokens, weights):
    """#000001 to #000016 stand for the theme's colors there; Magma begins with #000004."""
    heatmap = drawn(weights, tokens, "all", "all").data[0]

    assert all(color.startswith("rgb(") for _, color in heatmap.colorscale)


def test_words_that_are_spelled_alike_keep_rows_of_their_own(tokens, weights):
    """An axis would merge equal labels into one row."""
    alike = replace(tokens, texts=tuple("the" if k == "text" else k for k in tokens.kinds))

    heatmap = drawn(weights, alike, "text", "text").data[0]

    assert len(set(heatmap.y)) == len(set(heatmap.x)) == 3


def test_long_axes_have_few_labels_at_the_right_places(weights):
    """With many patches only some are named, each at its own place."""
    many = random_tokens(n_text=3, rows=6, columns=9)
    weights = np.full((len(many), len(many)), 1 / len(many))

    figure = drawn(weights, many, "text", "image")

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
    matrix = drawn(weights, tokens, "text", "text", title="<b>where</b>")

    assert matrix.layout.title.text == "&lt;b&gt;where&lt;/b&gt;"
    assert matrix.layout.xaxis.ticktext[2] == "&lt;i&gt;red&lt;/i&gt;"
    assert matrix.data[0].y[2] == "4 '&lt;i&gt;red&lt;/i&gt;'"


def test_binned_axes_name_the_first_and_the_last_of_a_bin(tokens):
    """So that a cell says whose mean it is; labels stand at bins."""
    values = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)
    binned = Matrix(values, np.arange(1, 4), np.arange(5, 13), 2, 5)

    figure = attention.matrix(binned, tokens, tokens, ("text", "image"), "title")

    assert figure.data[0].y == ("2 'is' to 3 'the'", "4 '&lt;i&gt;red&lt;/i&gt;'")
    assert figure.data[0].x == ("6 patch 1, 1 to 10 patch 2, 1", "11 patch 2, 2 to 13 patch 2, 4")
    assert "mean weight" in figure.data[0].hovertemplate
    assert figure.layout.xaxis.tickvals == figure.data[0].x
    assert figure.layout.xaxis.ticktext == ("1, 1", "2, 2")


def test_the_profile_of_a_long_text_has_its_strongest_bars(weights):
    """In the order of the text, and the axis says how many they are."""
    many = language_tokens(question="word " * 99 + "word")
    values = np.random.default_rng(0).random(len(many))

    figure = attention.on_picture_and_words(None, None, many, values, "title")

    offered = np.flatnonzero(~many.is_image)
    strongest = np.sort(offered[np.argsort(-values[offered])[: attention.MOST_BARS]])
    np.testing.assert_array_equal(figure.data[0].x, values[strongest])
    assert figure.layout.xaxis2.title.text.endswith(f"strongest of {len(offered)}")


def test_the_profile_shows_one_view_of_the_picture():
    """Patches of the others lie over the same places and would hide them."""
    tokens = language_tokens()
    values = np.random.default_rng(0).random(len(tokens))

    picture = np.asarray(random_picture())
    figure = attention.on_picture_and_words(picture, (60, 32), tokens, values, "title", WHOLE)

    marks = next(trace for trace in figure.data if trace.type == "scatter")
    np.testing.assert_array_equal(marks.marker.color, values[2:8])


def test_patches_of_several_views_are_told_apart_along_an_axis():
    """Row and column alone would name two places each."""
    tokens = language_tokens(whole=(2, 3), tiles=(4, 5))
    weights = np.full((len(tokens), len(tokens)), 1 / len(tokens))

    axis = drawn(weights, tokens, "text", "image").layout.xaxis

    assert axis.ticktext[:2] == ("whole 1, 1", "whole 1, 3")
    assert axis.ticktext[-1] == "tiles 4, 4"
    assert len(set(axis.ticktext)) == len(axis.ticktext)


@pytest.mark.parametrize(("word", "many"), [("region", "regions"), ("query", "query tokens")])
def test_an_axis_calls_the_tokens_of_the_picture_what_they_are(word, many):
    """Regions of a detector and query tokens have no row and column."""
    table = TokenTable.of([f"{word} {i + 1}" for i in range(5)], ["image"] * 5)
    weights = np.full((5, 5), 0.2)

    layout = drawn(weights, table, "image", "image").layout

    assert layout.xaxis.title.text == f"looked at (keys): {many}"
    assert layout.yaxis.title.text == f"looking (queries): {many}"
    assert layout.xaxis.ticktext == tuple(f"{word} {i + 1}" for i in range(5))


def test_long_names_do_not_take_the_room_of_the_matrix(tokens, weights):
    """They are cut along the axes and whole under the pointer, with the token's position."""
    texts = [f"{'x' * 60} ({i}/13)" for i in range(14)]
    long = replace(tokens, texts=tuple(texts))

    matrix = drawn(weights, long, "text", "text")
    bars = attention.on_picture_and_words(None, None, long, weights[0], "title")

    assert matrix.layout.yaxis.ticktext == tuple(f"{'x' * 8}… ({i}/13)" for i in range(1, 4))
    assert matrix.data[0].y[0] == f"2 '{texts[1]}'"
    shown = bars.layout.yaxis2
    assert max(map(len, shown.ticktext)) <= 20
    assert shown.tickvals[2] == bars.data[0].y[2] == f"3 '{texts[2]}'"


def test_every_view_of_a_family_has_a_tint_of_its_own():
    """By its name, and there is none but these."""
    tints = [VIEW_TINTS[view] for view in (picture_views.WHOLE, picture_views.TILES)]

    assert len(set(tints)) == len(VIEW_TINTS) == 2
