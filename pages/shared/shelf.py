"""Loaded models, within a limit of memory."""

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vl_core.checkpoints import Demand
    from vl_core.model import Model


class Shelf:
    """Loaded models by name. What was used longest ago goes when another wants its room.

    Whoever runs a model that goes keeps it until the run ends.
    """

    def __init__(self) -> None:
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._guard = threading.Lock()

    def peek(self, name: str) -> "Model | None":
        """The model if it is loaded, which counts as use."""
        with self._guard:
            if name in self._models:
                self._models.move_to_end(name)
            return self._models.get(name)

    def names(self) -> list[str]:
        """Those that are loaded, the one used longest ago first."""
        with self._guard:
            return list(self._models)

    def put(self, name: str, model: "Model") -> None:
        """Keep a model that was loaded."""
        with self._guard:
            self._models[name] = model
            self._models.move_to_end(name)

    def make_room(self, wanted: "Demand", limit: int | None) -> "list[Model]":
        """Let models go until another one has room, as `leaving` says; those that are gone."""
        with self._guard:
            held = {name: model.n_bytes for name, model in self._models.items()}
            return [self._models.pop(name) for name in leaving(held, wanted, limit)]


def leaving(held: Mapping[str, int], wanted: "Demand", limit: int | None) -> list[str]:
    """Which of the loaded models must go before another is loaded, by name.

    held: bytes of each, the one used longest ago first. limit: how many bytes weights may take
    together, by default half of what would be free without any; a model that is larger by itself
    may then come alone. None goes for one that would not fit even without all of them.
    """
    free = math.inf if wanted.free is None else wanted.free
    taken = sum(held.values())
    if wanted.needed > free + taken:
        return []
    most = (free + taken) / 2 if limit is None else limit
    gone = []
    for name, size in held.items():
        if taken + wanted.weights <= most and wanted.needed <= free:
            break
        gone.append(name)
        taken, free = taken - size, free + size
    return gone
