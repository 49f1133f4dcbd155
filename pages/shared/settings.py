"""What the owner of this server has settled, by environment variables; the README lists them."""

import math
import os
from typing import cast

from vl_core import checkpoints
from vl_core.checkpoints import Precision
from vl_core.errors import ModelError, SettingError

PREFIX = "VLINTERPRET_"


def stores_uploads() -> bool:
    """Whether traces of uploaded pictures are kept on disk."""
    return _text("STORE_UPLOADS") == "1"


def models() -> tuple[str, ...]:
    """The only models that visitors may choose, or nothing where they may choose any."""
    return _listed("MODELS")


def allows_folders() -> bool:
    """Whether a visitor may name any folder of this machine as a model."""
    return _text("FOLDERS") == "1" and not models()


def may_be_folder(name: str) -> bool:
    """Whether this name may be that of a folder: visitors may name any, or the owner listed it."""
    return allows_folders() or (name in models() and not checkpoints.is_hub_name(name))


def check_offered(name: str) -> None:
    """Raise ModelError for a name that no visitor may choose here, or that is none."""
    if name == checkpoints.EMBEDDED_NAME or may_be_folder(name):
        return
    checkpoints.check_hub_name(name)
    if models() and name not in models():
        raise ModelError(
            f"{name} is none of the models that this server offers. Choose one of the list."
        )


def modules() -> dict[str, tuple[str, ...]]:
    """For each setting that names modules of the owner's own, which."""
    return {PREFIX + name: _listed(name) for name in ("STATISTICS", "FAMILIES")}


def precision() -> Precision:
    """How models other than the embedded one are loaded, "auto" for what suits the device."""
    said = _text("PRECISION") or "auto"
    if said not in checkpoints.PRECISIONS:
        raise SettingError(
            f"{PREFIX}PRECISION is {said!r}; wanted: {', '.join(checkpoints.PRECISIONS)}."
        )
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
