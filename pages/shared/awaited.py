"""Work that several visitors wait for: whoever gives it up goes alone, and it goes on for the rest.

Who began it or joined it waits for it, until giving it up, turning to other work or leaving; to
see it on its way is not to wait. It ends early only when it is given up and nobody else waits.
Visitors are known by their sessions.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.shared.background import Job, Report

T = TypeVar("T")


class Awaited(Job[T]):
    """A job that knows who waits for it."""

    def __init__(
        self, work: Callable[[Report], T], turn: AbstractContextManager[object], visitor: str
    ) -> None:
        """turn: held while it works. visitor: who wants it first."""
        self._waiting = {visitor}
        super().__init__(work, turn)

    def join(self, visitor: str) -> None:
        """Wait for it, also after it was given up."""
        self._waiting.add(visitor)

    def leave(self, visitor: str) -> None:
        """Wait no longer; it goes on."""
        self._waiting.discard(visitor)

    def is_awaited_by(self, visitor: str) -> bool:
        """Whether this visitor waits for it."""
        return visitor in self._waiting

    @property
    def is_awaited(self) -> bool:
        """Whether anybody waits for it who is here."""
        return any(map(is_here, self._waiting.copy()))

    def give_up(self, visitor: str, sentence: str) -> None:
        """Wait no longer; the last one of those who are here stops it, with this sentence."""
        self.leave(visitor)
        if not self.is_awaited:
            self.stop(sentence)


def visitor() -> str:
    """Whose run of a page this is; nothing outside of one."""
    context = get_script_run_ctx()
    return "" if context is None else context.session_id


def is_here(visitor: str) -> bool:
    """Whether this visitor's browser is still connected; whoever reloads a page is another one."""
    return not runtime.exists() or runtime.get_instance().is_active_session(visitor)
