"""How checkpoints are called, and what a name may hold before anything is done with it."""

import re
from dataclasses import dataclass
from pathlib import Path

from vl_core.errors import ModelError

EMBEDDED = Path(__file__).parents[2] / "models" / "embedded"
EMBEDDED_NAME = "embedded"
LOCAL = "local"  # the revision of what no hub keeps the history of

# One slash and no dots in a row: such a name can never lead out of a folder.
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_REPOSITORY = re.compile(f"{_PART}/{_PART}")
_REVISION = re.compile(rf"{_PART}(?:/{_PART}){{0,3}}")
_FORBIDDEN = ("..", "--")


@dataclass(frozen=True)
class Checkpoint:
    """A folder that from_pretrained can read.

    model_id: the name it was asked for by. revision: the commit of a snapshot of the hub, else
    "local".
    """

    path: Path
    model_id: str
    revision: str


@dataclass(frozen=True)
class HubName:
    """A repository at Hugging Face, owner/name, and the branch, tag or commit of it."""

    repository: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}" if self.revision else self.repository

    @property
    def is_pinned(self) -> bool:
        """Whether it names one commit, of which nothing can ever change."""
        return bool(re.fullmatch("[0-9a-f]{40}", self.revision or ""))


def hub_name(name: str) -> HubName:
    """The parts of owner/name or owner/name@revision; raises ModelError for anything else."""
    repository, at, revision = name.partition("@")
    valid = _valid(_REPOSITORY, repository) and not repository.endswith(".git")
    if not valid or (at and not _valid(_REVISION, revision)):
        raise ModelError(
            f"{name[:200]!r} is no name of a model at Hugging Face. Wanted: owner/name, such as "
            "dandelin/vilt-b32-finetuned-vqa, maybe with @ and a branch, tag or commit."
        )
    return HubName(repository, revision or None)


def is_hub_name(name: str) -> bool:
    """Whether the name has the form of a model at Hugging Face."""
    try:
        hub_name(name)
    except ModelError:
        return False
    return True


def _valid(form: re.Pattern[str], text: str) -> bool:
    return bool(form.fullmatch(text)) and not any(pair in text for pair in _FORBIDDEN)
