"""What tells the weights of one checkpoint from those of another."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from vl_core.checkpoints import files

LARGE = 1 << 30  # bytes beyond which a folder is not read whole
MEBIBYTE = 1 << 20


def weights_hash(folder: Path) -> str:
    """Changes with the weights, the configuration, the tokenizer and the processor.

    64 hexadecimal digits: the SHA-256 of every byte. "manifest:" before them: of names, sizes and
    the hub's own content hashes, for a snapshot of the hub. "sampled:" before them: of names,
    sizes, times of change and the first and last MiB of each file, for a local folder of more
    than 1 GiB.
    """
    names = files.read(folder)
    blobs = [_blob(folder, name) for name in names]
    if names and all(blobs):
        named = zip(names, blobs, strict=True)
        manifest = (_label(folder, name) + f"{blob} ".encode() for name, blob in named)
        return f"manifest:{_digest(manifest)}"
    if sum((folder / name).stat().st_size for name in names) > LARGE:
        return f"sampled:{_digest(part for name in names for part in _sample(folder, name))}"
    return _digest(part for name in names for part in _whole(folder, name))


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _label(folder: Path, name: str) -> bytes:
    # Names and sizes count as well: bytes that move from one file to the next are a change.
    return f"{name} {(folder / name).stat().st_size} ".encode()


def _blob(folder: Path, name: str) -> str | None:
    """The content hash by which the hub's cache knows this file; None outside of that cache."""
    file = folder / name
    if folder.parent.name != "snapshots" or not file.is_symlink():
        return None
    target = file.readlink()
    return target.name if target.parent.name == "blobs" else None


def _whole(folder: Path, name: str) -> Iterator[bytes]:
    yield _label(folder, name)
    with (folder / name).open("rb") as content:
        while chunk := content.read(MEBIBYTE):
            yield chunk


def _sample(folder: Path, name: str) -> Iterator[bytes]:
    file = folder / name
    yield _label(folder, name)
    yield f"{file.stat().st_mtime_ns} ".encode()
    with file.open("rb") as content:
        yield content.read(MEBIBYTE)
        content.seek(max(file.stat().st_size - MEBIBYTE, 0))
        yield content.read(MEBIBYTE)
