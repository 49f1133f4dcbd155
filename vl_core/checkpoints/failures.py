"""What goes wrong between here and the hub, in plain words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import errors
from huggingface_hub.utils import httpx  # type: ignore[attr-defined] # whichever version

from vl_core.checkpoints.naming import HubName
from vl_core.errors import ModelError, causes

_FULL = (errno.ENOSPC, errno.EDQUOT)
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


class UnreachableError(ModelError):
    """The hub cannot be asked: what lies in the local cache may still do."""


@contextmanager
def told_plainly(name: HubName, *, downloading: bool = False) -> Iterator[None]:
    """Raise ModelError, or UnreachableError, in place of what the hub's library raises.

    downloading: whether files were on their way, so that trying again goes on with the rest.
    """
    try:
        yield
    except (OSError, httpx.HTTPError, errors.EntryNotFoundError, ValueError) as error:
        raise _plain(name, error, downloading=downloading) from error


def _plain(name: HubName, error: BaseException, *, downloading: bool) -> ModelError:
    # The library wraps what happened, sometimes twice.
    for cause in causes(error):
        if told := (_of_the_hub(name, cause) or _of_the_disk(name, cause)):
            return ModelError(told)
        if isinstance(cause, errors.OfflineModeIsEnabled):
            return UnreachableError(_offline(name))
    if downloading:
        return UnreachableError(_interrupted(name, error))
    return UnreachableError(
        f"Hugging Face cannot be reached to ask for {name} ({_brief(error)}). Check the network, "
        'or load a model that is in the local cache, or "embedded".'
    )


def _of_the_hub(name: HubName, error: BaseException) -> str | None:
    """What the hub answered, when it did and the answer was no."""
    match error:
        case errors.GatedRepoError():
            return _gated(name)
        case errors.RevisionNotFoundError():
            return f"{name.repository} has no branch, tag or commit {name.revision!r}."
        case errors.DisabledRepoError():
            return f"{name.repository} has been disabled at Hugging Face."
        case errors.RepositoryNotFoundError():
            return (
                f"There is no model {name.repository} at Hugging Face, or it is private. Check the "
                "spelling; for a private one set HF_TOKEN to a token that may read it."
            )
        case errors.HfHubHTTPError() if error.response.status_code in {401, 403}:
            return (
                f"Hugging Face refuses access to {name.repository} with the token in use. Set "
                "HF_TOKEN to a valid one, or unset it for models that are open to all."
            )
    return None


def _gated(name: HubName) -> str:
    return (
        f"{name.repository} is gated: its licence must be accepted first. Accept it on the model's "
        "page at Hugging Face, set HF_TOKEN to a token of the same account where this program "
        "runs, and load it again."
    )


def _of_the_disk(name: HubName, error: BaseException) -> str | None:
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL:
        return (
            f"The disk is full: {name} could not be kept. Free some space, or set HF_HOME to a "
            "folder on a larger disk, and load it again."
        )
    if number in _UNWRITABLE:
        return (
            f"The cache of models cannot be written to ({error}), so {name} could not be kept. Set "
            "HF_HOME to a folder that can."
        )
    return None


def _offline(name: HubName) -> str:
    return (
        f"{name} is not in the local cache, and HF_HUB_OFFLINE forbids to ask Hugging Face for it. "
        "Unset it, or load a model that is in the cache."
    )


def _interrupted(name: HubName, error: BaseException) -> str:
    return (
        f"The download of {name} was interrupted ({_brief(error)}). Files that came whole are "
        "kept: load it again to fetch the rest."
    )


def _brief(error: BaseException) -> str:
    """The first sentence of what the library says."""
    words = str(error).strip() or type(error).__name__
    return words.splitlines()[0][:200].rstrip(".")
