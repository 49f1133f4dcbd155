"""Fetching a checkpoint from Hugging Face into the usual cache.

The cheap questions come first: is there such a model, are its weights safe to open, is its
architecture covered, is there room on the disk. Only then do the weights travel.
"""

import shutil
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download, snapshot_download

from vl_core import families
from vl_core.checkpoints import cache, files, progress
from vl_core.checkpoints.conversion import converted
from vl_core.checkpoints.failures import UnreachableError, told_plainly
from vl_core.checkpoints.listing import Listing, has_weights, listing
from vl_core.checkpoints.naming import HubName
from vl_core.checkpoints.sizes import readable
from vl_core.errors import ModelError


def fetched(name: HubName, tell: progress.Tell) -> Path:
    """The snapshot of this model, up to date where the hub can be asked, else as it is cached.

    Raises ModelError if it is neither to be had from the hub nor complete in the cache.
    """
    kept = cache.found(name)
    if kept and name.is_pinned:
        return kept
    try:
        return _from_hub(name, tell)
    except UnreachableError:
        if not kept:
            raise
        tell("Hugging Face cannot be reached: loading what is in the local cache", None)
        return kept


def _from_hub(name: HubName, tell: progress.Tell) -> Path:
    tell(f"Asking Hugging Face for {name}", None)
    ref = name.revision or cache.MAIN
    with told_plainly(name):
        api = HfApi()
        held = listing(api, name)
        if not has_weights(held.files):
            held, ref = converted(api, name, held), name.revision or cache.CONVERTED
        _check_covered(name, held)
        wanted = _wanted(name, held)
    _download(name, held, wanted, tell)
    folder = cache.snapshot(name, held.commit)
    files.weights(folder)  # raises ModelError if they are not whole
    if not name.is_pinned:
        cache.remember(name, ref, held.commit)
    return folder


def _check_covered(name: HubName, held: Listing) -> None:
    """Raise ModelError if there is no family for what the configuration says it is."""
    if "config.json" not in held.files:
        raise ModelError(f"{name} has no config.json, so it is no model for transformers.")
    config = hf_hub_download(name.repository, "config.json", revision=held.commit)
    families.covered(families.model_type(Path(config).parent), str(name))


def _wanted(name: HubName, held: Listing) -> list[str]:
    """The files that from_pretrained reads, all of them in the repository."""
    if files.WEIGHTS in held.files:
        return [*files.settings(held.files), files.WEIGHTS]
    index = hf_hub_download(name.repository, files.INDEX, revision=held.commit)
    parts = files.shards(Path(index))
    if missing := sorted(set(parts) - set(held.files)):
        raise ModelError(f"{name} lacks weights that its index names: {', '.join(missing[:3])}.")
    return [*files.settings(held.files), files.INDEX, *parts]


def _download(name: HubName, held: Listing, wanted: list[str], tell: progress.Tell) -> None:
    for file in wanted:
        cache.discard_damaged(name, held.commit, file, held.files[file])
    total = sum(
        held.files[file].size
        for file in wanted
        if not cache.holds(name, held.commit, file, held.files[file])
    )
    _check_room(name, total)
    counter = progress.Counter()

    def work() -> str:
        return snapshot_download(
            name.repository,
            revision=held.commit,
            allow_patterns=wanted,
            tqdm_class=counter.bars(),
        )

    with told_plainly(name, downloading=True):
        progress.told(work, str(name), total, counter, tell)


def _check_room(name: HubName, total: int) -> None:
    """Raise ModelError unless as many bytes fit on the disk of the cache."""
    place = cache.root().absolute()
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if total > free:
        raise ModelError(
            f"{name} needs {readable(total)} of disk; {readable(free)} are free. Free some space, "
            "or set HF_HOME to a folder on a larger disk."
        )
