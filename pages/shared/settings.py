"""What the owner of this server has settled, by environment variables; the README lists them."""

import os

PREFIX = "VLINTERPRET_"


def _text(name: str) -> str:
    return os.environ.get(PREFIX + name, "").strip()


def _listed(name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in _text(name).split(",") if part.strip())


def _number(name: str, default: float) -> float:
    """The setting as a number; anything that is none is as good as no setting."""
    try:
        value = float(_text(name))
    except ValueError:
        return default
    return value if value > 0 else default


def stores_uploads() -> bool:
    """Whether traces of uploaded pictures are kept on disk."""
    return _text("STORE_UPLOADS") == "1"


def allows_folders() -> bool:
    """Whether a visitor may name a folder of this machine as a model."""
    return _text("FOLDERS") == "1"


def models() -> tuple[str, ...]:
    """The only models that visitors may choose, or nothing where they may choose any."""
    return _listed("MODELS")


def modules() -> dict[str, tuple[str, ...]]:
    """For each setting that names modules of the owner's own, which."""
    return {PREFIX + name: _listed(name) for name in ("STATISTICS", "FAMILIES")}


def precision() -> str:
    """How models other than the embedded one are loaded, "auto" for what suits the device."""
    return _text("PRECISION") or "auto"


def model_bytes(default: float) -> int:
    """How much memory loaded models may take together, the embedded one not counted."""
    return int(_number("MODELS_GB", default / 1e9) * 1e9)


def trace_bytes() -> int:
    """How much memory one analysis may take: what does not fit is measured and not kept."""
    return int(_number("TRACE_MB", 1024) * 2**20)
