"""How far a download has come, told in the thread that waits for it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from vl_core.checkpoints.sizes import readable

# Words for the screen, and the share that is done (0..1) where it is known.
Tell = Callable[[str, float | None], None]

_EVERY = 0.25  # seconds
R = TypeVar("R")


class Counter:
    """Bytes that have arrived.

    Several bars may count the same download, one what comes over the network and one what is
    written: the one that is furthest counts.
    """

    def __init__(self) -> None:
        self._counting: list[_Bar] = []

    def bars(self) -> "type[_Bar]":
        """What huggingface_hub draws with in place of tqdm; those that count no bytes are lost."""
        counting = self._counting

        class Counted(_Bar):
            def __init__(self, *_: object, unit: str = "it", **options: Any) -> None:  # noqa: ANN401 tqdm's
                super().__init__(options.get("total"), options.get("initial"))
                if unit == "B":
                    counting.append(self)

        return Counted

    @property
    def done(self) -> int:
        """Bytes so far."""
        return max((int(bar.n) for bar in self._counting), default=0)


class _Bar:
    """As much of tqdm as huggingface_hub uses, drawing nothing."""

    def __init__(self, total: float | None = None, initial: float | None = None) -> None:
        self.total = total
        self.n = initial or 0
        self.format_dict: dict[str, object] = {}

    def __enter__(self) -> "_Bar":  # noqa: PYI034 the tests' type checker knows no Self
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, n: float | None = 1) -> None:
        self.n += n or 0

    def _ignore(self, *_: object, **__: object) -> None:
        pass

    refresh = close = set_description = set_description_str = set_postfix_str = _ignore


def told(work: Callable[[], R], what: str, total: int, counter: Counter, tell: Tell) -> R:
    """The result of the work, which is done in a thread of its own and told of in this one.

    total: bytes that will come. If telling fails, the work goes on but is waited for no longer.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="download")
    try:
        future = pool.submit(work)
        while not _finished(future):
            tell(*_state(what, min(counter.done, total), total))
        return future.result()
    finally:
        pool.shutdown(wait=False)


def _state(what: str, done: int, total: int) -> tuple[str, float | None]:
    if not total:
        return f"Looking through what is cached of {what}", None
    return f"Downloading {what}: {readable(done)} of {readable(total)}", done / total


def _finished(future: Future[R]) -> bool:
    return bool(wait([future], timeout=_EVERY).done)
