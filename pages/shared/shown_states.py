"""The hidden states that a page shows: a stream without its padding, and tables made from them."""

import csv
import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from pages.shared.components.state_map import Nearest
from pages.shared.measured import written
from vl_core import neighbours
from vl_core.arrays import Points, TokenMask
from vl_core.figures.states import mark_kinds, state_names
from vl_core.neighbours import ModalityGap
from vl_core.short_names import short_labels, short_names
from vl_core.token_attention import token_labels
from vl_core.trace import Stream
from vl_core.trace.nouns import image_noun
from vl_core.trace.unpacked import UnpackedStates

ALL_PAIRS = 2_000_000  # cosines, of all states together, that do not keep the page waiting
WHOLE = 256 * 2**20  # bytes of hidden states that a file of arrays may hold
LISTED = 5  # nearest words and patches of a token
IN_TABLE = 3  # of them, so that all of a row can be read on a small screen

Marks = Int[np.ndarray, "asked state 2 rank"]
Cosines = Float[np.ndarray, "asked state 2 rank"]


@dataclass(frozen=True)
class ShownStates:
    """The tokens of a stream that are no padding; a mark is one of them, counted from 0."""

    stream: Stream

    @cached_property
    def positions(self) -> Int[np.ndarray, "token"]:
        """Each mark's position in the stream."""
        return np.flatnonzero(~self.stream.tokens.is_padding)

    @property
    def states(self) -> UnpackedStates:
        """State x mark x width, unpacked one state at a time."""
        return UnpackedStates(self.stream, self.positions)

    @property
    def can_be_taken_whole(self) -> bool:
        """Whether all states together fit into one file of arrays."""
        return 4 * np.prod(self.states.shape, dtype=float) <= WHOLE

    @property
    def names(self) -> tuple[str, ...]:
        """What each state is called."""
        return state_names(len(self.stream.scales))

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """What each mark is called in a list."""
        labels = token_labels(self.stream.tokens)
        return tuple(labels[position] for position in self.positions)

    @cached_property
    def short_texts(self) -> tuple[str, ...]:
        """What each mark is called where room is scarce."""
        labels = short_labels(self.stream.tokens)
        return tuple(labels[position] for position in self.positions)

    def name(self, mark: int) -> str:
        """What a mark is called in a sentence; a long text is cut."""
        return short_names(self.stream.tokens)[self.positions[mark]]

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """What kind of token each mark is, as `mark_kinds` tells kinds apart."""
        kinds = mark_kinds(self.stream.tokens)
        return tuple(kinds[position] for position in self.positions)

    @property
    def is_text(self) -> TokenMask:
        """Which marks are words."""
        return self.stream.tokens.is_text[self.positions]

    @property
    def is_image(self) -> TokenMask:
        """Which marks are patches."""
        return self.stream.tokens.is_image[self.positions]

    def nearest(self, asked: Int[np.ndarray, "asked"]) -> tuple[Marks, Cosines]:
        """The marks nearest to some marks and their cosines; kind 0 is words, kind 1 patches.

        Where there are fewer than asked for, marks are -1 and cosines 0.
        """
        kinds = self.is_text, self.is_image
        found = neighbours.nearest(self.states, asked, kinds, LISTED)
        marks = np.stack([kind.tokens for kind in found], axis=-2)
        cosines = np.stack([kind.cosines for kind in found], axis=-2)
        return marks.swapaxes(0, 1), np.nan_to_num(cosines).swapaxes(0, 1)

    @property
    def lists_all_neighbours(self) -> bool:
        """Whether what lies nearest to every mark is found at once, and not only on demand."""
        states, marks, _ = self.states.shape
        return states * marks**2 <= ALL_PAIRS

    def nearest_to(self, mark: int) -> Nearest:
        """What lies nearest to one mark after each state."""
        marks, cosines = (found[0] for found in self.nearest(np.array([mark])))
        return Nearest(mark, marks, cosines)

    def nearest_table(self, near: Nearest) -> dict[str, tuple[str, ...]]:
        """The nearest words and patches of a mark, with their cosines; one row for each state.

        Patches are called by their row and column alone.
        """
        marks, cosines = near.marks, near.cosines
        rows = range(len(self.names))
        return {
            "Hidden state": self.names,
            "Nearest words": tuple(self._listed(marks[row, 0], cosines[row, 0]) for row in rows),
            f"Nearest {image_noun(self.stream.tokens).many}": tuple(
                self._listed(marks[row, 1], cosines[row, 1]) for row in rows
            ),
        }

    def _listed(self, marks: Int[np.ndarray, "rank"], cosines: Float[np.ndarray, "rank"]) -> str:
        found = [
            f"{self.short_texts[mark].removeprefix('patch ')} ({written(cosine, 2)})"
            for mark, cosine in zip(marks[:IN_TABLE], cosines[:IN_TABLE], strict=True)
            if mark >= 0
        ]
        # A line may break between two of them, but not within one.
        return "  ·  ".join(one.replace(" ", "\N{NO-BREAK SPACE}") for one in found)

    def points_csv(self, points: Points) -> str:
        """A row for each mark and state; positions in the stream count from 1.

        Among the kinds are "answer", what the model generated, and "placeless", tokens of the image
        without a place in it.
        """
        content = io.StringIO()
        writer = csv.writer(content)
        writer.writerow(["position", "token", "kind", "state", "x", "y"])
        for name, places in zip(self.names, points, strict=True):
            marks = zip(self.positions + 1, self.texts, self.kinds, places, strict=True)
            for position, text, kind, (x, y) in marks:
                writer.writerow([position, text, kind, name, x, y])
        return content.getvalue()

    def arrays(
        self, points: Points, gap: ModalityGap, *, with_states: bool
    ) -> dict[str, np.ndarray]:
        """The points (state x mark x 2) and what they are; the hidden states if wanted.

        silhouette, mixing and distance, one number for each state: how far words and patches part.
        Those of more states than one file may hold are never among them.
        """
        found = {
            "points": points,
            **vars(gap),
            "positions": self.positions,
            "tokens": np.array(self.texts),
            "kinds": np.array(self.kinds),
        }
        if not with_states or not self.can_be_taken_whole:
            return found
        return found | {"hidden_states": np.stack(list(self.states))}
