"""What the owner of this server has settled, by environment variables; the README lists them."""

import math
import os
from itertools import chain, count
from pathlib import Path
from typing import cast

from vl_core.checkpoints import EMBEDDED_NAME, PRECISIONS, Precision, is_hub_name
from vl_core.checkpoints.naming import hub_name
from vl_core.datasets.named import named
from vl_core.errors import ModelError, SettingError

PREFIX = "VLINTERPRET_"
MAX_NAME = 200  # characters of a name that are repeated


def stores_uploads() -> bool:
    """Whether traces of uploaded pictures are kept on disk."""
    return _text("STORE_UPLOADS") == "1"


def models() -> tuple[str, ...]:
    """The only models that visitors may choose, or nothing where they may choose any."""
    return _listed("MODELS")


def allows_folders() -> bool:
    """Whether a visitor may name any folder of this machine as a model."""
    return _text("FOLDERS") == "1" and not models()


def is_folder(name: str) -> bool:
    """Whether this name is taken for a folder: any may be where that is allowed, or one listed."""
    is_other = not is_hub_name(name) or os.path.isdir(name)  # noqa: PTH112 no error for any name
    return name != EMBEDDED_NAME and is_other and (allows_folders() or name in models())


def check_offered(name: str) -> None:
    """Raise ModelError for a name that no visitor may choose here, or that is none."""
    if name == EMBEDDED_NAME:
        return
    if is_folder(name):
        _check_folder(name)
        return
    if models() and name not in models():
        raise ModelError(
            f"This server does not offer the model {name[:MAX_NAME]!r}. Choose one of its list."
        )
    if _is_path(name):
        raise ModelError(
            "Folders are not open to visitors of this server. Give the name of a model at Hugging "
            "Face, owner/name."
        )
    hub_name(name)


def _check_folder(name: str) -> None:
    if not os.path.isdir(name):  # noqa: PTH112 no error for any name
        raise ModelError(
            f"There is no folder {name[:MAX_NAME]!r} on this server, and it is no name of a model "
            "at Hugging Face, which is owner/name. Check the spelling."
        )


def _is_path(name: str) -> bool:
    """Whether whoever typed this meant a folder; nobody looks whether it is there."""
    is_address = "://" in name
    return not is_address and (name[:1] in {"/", "~", "."} or name.count("/") > 1 or "\\" in name)


def data_sets() -> dict[str, str]:
    """The owner's data sets: where each lies, by the name under which visitors choose it."""
    found: dict[str, str] = {}
    for said in _listed("DATASETS"):
        name, path = named(said)
        name = name or Path(path).name or path
        others = (f"{name} ({number})" for number in count(2))
        found[next(one for one in chain([name], others) if one not in found)] = path
    return found


def tags() -> str | None:
    """What objects are called in VCR's texts, if settled."""
    return _text("TAGS") or None


def modules() -> dict[str, tuple[str, ...]]:
    """For each setting that names modules of the owner's own, which."""
    return {PREFIX + name: _listed(name) for name in ("STATISTICS", "FAMILIES")}


def precision() -> Precision:
    """How models other than the embedded one are loaded, "auto" for what suits the device."""
    said = _text("PRECISION") or "auto"
    if said not in PRECISIONS:
        raise SettingError(f"{PREFIX}PRECISION is {said!r}; wanted: {', '.join(PRECISIONS)}.")
    return cast("Precision", said)


def model_bytes() -> int | None:
    """How much memory loaded models may take together, the embedded one not counted, if settled."""
    wanted = _number("MODELS_GB")
    return None if wanted is None else int(wanted * 1e9)


def trace_bytes() -> int:
    """How much memory one analysis may take: what does not fit is measured and not kept."""
    return int((_number("TRACE_MB") or 1024) * 2**20)


def _text(name: str) -> str:
    return os.environ.get(PREFIX + name, "").strip()


def _listed(name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in _text(name).split(",") if part.strip())


def _number(name: str) -> float | None:
    said = _text(name)
    if not said:
        return None
    try:
        value = float(said)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise SettingError(f"{PREFIX}{name} is {said!r}; a number above 0 is wanted.")
    return value
