"""Work that several visitors wait for: whoever gives it up goes alone, and it goes on for the rest.

It ends early only when nobody waits for it any more. Visitors are known by their sessions.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.shared.background import Job, Report

T = TypeVar("T")


class Awaited(Job[T]):
    """A job that knows who waits for it, and who has given it up."""

    def __init__(
        self, work: Callable[[Report], T], turn: AbstractContextManager[object], visitor: str
    ) -> None:
        """turn: held while it works. visitor: who wants it first."""
        self._waiting = {visitor}
        self._gone: set[str] = set()
        super().__init__(work, turn)

    def join(self, visitor: str) -> None:
        """Wait for it, also after it was given up."""
        self._gone.discard(visitor)
        self._waiting.add(visitor)

    def is_awaited_by(self, visitor: str) -> bool:
        """Whether this visitor, who sees it on its way, waits for it: unless it was given up."""
        if visitor not in self._gone:
            self._waiting.add(visitor)
        return visitor in self._waiting

    def give_up(self, visitor: str, sentence: str) -> None:
        """Wait no longer; the last one of those who are here stops it, with this sentence."""
        self._waiting.discard(visitor)
        self._gone.add(visitor)
        if not any(map(is_here, self._waiting.copy())):
            self.stop(sentence)


def visitor() -> str:
    """Whose run of a page this is; nothing outside of one."""
    context = get_script_run_ctx()
    return "" if context is None else context.session_id


def is_here(visitor: str) -> bool:
    """Whether this visitor's browser is still connected; whoever reloads a page is another one."""
    return not runtime.exists() or runtime.get_instance().is_active_session(visitor)
