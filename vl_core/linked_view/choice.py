"""What the view shows of a stack; layers, heads and tokens count from 0."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vl_core.token_attention import Direction, Position


@runtime_checkable
class Choice(Protocol):
    """What is selected: the app's selection, or a `PlainChoice`."""

    @property
    def layer(self) -> int:
        """Which layer of the stack."""

    @property
    def all_layers(self) -> bool:
        """Whether the mean over all layers is on show instead."""

    @property
    def head(self) -> int | None:
        """Which head of the layer; None is the mean over all of them."""

    @property
    def direction(self) -> Direction:
        """What a token looks at, or what looks at it."""

    @property
    def position(self) -> Position:
        """At which position a word of the answer is shown: what predicts it, or what reads it."""

    @property
    def picture_view(self) -> str:
        """Which view of the picture, "" for the first."""

    @property
    def tokens(self) -> tuple[int, ...]:
        """Pinned positions of the stream that looks."""

    @property
    def keys(self) -> tuple[int, ...]:
        """Pinned positions of another stream that is looked at."""


@dataclass(frozen=True)
class PlainChoice:
    """A choice and nothing besides; see `Choice` for the fields."""

    layer: int
    head: int | None
    tokens: tuple[int, ...]
    keys: tuple[int, ...] = ()
    all_layers: bool = False
    direction: Direction = "looks_at"
    position: Position = "predicts"
    picture_view: str = ""
