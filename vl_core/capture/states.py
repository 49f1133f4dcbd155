"""Hidden states, read where they pass: at the doors of the modules between which they lie."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from torch import Tensor, nn

from vl_core.capture.finite import not_finite
from vl_core.capture.recorder import ACTIVE
from vl_core.errors import ModelError
from vl_core.trace import Stream, TokenTable
from vl_core.trace.stream import StatesSoFar


@dataclass(frozen=True)
class Door:
    """Where one hidden state of a stream can be read.

    module: its name. side: what the module is given, or what it gives back. argument: what the
    state is called where it is given by name; given by position, it is the first. result: which of
    several results it is.
    """

    module: str
    side: Literal["in", "out"] = "out"
    argument: str = "hidden_states"
    result: int = 0


def doors_of(layers: Sequence[str]) -> tuple[Door, ...]:
    """The states of a stream that passes through these layers: before the first, after each."""
    return Door(layers[0], "in"), *(Door(layer) for layer in layers)


class States:
    """The hidden states of a run, packed as they are heard.

    doors: for each stream where its states are read; a stream without any has no states. keeps:
    the streams whose states are kept; None for all.
    """

    def __init__(
        self, doors: Mapping[str, Sequence[Door]], keeps: Collection[str] | None = None
    ) -> None:
        self._heard = {
            stream: StatesSoFar(len(places))
            for stream, places in doors.items()
            if keeps is None or stream in keeps
        }

    def note(self, stream: str, state: Tensor) -> None:
        """Take in one state; a batch of pictures or tiles is one sequence, one after the other.

        Raises ModelError, with what to do, if it is not finite.
        """
        if stream in self._heard:
            values = state.detach().flatten(0, -2).float().cpu().numpy()
            if not np.isfinite(values).all():
                raise not_finite("this example", f"in the hidden states of the stream {stream}")
            self._heard[stream].add(values)

    def stream(self, name: str, tokens: TokenTable) -> Stream:
        """The stream with its states; raises ModelError unless each was heard once."""
        states = self._heard.get(name, StatesSoFar(0))
        wanted = len(states.scales)
        if states.heard != wanted:
            raise ModelError(
                f"{states.heard} hidden states of the stream {name} were heard, wanted {wanted}. "
                "The family's adapter must say where each is read."
            )
        return states.stream(name, tokens)


def watch(model: nn.Module, doors: Mapping[str, Sequence[Door]]) -> None:
    """From now on tell the recorder of a thread, if it has one, of each state of each stream.

    doors: for each stream where its states are read, in the order of layers. Nothing is changed,
    and without a recorder nothing is done.
    """
    for stream, places in doors.items():
        for door in places:
            module = model.get_submodule(door.module)
            if door.side == "in":
                module.register_forward_pre_hook(_on_entry(stream, door), with_kwargs=True)
            else:
                module.register_forward_hook(_on_exit(stream, door))


def _on_entry(stream: str, door: Door) -> Callable[..., None]:
    def read(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        recorder = ACTIVE.get()
        if recorder is not None:
            # What can be given by name may as well come first of all.
            recorder.note(stream, kwargs[door.argument] if door.argument in kwargs else args[0])

    return read


def _on_exit(stream: str, door: Door) -> Callable[..., None]:
    def read(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:  # noqa: ANN401
        recorder = ACTIVE.get()
        if recorder is not None:
            recorder.note(stream, output if isinstance(output, Tensor) else output[door.result])

    return read
