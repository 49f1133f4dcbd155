"""Reading the messages that packing.py writes, as the browser's components do."""

import json
from collections.abc import Callable

import numpy as np
from streamlit.testing.v1 import AppTest


def unpacked(message: bytes) -> tuple[dict, Callable[[str, str], np.ndarray]]:
    """The header, and a function from a part's name and the type of its numbers to the numbers."""
    length = int.from_bytes(message[:4], "little")
    header = json.loads(message[4 : 4 + length])

    def part(name: str, dtype: str) -> np.ndarray:
        start, size = header["parts"][name]
        return np.frombuffer(message[start : start + size], dtype)

    return header, part


def head_map_of(app: AppTest) -> dict:
    """What the only head map on a page was given; numbers as layer x head, missing ones nan."""
    [message] = [c.proto.bytes for c in app.get("bidi_component") if c.proto.bytes]
    header, part = unpacked(message)
    shape = len(header["layers"]), header["heads"]
    own = part("own", "<f4")
    return header | {
        "values": part("values", "<f4").reshape(shape),
        "means": part("means", "<f4"),
        "pattern": part("pattern", "u1").reshape(shape),
        "own": own.reshape(shape) if own.size else None,
        "notes": part("notes", "<f4").reshape(-1, *shape),
        "which": part("which", "u1").reshape(-1, *shape),
    }
