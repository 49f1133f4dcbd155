"""The last resort: attention of modules that can be brought to no function of ours, overheard.

Their weights are taken as the tap sees them; a layer's weights all exist at once, and are what is
kept. The hooks that say where in the model a thread is are put there once, for good, and tell the
recording of that thread alone: so several may record one model at once, and nobody waits.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from vl_core.capture import recorder as recorders
from vl_core.capture.masks import described
from vl_core.capture.recorder import Hear, Note, Recorder
from vl_core.capture.tap import Tap, Whereabouts
from vl_core.trace import Mask

# These stand on a module, and go with it when the model is copied, as its hooks do.
_OVERHEARD = "_vl_overheard"
_TELLS = "_vl_tells_whereabouts"

# Where this thread is in the model that it records, if that has modules that are overheard.
_HERE: ContextVar[Whereabouts | None] = ContextVar("vl_capture_whereabouts", default=None)


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
        module = model.get_submodule(name)
        setattr(module, _OVERHEARD, True)
        for part in module.modules():
            _tell_whereabouts(part)


def _tell_whereabouts(module: nn.Module) -> None:
    """From now on each thread that records knows when it is in this module."""
    if not hasattr(module, _TELLS):
        setattr(module, _TELLS, True)
        module.register_forward_pre_hook(_enter)
        module.register_forward_hook(_leave, always_call=True)


# Functions, and no closures or methods: what a copy of the model has must be as good.
def _enter(module: nn.Module, inputs: object) -> None:
    here = _HERE.get()
    if here is not None and module in here:
        here.enter(module, inputs)


def _leave(module: nn.Module, inputs: object, output: object) -> None:
    here = _HERE.get()
    if here is not None:
        here.leave(module, inputs, output)


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
    another recording the inner one alone hears what runs in it.
    """
    with recorders.recording(model, hear, note) as recorder:
        names = overheard(model)
        if not names:
            yield recorder
            return

        def take(name: str, matrix: Tensor) -> None:
            if recorders.ACTIVE.get() is recorder:  # taps within one another all hear a run
                recorder.take(name, Overheard(matrix))

        here = Whereabouts(model)
        token = _HERE.set(here)
        try:
            with Tap(here, take, names):
                yield recorder
        finally:
            _HERE.reset(token)
