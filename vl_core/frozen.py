"""Making what a trace holds read-only: every visitor shares the one object."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np


def freeze(owner: object, **values: object) -> None:
    """Set fields of a frozen dataclass while it is made."""
    for name, value in values.items():
        object.__setattr__(owner, name, value)


def own(array: np.ndarray) -> np.ndarray:
    """A read-only copy, so that the caller's array stays as it was and cannot change ours.

    For small arrays; an array that is read-only and nobody's view already is taken as it is.
    """
    if array.base is None and not array.flags.writeable:
        return array
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def own_mapping(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """A read-only copy of a mapping, its arrays read-only too."""
    copy = {key: own(v) if isinstance(v, np.ndarray) else v for key, v in mapping.items()}
    return MappingProxyType(copy)


def take_over(*arrays: np.ndarray) -> None:
    """Make large arrays read-only as they are: a copy of each would double the memory."""
    for array in arrays:
        array.flags.writeable = False
