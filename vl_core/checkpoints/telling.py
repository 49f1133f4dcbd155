"""What goes wrong while a checkpoint is loaded, told by the name that its user gave it.

Libraries name folders and files; where these lie on a server is none of a visitor's business.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from vl_core.checkpoints.naming import Checkpoint
from vl_core.errors import ModelError, VLError
from vl_core.shortage import is_shortage

_FOLDERS = re.compile(r"(?<![\w./:])/(?:[^\s/'\":,]+/)+")


@contextmanager
def told_by_name(checkpoint: Checkpoint) -> Iterator[None]:
    """Raise what a user can put right without any folder of this machine in it.

    ModelError where memory ran out. All else passes: it is for the log.
    """
    try:
        yield
    except VLError as error:
        raise type(error)(without_folders(str(error), checkpoint)) from error
    except Exception as error:
        if not is_shortage(error):
            raise
        raise ModelError(
            f"There is not enough memory to load {checkpoint.model_id} and to check it. Load it in "
            "a precision that takes less, choose a smaller model, or free memory by closing other "
            "programs."
        ) from error


def without_folders(text: str, checkpoint: Checkpoint) -> str:
    """The text with the checkpoint's name for its folder, and of other files only their names."""
    name = checkpoint.model_id
    # A relative path tells nothing, and may be a word like any other.
    for folder in {checkpoint.path.absolute(), checkpoint.path.resolve()}:
        text = text.replace(str(folder), name)
    # A folder that the user named may stand there as it was given.
    return name.join(_FOLDERS.sub("", part) for part in text.split(name))
