"""A user's own head statistics, beside the built-in ones."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import overload

import numpy as np

from vl_core.arrays import HeadAttention, HeadMap
from vl_core.errors import StatisticError
from vl_core.head_stats.builtin import STATISTICS
from vl_core.head_stats.specials import without_specials
from vl_core.head_stats.statistic import HeadStatistic, Range
from vl_core.trace import Stack

Function = Callable[[HeadAttention, Stack], float]


@dataclass(frozen=True, kw_only=True)
class OwnStatistic(HeadStatistic):
    """A statistic that a function computes from one head's weights: query x key and the stack.

    Without specials, the function is given a stack without them, so that rows and columns of the
    weights are still the tokens of `stack.queries` and `stack.keys`. Padding is left in both.
    """

    function: Function

    def _computed(self, stack: Stack, *, with_specials: bool) -> HeadMap:
        seen = stack if with_specials else without_specials(stack)
        return np.array(
            [
                [self._value(seen, layer, head) for head in range(seen.n_heads)]
                for layer in range(seen.n_layers)
            ]
        )

    def _value(self, stack: Stack, layer: int, head: int) -> float:
        where = f"The statistic {self.name}, layer {layer + 1}, head {head + 1}"
        try:
            value = self.function(stack.weights[layer, head], stack)
        except Exception as error:
            raise StatisticError(f"{where} failed: {type(error).__name__}: {error}") from error
        if isinstance(value, np.ndarray) and value.shape == ():
            value = value.item()
        if not isinstance(value, Real) or isinstance(value, bool) or np.isinf(value):
            raise StatisticError(
                f"{where} gave {_described(value)}; one finite number is wanted, nan if missing"
            )
        return float(value)


def _described(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return f"{value!r:.60} ({type(value).__name__})"


_registered: dict[str, OwnStatistic] = {}


@overload
def register(
    function: None = None,
    *,
    key: str,
    name: str,
    unit: str,
    definition: str,
    range: Range = (None, None),
    source: str = "",
) -> Callable[[Function], OwnStatistic]: ...


@overload
def register(
    function: Function,
    *,
    key: str,
    name: str,
    unit: str,
    definition: str,
    range: Range = (None, None),
    source: str = "",
) -> OwnStatistic: ...


def register(
    function: Function | None = None,
    *,
    key: str,
    name: str,
    unit: str,
    definition: str,
    range: Range = (None, None),  # noqa: A002 the name of the field
    source: str = "",
) -> OwnStatistic | Callable[[Function], OwnStatistic]:
    """Add a statistic of one's own, as a decorator or called with the function.

    The function takes the weights of one head (query x key, float32) and the stack, and returns a
    number, nan where it is missing. What comes back is the statistic: `.of(stack)` computes it,
    `.function` is the function. Raises StatisticError for a key that exists or for an empty text.
    """

    def added(function: Function) -> OwnStatistic:
        statistic = OwnStatistic(
            key=key,
            name=name,
            unit=unit,
            definition=definition,
            range=range,
            source=source,
            function=function,
        )
        _check(statistic)
        _registered[key] = statistic
        return statistic

    return added if function is None else added(function)


def _check(statistic: OwnStatistic) -> None:
    if any(statistic.key == other.key for other in all_statistics()):
        raise StatisticError(
            f"A head statistic with the key {statistic.key!r} exists already. Choose another key, "
            "or call head_stats.unregister first if it is an earlier one of yours."
        )
    if not statistic.key.isidentifier():
        raise StatisticError(
            f"{statistic.key!r} is no key for a statistic: letters, digits and _ are wanted"
        )
    for text in ("name", "unit", "definition"):
        if not getattr(statistic, text).strip():
            raise StatisticError(f"The statistic {statistic.key} has no {text}; say what it is")


def unregister(key: str) -> None:
    """Remove a statistic of one's own. Raises StatisticError if there is none of that key."""
    if _registered.pop(key, None) is None:
        raise StatisticError(
            f"No statistic of your own has the key {key!r}. There are: {', '.join(_registered)}"
        )


def all_statistics() -> tuple[HeadStatistic, ...]:
    """The built-in statistics in their order, then those that were registered."""
    return (*STATISTICS, *_registered.values())


def by_key(key: str) -> HeadStatistic:
    """The statistic with this key. Raises StatisticError if there is none."""
    statistics = {statistic.key: statistic for statistic in all_statistics()}
    if key not in statistics:
        raise StatisticError(
            f"No head statistic has the key {key!r}. There are: {', '.join(statistics)}"
        )
    return statistics[key]
