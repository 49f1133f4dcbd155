"""The usual cache of Hugging Face on this disk, read without any network.

Its layout is documented: a folder for each repository with refs (a branch's commit), blobs (files
by the hash of their content) and snapshots (for each commit, links to blobs).
"""

import uuid
from pathlib import Path

from huggingface_hub import constants, get_cached_repo_tree, try_to_load_from_cache
from huggingface_hub.errors import CachedRepoTreeNotFoundError

from vl_core.checkpoints import files
from vl_core.checkpoints.listing import Listed
from vl_core.checkpoints.naming import HubName

MAIN = "main"
CONVERTED = "vl-interpret/safetensors"  # a ref of our own: the conversion of main's weights


def root() -> Path:
    """The folder of the whole cache, by the settings of Hugging Face."""
    return Path(constants.HF_HUB_CACHE).expanduser()


def found(name: HubName) -> Path | None:
    """The snapshot of this name, if all that from_pretrained reads is there; else None."""
    for revision in [name.revision] if name.revision else [MAIN, CONVERTED]:
        config = try_to_load_from_cache(name.repository, "config.json", revision=revision)
        if isinstance(config, str) and _is_whole(name, Path(config).parent):
            return Path(config).parent
    return None


def _is_whole(name: HubName, snapshot: Path) -> bool:
    """Whether the weights are complete and, as far as known, tokenizer and processor too."""
    try:
        tree = get_cached_repo_tree(name.repository, revision=snapshot.name)
    except CachedRepoTreeNotFoundError:  # other programs leave no list behind
        tree = []
    known = files.settings(file.path for file in tree)
    return files.is_complete(snapshot) and all((snapshot / file).is_file() for file in known)


def remember(name: HubName, ref: str, commit: str) -> None:
    """Let a branch or tag stand for this commit from now on."""
    target = _folder(name) / "refs" / ref
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}.tmp")
    partial.write_text(commit, encoding="utf-8")
    partial.replace(target)


def holds(name: HubName, commit: str, file: str, listed: Listed) -> bool:
    """Whether this file of this commit needs no download."""
    return any(place.is_file() for place in _places(name, commit, file, listed))


def discard_damaged(name: HubName, commit: str, file: str, listed: Listed) -> None:
    """Throw away what is not as long as the hub says; else it would be taken for the file."""
    for place in _places(name, commit, file, listed):
        if place.is_file() and place.stat().st_size != listed.size:
            place.unlink()


def _places(name: HubName, commit: str, file: str, listed: Listed) -> tuple[Path, Path]:
    return snapshot(name, commit) / file, _folder(name) / "blobs" / listed.content


def snapshot(name: HubName, commit: str) -> Path:
    """Where the files of this commit are, or will be."""
    return _folder(name) / "snapshots" / commit


def _folder(name: HubName) -> Path:
    return root() / f"models--{name.repository.replace('/', '--')}"
