"""Databases as the original VL-InterpreT writes them, with invented content.

Written with pickle, msgpack, lz4 and lmdb themselves, and not by the code under test. No two sizes
are equal: 3 layers, 5 heads, 7 text tokens, 2 rows of 4 patches, states 6 wide, a picture of 96 x
34 pixels.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path

import lmdb
import msgpack
import numpy as np
from lz4 import frame

LAYERS, HEADS, WIDTH = 3, 5, 6
COLUMNS, ROWS = 4, 2
PICTURE = (96, 34)  # width, height
TEXT = ("[CLS]", "is", "it", "rain", "##ing", "?", "[SEP]")
PLAIN = {"n_examples": 2, "n_layers": LAYERS, "n_heads": HEADS}


def record(seed: int = 0, *, text: tuple[str, ...] = TEXT) -> dict:
    """What a user gives: patches column by column, as in the original's own example."""
    rng = np.random.default_rng(seed)
    cells = [(x, y) for x in range(COLUMNS) for y in range(ROWS)]
    count = len(text) + len(cells)
    attention = rng.gamma(0.7, size=(LAYERS, HEADS, count, count)) + 1e-3
    return {
        "ex_id": seed,
        "image": rng.integers(0, 256, (PICTURE[1], PICTURE[0], 3)),
        "tokens": [*text, *(f"IMG_{i}" for i in range(len(cells)))],
        "txt_len": len(text),
        "img_coords": cells,
        "accuracy": seed % 2 == 0,
        "attention": attention / attention.sum(axis=-1, keepdims=True),
        "hidden_states": rng.normal(size=(LAYERS + 1, count, WIDTH)),
        "custom_metrics": {"Coreference": rng.random((LAYERS, HEADS))},
    }


def prepared(given: Mapping) -> dict:
    """What the original makes of it: patches row by row in all but the hidden states."""
    made, n_text = dict(given), given["txt_len"]
    cells = [tuple(map(int, cell)) for cell in given["img_coords"]]
    order = sorted(range(len(cells)), key=lambda i: (cells[i][1], cells[i][0]))
    moved = np.array([*range(n_text), *(n_text + i for i in order)])
    made["img_coords"] = [cells[i] for i in order]
    made["img_grid_size"] = np.max(cells, axis=0) + 1
    patches = np.array(given["tokens"][n_text:])[order]
    made["tokens"] = [*given["tokens"][:n_text], *patches]  # strings of numpy's own kind
    made["attention"] = given["attention"][:, :, moved][:, :, :, moved]
    made["tsne"] = [np.zeros((len(moved), 2), np.float32) for _ in given["hidden_states"]]
    return made


def wrapped(value: object) -> bytes:
    """A value as the database keeps it."""
    return frame.compress(msgpack.packb(value, use_bin_type=True))


def pickled(value: object, protocol: int = pickle.HIGHEST_PROTOCOL) -> bytes:
    """A record as the database keeps it."""
    return wrapped(pickle.dumps(value, protocol=protocol))


def write(folder: Path, values: Mapping[str, bytes], plain: Mapping[str, object] = PLAIN) -> Path:
    """A database with these values as they are, and these numbers; gives its folder."""
    folder.mkdir(parents=True)
    with (
        lmdb.open(str(folder), map_size=2**30) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key, value in values.items():
            transaction.put(key.encode(), value)
        for key, value in plain.items():
            transaction.put(key.encode(), wrapped(value))
    (folder / "faiss").mkdir()
    (folder / "faiss" / "txt_indices_0").write_bytes(b"IxF2 not read")
    return folder


def database(folder: Path, *records: Mapping, **plain: object) -> Path:
    """A database with these records, numbered from 0; gives its folder."""
    values = {str(number): pickled(one) for number, one in enumerate(records)}
    return write(folder, values, PLAIN | {"n_examples": len(records)} | plain)
