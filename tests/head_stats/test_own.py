"""A user's own statistics."""

import numpy as np
import pytest

from tests.builders import random_stack
from vl_core import head_stats
from vl_core.errors import StatisticError
from vl_core.head_stats import own

DESCRIPTION = {
    "key": "strongest",
    "name": "Strongest weight",
    "unit": "share of attention",
    "definition": "The greatest weight of any query on any key.",
}


@pytest.fixture(autouse=True)
def _registry(monkeypatch):
    """Each test starts without any statistic of its own."""
    monkeypatch.setattr(own, "_registered", {})


def _always(value):
    """A function that gives this value for every head."""
    return lambda *_: value


def test_own_statistic_is_computed_head_by_head():
    """The function sees query x key weights of one head and the stack they belong to."""

    @head_stats.register(**DESCRIPTION, range=(0.0, 1.0), source="me")
    def strongest(weights, stack):
        return weights[stack.queries.is_text].max()

    stack = random_stack()
    wanted = np.asarray(stack.weights)[:, :, stack.queries.is_text].max(axis=(2, 3))

    np.testing.assert_array_equal(strongest.of(stack), wanted)
    assert head_stats.by_key("strongest") is strongest
    assert head_stats.all_statistics() == (*head_stats.STATISTICS, strongest)
    assert strongest.range == (0.0, 1.0)


def test_function_can_be_given_directly():
    """Registering without the decorator's form comes to the same."""
    statistic = head_stats.register(lambda weights, _: weights.size, **DESCRIPTION)

    assert (statistic.of(random_stack()) == 12 * 12).all()


def test_without_specials_rows_and_columns_follow_the_tables():
    """Specials dropped, the weights shrink with the tables and their rows sum to one."""

    def rows_off_one(weights, stack):
        assert weights.shape == (len(stack.queries), len(stack.keys)) == (10, 10)
        return abs(weights.sum(axis=1) - 1).max()

    statistic = head_stats.register(rows_off_one, **DESCRIPTION)

    assert statistic.of(random_stack(), with_specials=False).max() < 1e-5


def test_missing_values_are_allowed():
    """A nan says that the statistic has no meaning there."""
    statistic = head_stats.register(_always(np.nan), **DESCRIPTION)

    assert np.isnan(statistic.of(random_stack())).all()


@pytest.mark.parametrize("key", ["strongest", "text_to_image_mass"])
def test_second_statistic_of_a_key_is_refused(key):
    """Neither an earlier own statistic nor a built-in one is replaced in silence."""
    head_stats.register(_always(1.0), **DESCRIPTION)

    with pytest.raises(StatisticError, match=f"{key}.*exists already"):
        head_stats.register(_always(2.0), **(DESCRIPTION | {"key": key}))
    assert head_stats.by_key("strongest").of(random_stack()).max() == 1.0


def test_own_statistic_can_be_taken_back():
    """After unregistering, the key is free again; a built-in one cannot be removed."""
    head_stats.register(_always(1.0), **DESCRIPTION)
    head_stats.unregister("strongest")
    head_stats.register(_always(2.0), **DESCRIPTION)

    with pytest.raises(StatisticError, match=r"entropy.*strongest"):
        head_stats.unregister("entropy")


@pytest.mark.parametrize("field", ["name", "unit", "definition"])
def test_texts_beside_the_number_are_wanted(field):
    """A number without name, unit or definition is refused."""
    with pytest.raises(StatisticError, match=f"has no {field}"):
        head_stats.register(_always(1.0), **(DESCRIPTION | {field: " "}))


@pytest.mark.parametrize("key", ["", "two words", "a/b", "1st"])
def test_key_must_fit_into_links_and_files(key):
    """A key is one word."""
    with pytest.raises(StatisticError, match="no key"):
        head_stats.register(_always(1.0), **(DESCRIPTION | {"key": key}))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("high", "'high' \\(str\\)"),
        (None, "None \\(NoneType\\)"),
        (True, "True \\(bool\\)"),
        (1 + 2j, "complex"),
        (np.inf, "inf"),
        (np.full(3, np.nan), "array of shape \\(3,\\)"),
        (np.ones((1, 1)), "array of shape \\(1, 1\\)"),
    ],
)
def test_what_is_no_number_is_refused(value, said):
    """The message names the statistic, layer and head, and what came."""
    statistic = head_stats.register(_always(value), **DESCRIPTION)

    with pytest.raises(StatisticError, match=f"Strongest weight, layer 1, head 1 gave.*{said}"):
        statistic.of(random_stack())


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int64(2), np.array(2.0)])
def test_any_single_number_will_do(value):
    """Python's numbers and numpy's alike."""
    statistic = head_stats.register(_always(value), **DESCRIPTION)

    assert (statistic.of(random_stack()) == 2.0).all()


def test_failure_of_the_function_is_explained():
    """An exception inside the function is told as the user's own, with its place."""
    statistic = head_stats.register(lambda weights, _: weights[99, 0], **DESCRIPTION)

    with pytest.raises(StatisticError, match="layer 1, head 1 failed: IndexError"):
        statistic.of(random_stack())


def test_unknown_key_lists_those_that_exist():
    """Asking for a statistic that does not exist says which do."""
    with pytest.raises(StatisticError, match=r"'nonsense'.*text_to_image_mass.*grounding_lift"):
        head_stats.by_key("nonsense")
