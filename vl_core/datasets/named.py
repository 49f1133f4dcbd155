"""A data set as its owner names it: "name=path", or a path alone."""

import os
from pathlib import Path


def named(said: str) -> tuple[str, str]:
    """The name, empty where none is given, and the path.

    No name has a "=" or a folder in it; a path may have both.
    """
    name, _, path = (part.strip() for part in said.partition("="))
    if name and path and os.sep not in name and not Path(said).exists():
        return name, path
    return "", said
