"""Writing files that are seen whole or not at all, and never over those that are there."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vl_core.errors import VLError


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that is moved to its place at the end; what was cut short is thrown away."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def refuse_overwriting(*paths: Path) -> None:
    """Raise VLError if one of these files, all of one folder, is there already."""
    there = [path.name for path in paths if path.exists()]
    if there:
        raise VLError(
            f"{paths[0].parent} already holds {' and '.join(there)}, and nothing is written over. "
            "Choose another folder, or remove what is there."
        )
