"""What a folder of traces was begun with, in its run.json, so that no two runs are mixed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vl_core.datasets.fingerprints import differing
from vl_core.datasets.whole_files import whole_file
from vl_core.errors import VLError

NAME = "run.json"
_MAY_CHANGE = "model versions "  # of libraries: told, as other ones give nearly the same


def begun(folder: Path, facts: Mapping[str, Any]) -> list[str]:
    """Write the facts, or hold them against those of before; what may differ and does is returned.

    Raises VLError if anything else differs, or if what is there cannot be read.
    """
    path = folder / NAME
    # As JSON gives them back, so that they can be compared with what stands in the file.
    mine = json.loads(json.dumps(dict(facts)))
    if not path.exists():
        with whole_file(path) as file:
            file.write(json.dumps(mine, indent=2).encode())
        return []
    found = differing(_read(path), mine)
    refused = [name for name in found if not name.startswith(_MAY_CHANGE)]
    if refused:
        raise VLError(
            f"{folder} holds another run: it differs from this one in {', '.join(refused)} (see "
            f"{NAME} there). Choose another folder."
        )
    return [name.removeprefix("model ") for name in found]


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise VLError(
            f"{path} is damaged, so it cannot be told what the folder holds. Choose another folder."
        ) from error
