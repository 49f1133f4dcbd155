"""A and B: what is pinned and what is on show, with the words that both texts have."""

import zlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from pages.shared import session
from pages.shared.comparing import pinned
from pages.shared.layout import said_about
from pages.shared.requests import Request
from pages.shared.selection import Selection
from vl_core.comparison import asked_and_answering, check_comparable
from vl_core.errors import ComparisonError
from vl_core.matched_tokens import Pairs, matched_tokens
from vl_core.trace import Stack, TokenTable, Trace

T = TypeVar("T")
LETTERS = ("A", "B")
# English words that say little by themselves.
LITTLE = (
    "a an and are as at be by do does for from has have he her his in is it its of on or she that "
    "the their there they this to was were what which who with"
)


@dataclass(frozen=True, eq=False)
class Pair:
    """What is compared, A first: what was asked for, and what became of it."""

    requests: tuple[Request, Request]
    traces: tuple[Trace, Trace]

    @property
    def name(self) -> str:
        """Short, and another one for other examples."""
        return f"{zlib.crc32(repr(self.requests).encode()):08x}"

    def stacks(self, name: str) -> tuple[Stack, Stack]:
        """The stack of that name in both."""
        one, other = self.traces
        return one.stacks[name], other.stacks[name]

    def remembered(self, key: tuple[Hashable, ...], compute: Callable[[], T]) -> T:
        """What was computed of both, once."""
        return session.compared(self.requests[0], pinned.upload(), key, compute)

    def words(self, chosen: Selection) -> Pairs:
        """Positions in A and in B of the words that look in this stack and that both have.

        Or that are looked at, if that is what is asked.
        """

        def found() -> Pairs:
            one, other = self._asked(chosen)
            pairs = matched_tokens(one, other)
            return pairs[other.is_text[pairs[:, 1]]]

        return self.remembered(("words", chosen.stack, chosen.direction), found)

    def chosen_words(self, chosen: Selection) -> Pairs:
        """Those of them that are pinned in B.

        All of them if no token is pinned; where only such are pinned that A has not, the last word
        that means something by itself.
        """
        words = self.words(chosen)
        pinned = getattr(chosen, self.pins(chosen))
        some = words[np.isin(words[:, 1], pinned)] if pinned else words
        if len(some):
            return some
        texts = [self._asked(chosen)[1].texts[word] for word in words[:, 1]]
        return words[_last_telling(texts)] if texts else words

    def pins(self, chosen: Selection) -> str:
        """Which field of a selection pins such words: those of another stream are its keys."""
        is_query = chosen.direction == "looks_at" or self.stacks(chosen.stack)[1].is_self_attention
        return "tokens" if is_query else "keys"

    def _asked(self, chosen: Selection) -> tuple[TokenTable, TokenTable]:
        """The tokens in A and in B among which words are chosen."""
        one, other = (
            asked_and_answering(stack, chosen.direction)[0] for stack in self.stacks(chosen.stack)
        )
        return one, other

    def why_not_by_heads(self, stack: str) -> str:
        """Why no head of the one is a head of the other; nothing if each is."""
        try:
            check_comparable(*self.traces, stack)
        except ComparisonError as error:
            return str(error)
        return ""

    def said(self) -> str:
        """What A is, for a figure that tells what B is already."""
        return f"compared with A: {said_about(self.requests[0], self.traces[0].example.text)}"


def _last_telling(texts: list[str]) -> list[int]:
    """Where the last word stands that means something by itself; the last of any, if there is none.

    At least one is wanted.
    """
    places = list(range(len(texts)))
    words = [i for i in places if any(map(str.isalnum, texts[i]))]
    telling = [i for i in words if texts[i].lower() not in LITTLE.split()]
    return (telling or words or places)[-1:]


def pair(one: Request) -> Pair:
    """What is pinned and what is on show, analysed if need be; raises as an analysis does."""
    return Pair((one, session.request()), (pinned.trace(one), session.trace()))
