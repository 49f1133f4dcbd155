"""Tables of hidden states leave out padding and say of each mark what it is."""

import csv
import io

import numpy as np
import pytest

from pages.shared.components.state_map import Nearest
from pages.shared.shown_states import LISTED, ShownStates
from tests.builders import random_stream, random_tokens
from vl_core.neighbours import modality_gap

PADDING = 2


@pytest.fixture
def shown():
    """4 states of 4 words, 2 specials and 6 patches, with padding behind them."""
    return ShownStates(random_stream(tokens=random_tokens(padding=PADDING)))


def centred_cosine(shown, state, one, other):
    """Cosine of two marks after the mean of the state's marks is taken away, plainly."""
    vectors = shown.states[state].astype(float)
    a, b = (vectors[mark] - vectors.mean(axis=0) for mark in (one, other))
    return a @ b / np.sqrt((a @ a) * (b @ b))


def test_padding_is_not_shown(shown):
    """Every position but the padded ones has a mark, with its text, kind and states."""
    assert len(shown.positions) == len(shown.stream.tokens) - PADDING
    assert "[PAD]" not in shown.texts
    np.testing.assert_array_equal(
        list(shown.states), shown.stream.hidden_states[:, : len(shown.positions)]
    )
    assert [kind == "text" for kind in shown.kinds] == list(shown.is_text)
    assert [kind == "image" for kind in shown.kinds] == list(shown.is_image)


def test_the_nearest_marks_are_those_with_the_largest_cosines(shown):
    """For each mark, state and kind: the marks of that kind by their cosine, itself never."""
    asked = np.array([1, 7])

    marks, cosines = shown.nearest(asked)

    for a, mark in enumerate(asked):
        for state in range(4):
            for kind, is_kind in enumerate((shown.is_text, shown.is_image)):
                others = [i for i in np.flatnonzero(is_kind) if i != mark]
                by_cosine = {i: centred_cosine(shown, state, mark, i) for i in others}
                wanted = sorted(others, key=by_cosine.get, reverse=True)[:LISTED]
                found = marks[a, state, kind]
                assert list(found[found >= 0]) == wanted
                np.testing.assert_allclose(
                    cosines[a, state, kind][found >= 0], [by_cosine[i] for i in wanted], atol=1e-5
                )


def test_a_kind_with_few_tokens_leaves_the_rest_of_the_list_empty(shown):
    """A word among four has three other words near it; the places after them say -1 and 0."""
    marks, cosines = shown.nearest(np.array([1]))

    assert (marks[0, :, 0, 3:] == -1).all()
    assert (cosines[0, :, 0, 3:] == 0).all()


def test_the_table_names_states_and_neighbours_in_words(shown):
    """One row for each state; each neighbour with its cosine, patches by row and column alone."""
    table = shown.nearest_table(shown.nearest_to(2))

    assert table["Hidden state"] == shown.names
    marks, cosines = shown.nearest(np.array([2]))
    first = table["Nearest patches"][3].split("  ·  ")[0].replace("\N{NO-BREAK SPACE}", " ")
    name, value = first.rsplit(" ", 1)
    assert f"patch {name}" == shown.texts[marks[0, 3, 1, 0]]
    number = float(value.strip("()").replace("−", "-"))
    assert number == pytest.approx(cosines[0, 3, 1, 0], abs=0.006)


def test_a_cosine_of_next_to_nothing_has_no_sign(shown):
    """It is neither less nor more than 0.00."""
    near = Nearest(1, np.full((4, 2, 3), 5), np.full((4, 2, 3), -0.004, np.float32))

    assert set(shown.nearest_table(near)["Nearest words"]) == {
        "  ·  ".join(["[SEP]\N{NO-BREAK SPACE}(0.00)"] * 3)
    }


def test_a_mark_is_quoted_in_a_sentence(shown):
    """A question mark asked for reads as one; specials and patches cannot be mistaken."""
    assert [shown.name(mark) for mark in (0, 1, 6)] == ["[CLS]", "'is'", "patch 1, 1"]


def test_the_csv_has_a_row_for_each_mark_and_state(shown):
    """Positions count from 1, and the coordinates are the points' own."""
    points = np.random.default_rng(0).normal(size=(4, len(shown.positions), 2)).astype(np.float32)

    rows = list(csv.DictReader(io.StringIO(shown.points_csv(points))))

    assert len(rows) == points.shape[0] * points.shape[1]
    row = rows[len(shown.positions) + 7]  # state 1, mark 7
    assert (row["position"], row["token"], row["kind"], row["state"]) == (
        "8",
        shown.texts[7],
        "image",
        "after layer 1",
    )
    assert (float(row["x"]), float(row["y"])) == pytest.approx(tuple(points[1, 7]))


def test_the_arrays_hold_hidden_states_only_when_wanted(shown):
    """They are by far the largest part of the file; the curves of the gap are always there."""
    points = np.zeros((4, len(shown.positions), 2), np.float32)
    gap = modality_gap(shown.states, shown.is_text, shown.is_image)

    assert "hidden_states" not in shown.arrays(points, gap, with_states=False)
    whole = shown.arrays(points, gap, with_states=True)
    for name in ("silhouette", "mixing", "distance"):
        np.testing.assert_array_equal(whole[name], getattr(gap, name))
    np.testing.assert_array_equal(whole["hidden_states"], list(shown.states))
    assert list(whole["tokens"]) == list(shown.texts)
