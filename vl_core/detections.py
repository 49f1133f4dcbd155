"""Regions of a picture found by a detector beforehand, for models that read them and no pixels."""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors

from vl_core.errors import ImageError
from vl_core.frozen import freeze, own

MOST = 1000  # regions: LXMERT was made for 36, VisualBERT for 100
MOST_BYTES = 64 * 2**20  # of a file, packed or unpacked
WANTED = (
    "A .npz or .safetensors file with `features` (region x width) and `boxes` (region x 4: left, "
    "top, right, bottom in pixels of the picture) is wanted"
)
# A forged file may claim any shape: numpy asks for that much memory, and is refused.
_UNREADABLE = (
    KeyError,
    MemoryError,
    OSError,
    OverflowError,
    SafetensorError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector found.

    features: region x width. boxes: region x 4, left, top, right, bottom in pixels of the upright
    picture. They come from a file, so their shapes are checked here and not taken for granted:
    raises ImageError for arrays that do not go together or are not finite.
    """

    features: np.ndarray
    boxes: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.features) if self.features.ndim == 2 else 0
        if self.boxes.shape != (count, 4) or not 0 < count <= MOST:
            raise ImageError(
                f"Regions with features of shape {self.features.shape} and boxes of shape "
                f"{self.boxes.shape} came. {WANTED}, of 1 to {MOST} regions."
            )
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
            features = self.features.astype(np.float32)
        if not (np.isfinite(features).all() and np.isfinite(self.boxes).all()):
            raise ImageError(f"Regions with numbers that are not finite came. {WANTED}.")
        if (self.boxes[:, 2:] <= self.boxes[:, :2]).any():
            raise ImageError(f"A region without an area came. {WANTED}.")
        freeze(
            self,
            features=own(features),
            boxes=own(self.boxes.astype(np.float64)),
        )

    def __len__(self) -> int:
        return len(self.features)

    @property
    def digest(self) -> str:
        """Changes with every number of it."""
        return hashlib.sha256(self.boxes.tobytes() + self.features.tobytes()).hexdigest()

    @classmethod
    def read(cls, source: str | Path | bytes) -> "Detections":
        """The regions in a file, or in the bytes of one; nothing in it is executed.

        Raises ImageError for a file that is too large or holds something else.
        """
        content = source if isinstance(source, bytes) else _content(Path(source))
        if len(content) > MOST_BYTES:
            raise ImageError(
                f"The regions take {len(content) / 2**20:.0f} MB, at most "
                f"{MOST_BYTES // 2**20} MB are read. {WANTED}."
            )
        try:
            is_zip = zipfile.is_zipfile(io.BytesIO(content))
            arrays = _unzipped(content) if is_zip else load_safetensors(content)
            features, boxes = (_numbers(arrays[name]) for name in ("features", "boxes"))
        except _UNREADABLE as error:
            raise ImageError(f"These regions cannot be read ({error}). {WANTED}.") from error
        return cls(features, boxes)


def _numbers(array: np.ndarray) -> np.ndarray:
    """The array in double precision; raises ValueError for anything but real numbers."""
    if array.dtype.kind not in "fiu":
        raise ValueError(f"numbers of type {array.dtype}")
    return array.astype(np.float64)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"The regions in {path.name} cannot be read ({error}).") from error


def _unzipped(content: bytes) -> dict[str, np.ndarray]:
    """The two arrays of a .npz file; raises ValueError for what unpacks to too much."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > MOST_BYTES:
        raise ValueError(f"they unpack to {size / 2**20:.0f} MB")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in ("features", "boxes")}
