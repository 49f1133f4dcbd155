"""A bounded memory of what was computed, least recently used out first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

T = TypeVar("T")
COMPARED = 2


class Memo:
    """Results by key; each is computed once, also when several visitors ask together.

    size: how many; at least two. bytes_of, most: and how many bytes together; the last two are kept
    in any case, so that what is compared with what is on show is not worked out in turns.
    """

    def __init__(
        self, size: int, bytes_of: Callable[[Any], int] = lambda _: 0, most: int = 0
    ) -> None:
        self._size, self._bytes_of, self._most = size, bytes_of, most
        self._results: OrderedDict[Hashable, Any] = OrderedDict()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The result for a key, computed now if it is not remembered; failures are not kept."""
        with self._guard:
            if key in self._results:
                self._results.move_to_end(key)
                return cast("T", self._results[key])
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            return self._computed(key, compute)

    def _computed(self, key: Hashable, compute: Callable[[], T]) -> T:
        with self._guard:
            if key in self._results:  # somebody else computed it while we waited
                return cast("T", self._results[key])
        try:
            result = compute()
        finally:
            with self._guard:
                self._locks.pop(key, None)
        self.put(key, result)
        return result

    def put(self, key: Hashable, result: object) -> None:
        """Remember a result that was made elsewhere."""
        with self._guard:
            self._results[key] = result
            self._results.move_to_end(key)
            while len(self._results) > COMPARED and self._is_full():
                self._results.popitem(last=False)

    def _is_full(self) -> bool:
        taken = sum(map(self._bytes_of, self._results.values()))
        return len(self._results) > self._size or taken > self._most

    def peek(self, key: Hashable) -> object | None:
        """The result for a key if it is remembered."""
        with self._guard:
            return self._results.get(key)
