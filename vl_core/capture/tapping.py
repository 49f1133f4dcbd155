"""The last resort: attention of modules that can be brought to no function of ours, overheard.

Their weights are taken as the tap sees them; a layer's weights all exist at once, and are what is
kept. A model with such modules runs for one at a time.
"""

import threading
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from vl_core.capture import recorder as recorders
from vl_core.capture.masks import described
from vl_core.capture.recorder import Hear, Note, Recorder
from vl_core.capture.tap import tapped
from vl_core.trace import Mask

# The hooks of a tap are the module's, and so every thread's: one thread at a time has a model.
_turns: WeakKeyDictionary[nn.Module, AbstractContextManager[bool]] = WeakKeyDictionary()
_giving_turns = threading.Lock()
_OVERHEARD = "_vl_overheard"  # stands on a module, and goes with it when the model is copied


@dataclass(frozen=True, eq=False)
class Overheard:
    """The weights of one sequence's evaluation, as the tap saw them.

    A key counts as hidden from a query if no head gives it anything. A source of rows for head
    statistics. first_query, first_key: as in Evaluation.
    """

    weights: Float[Tensor, "head query key"]
    first_query: int = 0
    first_key: int = 0

    @property
    def n_heads(self) -> int:
        """How many heads look."""
        return len(self.weights)

    @cached_property
    def query_positions(self) -> Int[np.ndarray, "query"]:
        """Where in its stream each query stands."""
        return self.first_query + np.arange(self.weights.shape[1])

    @cached_property
    def key_positions(self) -> Int[np.ndarray, "key"]:
        """Where in its stream each key stands."""
        return self.first_key + np.arange(self.weights.shape[2])

    def rows(
        self, heads: slice, queries: slice, keys: slice = slice(None)
    ) -> Float[Tensor, "head row key"]:
        """Weights of the chosen heads and queries on the chosen keys; a copy."""
        return self.weights[heads, queries, keys].clone()

    def allowed(self, queries: slice) -> Bool[Tensor, "row key"]:
        """For each of the chosen queries, which keys any head gives something."""
        return (self.weights[:, queries] > 0).any(dim=0)

    @cached_property
    def mask(self) -> Mask:
        """The same of all queries, as a trace keeps it."""
        _, n_queries, n_keys = self.weights.shape
        return described(self.allowed, (n_queries, n_keys))


def overhear(model: nn.Module, names: Collection[str]) -> None:
    """From now on overhear the attention of the modules of these names, on each recorded run."""
    for name in names:
        setattr(model.get_submodule(name), _OVERHEARD, True)


def overheard(model: nn.Module) -> list[str]:
    """The names of the modules whose attention is overheard."""
    return [name for name, module in model.named_modules() if hasattr(module, _OVERHEARD)]


@contextmanager
def recording(
    model: nn.Module,
    hear: Hear | None = None,
    note: Note = lambda _stream, _state: None,
) -> Iterator[Recorder]:
    """Hear this thread's runs of an attached model; see Recorder.

    `with recording(model) as recorder: model(**inputs)`, then `recorder.evaluations[name]`. Within
    another recording the inner one alone hears what runs in it. A model that is overheard waits
    for threads that record the same model, and for no other.
    """
    with recorders.recording(model, hear, note) as recorder:
        names = overheard(model)
        if not names:
            yield recorder
            return

        def take(name: str, matrix: Tensor) -> None:
            if recorders.ACTIVE.get() is recorder:  # taps within one another all hear a run
                recorder.take(name, Overheard(matrix))

        with _turn(model), tapped(model, take, names):
            yield recorder


def _turn(model: nn.Module) -> AbstractContextManager[bool]:
    """Held by the thread that records the model, which may do so within another recording."""
    with _giving_turns:
        return _turns.setdefault(model, threading.RLock())
