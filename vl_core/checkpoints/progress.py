"""How far a download has come, told in the thread that waits for it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from vl_core.checkpoints.sizes import readable

# Words for the screen, and the share that is done (0..1) where it is known. What it raises stops
# the download and reaches whoever asked for it.
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
        self._is_stopped = False

    def bars(self) -> "type[_Bar]":
        """What huggingface_hub draws with in place of tqdm; those that count no bytes are lost."""
        counter = self

        class Counted(_Bar):
            def __init__(self, *_: object, unit: str = "it", **options: Any) -> None:  # noqa: ANN401 tqdm's
                super().__init__(options.get("total"), options.get("initial"))
                if unit == "B":
                    counter._counting.append(self)

            def update(self, n: float | None = 1) -> None:
                counter._go_on()
                super().update(n)

        return Counted

    def stop(self) -> None:
        """Let the download fail where it next counts: at the next chunk that arrives.

        Only what comes through Xet goes on to the end of the file: its client minds no failures.
        """
        self._is_stopped = True

    def _go_on(self) -> None:
        if self._is_stopped:
            raise _StoppedError

    @property
    def done(self) -> int:
        """Bytes so far."""
        return max((int(bar.n) for bar in self._counting), default=0)


class _StoppedError(Exception):
    """Nobody waits for this download any longer."""


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

    total: bytes that will come. If telling fails, the work stops at the next chunk and is waited
    for no longer.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="download")
    future = pool.submit(work)
    try:
        while not _finished(future):
            tell(*_state(what, min(counter.done, total), total))
        return future.result()
    except BaseException:
        counter.stop()
        raise
    finally:
        pool.shutdown(wait=False)


def _state(what: str, done: int, total: int) -> tuple[str, float | None]:
    if not total:
        return f"Looking through what is cached of {what}", None
    return f"Downloading {what}: {readable(done)} of {readable(total)}", done / total


def _finished(future: Future[R]) -> bool:
    return bool(wait([future], timeout=_EVERY).done)
