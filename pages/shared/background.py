"""Work that takes longer than a click may: in a thread; the page stays usable meanwhile."""

import gc
import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from vl_core.errors import VLError

T = TypeVar("T")
# Share done (0..1), or None where nobody can tell, and what is being done.
Report = Callable[[float | None, str], None]

LOG = logging.getLogger(__name__)
WAITING = "Waiting for another computation to end"
FAILED = "It failed on our side; the server's log says why."

# One computation at a time: a server of two cores must keep one for the pages.
_turn = threading.Lock()


class _StoppedError(VLError):
    """Nobody wants the result of this work any longer."""


class Job(Generic[T]):
    """One piece of work on its way: share done, what it is doing, in the end result or problem."""

    def __init__(
        self, work: Callable[[Report], T], turn: AbstractContextManager[object] = _turn
    ) -> None:
        """turn: held while it works; by default that of all computations, so that one runs."""
        self._work = work
        self._turn = turn
        self.start()

    def start(self) -> None:
        """Begin, or begin again after a problem."""
        self.result: T | None = None
        self.problem: str | None = None
        self.is_done = False
        self._farewell: str | None = None
        self.started = time.monotonic()
        self._report(None, WAITING)
        self.thread = threading.Thread(target=self._run, name="background-job", daemon=True)
        self.thread.start()

    def stop(self, sentence: str) -> None:
        """Let it end where it next reports how far it is, with this sentence as its problem.

        Work that reports no more ends as it would have.
        """
        if not self.is_done:
            self._farewell = sentence

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop and has not yet."""
        return self._farewell is not None and not self.is_done

    @property
    def was_stopped(self) -> bool:
        """Whether it has ended without a result after it was told to."""
        return self.problem is not None and self._farewell is not None

    @property
    def seconds(self) -> int:
        """For how long it has been on its way, waiting included."""
        return int(time.monotonic() - self.started)

    def _report(self, share: float | None, sentence: str) -> None:
        if self._farewell is not None:
            raise _StoppedError(self._farewell)
        self.share = None if share is None else min(1.0, max(0.0, share))
        self.sentence = sentence

    def _run(self) -> None:
        try:
            with self._turn:
                self.result = self._work(self._report)
                del self._work  # and with it the trace that it holds
                _settle()
        except VLError as error:
            self.problem = str(error)
        except Exception:
            LOG.exception("a background job failed")
            self.problem = FAILED
        finally:
            self.is_done = True


def _settle() -> None:
    # Libraries that a job imported stay for good: the collector need not look at them after
    # every run of a page.
    gc.collect()
    gc.freeze()
