"""From the name of a model to the folder with its checkpoint."""

import os
from pathlib import Path

from vl_core.checkpoints.naming import (
    EMBEDDED,
    EMBEDDED_NAME,
    LOCAL,
    Checkpoint,
    hub_name,
    is_hub_name,
)
from vl_core.checkpoints.progress import Tell
from vl_core.errors import ModelError


def find(name: str, *, may_download: bool = True, tell: Tell | None = None) -> Checkpoint:
    """The checkpoint of this name: "embedded", a local folder, or owner/name at Hugging Face.

    For whoever may read this machine's disk; see find_published for names that come from a
    browser. Raises ModelError for what is none of the three, and as find_published does.
    """
    if not isinstance(name, str):
        raise ModelError(
            f"The name of a model came as {type(name).__name__}. Give a string: the folder of a "
            f'checkpoint, owner/name at Hugging Face, or "{EMBEDDED_NAME}".'
        )
    if name != EMBEDDED_NAME and os.path.isdir(name):  # noqa: PTH112 no error for any name
        return Checkpoint(Path(name), name, LOCAL)
    if name != EMBEDDED_NAME and not is_hub_name(name):
        raise ModelError(
            f"{name[:200]!r} is neither a folder with a config.json nor a model at Hugging Face. "
            'Give the folder of a checkpoint, as save_pretrained writes it, owner/name, or "'
            f'{EMBEDDED_NAME}".'
        )
    return find_published(name, may_download=may_download, tell=tell)


def find_published(name: str, *, may_download: bool = True, tell: Tell | None = None) -> Checkpoint:
    """The embedded checkpoint or one of Hugging Face; the name is never taken for a path.

    name: "embedded", owner/name or owner/name@revision. The hub is asked for what is new; without
    network, what the local cache has will do. may_download: else only the cache is looked into.
    tell: told, in words for the screen and as a share, how far a download is, in this thread; what
    it raises stops the download. Raises ModelError, with what to do, if the checkpoint cannot be
    had.
    """
    if name == EMBEDDED_NAME:
        return Checkpoint(EMBEDDED, name, LOCAL)
    wanted = hub_name(name)
    # Here and not above: it brings an HTTP client, which names and catalogue do without.
    from vl_core.checkpoints import cache, hub  # noqa: PLC0415

    folder = hub.fetched(wanted, tell or _silent) if may_download else cache.found(wanted)
    if folder is None:
        raise ModelError(
            f"{name} is not in the local cache, and downloads are switched off here. Choose a "
            "model that is in the cache, or the embedded one."
        )
    return Checkpoint(folder, name, folder.name)


def is_cached(name: str) -> bool:
    """Whether "embedded" or owner/name can be loaded as it is, without any network."""
    if name == EMBEDDED_NAME:
        return True
    from vl_core.checkpoints import cache  # noqa: PLC0415 as above

    return cache.found(hub_name(name)) is not None


def _silent(_words: str, _share: float | None) -> None:
    pass
