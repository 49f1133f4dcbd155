"""Traces on disk, found by what made them. Bounded, and shared by any number of processes.

An entry is one file, named by the hash of everything that its trace depends on. Files are written
beside their place and moved there, so a reader sees a whole trace or none; whoever loses a race
loses time only. The time of a file is that of its last use.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from vl_core.errors import TraceError
from vl_core.example import Example
from vl_core.trace import Provenance, Trace, files

SETTING = "VLINTERPRET_CACHE"  # the owner's choice of folder
SUFFIX = ".trace.safetensors"
STALE = 3600  # seconds after which what a killed process was writing is thrown away

# Nothing else in the folder is ever touched: its owner may keep other files there.
ENTRY = re.compile(r"[0-9a-f]{64}\.trace\.safetensors")
PARTIAL = re.compile(r"\.[0-9a-f]{64}\.trace\.safetensors\.[0-9a-f]{16}")

log = logging.getLogger(__name__)


def default_folder() -> Path:
    """Where the owner's setting says, else below the user's own cache directory."""
    setting = os.environ.get(SETTING)
    return Path(setting).expanduser() if setting else _user_cache() / "vl-interpret"


def _user_cache() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def key(provenance: Provenance, example: Example, options: Mapping[str, Any] | None = None) -> str:
    """The name of the trace that this model makes of this example: 64 hexadecimal digits.

    It changes with the model, its weights, dtype and device, the versions of libraries and of the
    file format, the preprocessing, the picture's pixels, the text and its parts, the task, the
    regions, the answer, what a detector found and the options of capture. What was measured of the
    model's fidelity does not count.
    """
    model = provenance.as_dict()
    del model["fidelity"]
    parts = {
        "format": (files.FORMAT, files.VERSION),
        "model": model,
        "picture": None if example.image is None else _pixels_hash(example.image),
        "text": example.text,
        "regions": [asdict(region) for region in example.regions],
        "answer": example.answer,
        "task": example.task,
        "breaks": example.breaks,
        "detections": None if example.detections is None else example.detections.digest,
        "options": dict(options or {}),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _pixels_hash(picture: Image.Image) -> str:
    """The same for the same pixels, whatever file they came in."""
    digest = hashlib.sha256(f"{picture.mode} {picture.size}".encode())
    digest.update(picture.tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class TraceStore:
    """A folder of traces that takes at most `max_bytes`; the least recently used go first.

    The folder is made when the first trace is put. A disk that is full or must not be written is
    noted in the log and otherwise ignored: the store saves time, and nothing depends on it.
    """

    folder: Path
    max_bytes: int

    def get(self, key: str) -> Trace | None:
        """The trace of that key, or None. An entry that is damaged or outdated is thrown away."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            trace = Trace.load(path)
        except TraceError:
            _drop(path)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return trace

    def put(self, key: str, trace: Trace) -> None:
        """Keep the trace under that key and let older ones go that no longer fit.

        A trace that is larger than the whole store is not kept, and drives out no other.
        """
        path = self._path(key)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            trace.save(path)
            if path.stat().st_size > self.max_bytes:
                _drop(path)
        except OSError as error:
            log.warning("A trace cannot be kept in %s: %s", self.folder, error)
        self._evict()

    def _path(self, key: str) -> Path:
        name = f"{key}{SUFFIX}"
        if not ENTRY.fullmatch(name):
            raise ValueError(f"{key!r} is no key of a trace; store.key makes them")
        return self.folder / name

    def _evict(self) -> None:
        entries = sorted(self._files(ENTRY), reverse=True)  # the last used first
        room = self.max_bytes
        for _, size, path in entries:
            room -= size
            if room < 0:
                _drop(path)
        for used, _, path in self._files(PARTIAL):
            if used < time.time() - STALE:
                _drop(path)

    def _files(self, pattern: re.Pattern[str]) -> Iterator[tuple[float, int, Path]]:
        """Time of last use, size and path of the files with such names."""
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                if not pattern.fullmatch(path.name):
                    continue
                with contextlib.suppress(OSError):  # another process was faster
                    status = path.stat()
                    yield status.st_mtime_ns / 1e9, status.st_size, path


def _drop(path: Path) -> None:
    """Remove the file unless another process has done so or is reading it."""
    with contextlib.suppress(OSError):
        path.unlink()
