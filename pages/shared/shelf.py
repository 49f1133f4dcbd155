"""The models that this server has loaded, within a limit of memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vl_core.model import Model


class Shelf:
    """Loaded models by name. What was used longest ago goes when another wants its room.

    kept: the name of the one that always stays and does not count. Whoever runs a model that goes
    keeps it until the run ends.
    """

    def __init__(self, kept: str) -> None:
        self._kept = kept
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._guard = threading.Lock()
        self._turn = threading.Lock()

    def peek(self, name: str) -> "Model | None":
        """The model if it is loaded, which counts as use."""
        with self._guard:
            if name in self._models:
                self._models.move_to_end(name)
            return self._models.get(name)

    def names(self) -> list[str]:
        """Those that are loaded."""
        with self._guard:
            return list(self._models)

    def get(self, name: str, load: Callable[[], "Model"]) -> "Model":
        """The model, loaded now if it is not there; one is loaded at a time, failures are not kept.

        load: makes it; it may ask for room by make_room.
        """
        with self._turn:
            found = self.peek(name)
            if found is None:
                found = load()
                with self._guard:
                    self._models[name] = found
            return found

    def make_room(self, wanted: int, limit: int) -> list[str]:
        """Let models go until so many bytes more fit below the limit; the names of those gone.

        A model that alone is larger than the limit is let in by itself.
        """
        gone = []
        with self._guard:
            for name in [name for name in self._models if name != self._kept]:
                if self._taken() + wanted <= limit:
                    break
                del self._models[name]
                gone.append(name)
        return gone

    def _taken(self) -> int:
        return sum(one.n_bytes for name, one in self._models.items() if name != self._kept)
