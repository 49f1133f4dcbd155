"""What a repository of the hub holds at one commit, as the hub says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from huggingface_hub import HfApi

from vl_core.checkpoints import files
from vl_core.checkpoints.naming import HubName

_PATIENCE = 10  # seconds for an answer


@dataclass(frozen=True)
class Listed:
    """A file: bytes, and the hash of its content by which the cache knows it."""

    size: int
    content: str


@dataclass(frozen=True)
class Listing:
    """The files of one commit by name, with slashes between folders."""

    commit: str
    files: Mapping[str, Listed]


def listing(api: HfApi, name: HubName) -> Listing:
    """Ask the hub; raises what huggingface_hub raises."""
    info = api.model_info(
        name.repository, revision=name.revision, files_metadata=True, timeout=_PATIENCE
    )
    held = {
        file.rfilename: Listed(
            file.size or 0, file.lfs.sha256 if file.lfs else str(file.blob_id or "")
        )
        for file in info.siblings or ()
    }
    return Listing(str(info.sha), held)


def has_weights(names: Iterable[str]) -> bool:
    """Whether the weights of a whole model are among them, as safetensors."""
    return not {files.WEIGHTS, files.INDEX}.isdisjoint(names)
