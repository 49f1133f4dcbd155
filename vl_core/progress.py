"""How far something is that is counted, told to whoever waits, a few times a second at most."""

import time
from collections.abc import Callable

Progress = Callable[[str], None]  # told, in words for the screen, what is being done
EVERY = 0.25  # seconds between two tellings, and before the first: what is short says nothing


class Counting:
    """Tells a number in a sentence each time that it is due.

    sentence: with {} where the number goes.
    """

    def __init__(self, tell: Progress, sentence: str) -> None:
        self._tell, self._sentence = tell, sentence
        self._due = time.monotonic() + EVERY

    def __call__(self, number: int) -> None:
        """It has come so far."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + EVERY
            self._tell(self._sentence.format(number))
