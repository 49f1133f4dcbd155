"""Where the objects of a picture are: VCR's metadata, brought to the pixels of the picture."""

import json
import math
from dataclasses import dataclass
from typing import Any, TypeGuard

from vl_core.counted import counted
from vl_core.errors import DatasetError
from vl_core.example import Outline

Box = tuple[float, float, float, float]

_MOST_BYTES = 8 * 2**20  # of one file with metadata: a hundred times what is usual
_MOST = 1e7  # pixels: no coordinate is beyond
_LEAST_POINTS = 3  # of a polygon
_ASPECT = 0.02  # share of its height by which a picture may differ from what is described


@dataclass(frozen=True)
class Places:
    """Boxes and outlines of the objects, by their number, in a picture of this width and height.

    boxes: left, top, right, bottom, cut to the picture. One of which nothing lies in the picture,
    and one that is no box (its sides exchanged, or one of them nan), stands as it came.
    """

    size: tuple[float, float]
    boxes: tuple[Box, ...]
    outlines: tuple[tuple[Outline, ...], ...]

    def within(self, size: tuple[int, int]) -> "Places":
        """The same in a picture of this size, which may have been made larger or smaller.

        Raises DatasetError if the picture has another shape than is described here.
        """
        width, height = self.size
        scale = size[0] / width
        if abs(size[1] - height * scale) > max(2, _ASPECT * size[1]):
            raise DatasetError(
                f"the picture is {size[0]} x {size[1]} pixels, and its metadata describes one of "
                f"{width:g} x {height:g}, of another shape. Use the pictures that came with VCR."
            )
        boxes = [_cut(_scaled(box, scale), size) for box in self.boxes]
        outlines = [
            tuple(_bounded(outline, scale, size) for outline in own) for own in self.outlines
        ]
        return Places(size, tuple(boxes), tuple(outlines))


def places(content: bytes, n_objects: int) -> Places:
    """What a file with metadata says of so many objects; raises DatasetError if it is damaged."""
    metadata = _parsed(content)
    size = _size(metadata)
    boxes = _one_each(metadata, "boxes", n_objects)
    polygons = (
        _one_each(metadata, "segms", n_objects) if metadata.get("segms") else [[]] * len(boxes)
    )
    return Places(
        size,
        tuple(_cut(_box(one), size) for one in boxes),
        tuple(tuple(_outlines(one)) for one in polygons),
    )


def _parsed(content: bytes) -> dict[str, Any]:
    if len(content) > _MOST_BYTES:
        raise DatasetError(
            f"its metadata takes {len(content) / 2**20:.0f} MiB; at most {_MOST_BYTES // 2**20} "
            "are read. Download it again."
        )
    try:
        metadata = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"its metadata is no JSON ({error}). Download it again.") from error
    if not isinstance(metadata, dict):
        raise DatasetError(
            f"its metadata is a JSON {type(metadata).__name__}, and not an object with boxes, "
            "width and height. Download it again."
        )
    return metadata


def _size(metadata: dict[str, Any]) -> tuple[float, float]:
    width, height = metadata.get("width"), metadata.get("height")
    if not (_is_number(width) and _is_number(height) and width >= 1 and height >= 1):
        raise DatasetError(
            f"its metadata gives a width of {width!r:.40} and a height of {height!r:.40}; wanted "
            "are pixels. Download it again."
        )
    return float(width), float(height)


def _one_each(metadata: dict[str, Any], name: str, n_objects: int) -> list[Any]:
    found = metadata.get(name)
    if not isinstance(found, list) or len(found) != n_objects:
        came = counted(len(found), "entry", "entries") if isinstance(found, list) else "no list"
        raise DatasetError(
            f"its metadata has {came} under {name} for {counted(n_objects, 'object')}; wanted is "
            "one entry each. Metadata and questions may be of different downloads."
        )
    return found


def _box(value: object) -> Box:
    """The first four numbers, nan for one that no picture reaches.

    The fifth, which is not read, says how sure the detector was of the object.
    """
    if not isinstance(value, list) or len(value) < 4 or not all(map(_is_edge, value[:4])):
        raise DatasetError(
            f"its metadata has the box {value!r:.60}; wanted are left, top, right and bottom in "
            "pixels. Download it again."
        )
    left, top, right, bottom = (float(edge) if _is_number(edge) else math.nan for edge in value[:4])
    return left, top, right, bottom


def _outlines(value: object) -> list[Outline]:
    """The polygons around an object; what is too short to be one is dropped."""
    polygons = value or []
    if not isinstance(polygons, list) or not all(isinstance(one, list) for one in polygons):
        raise _wrong_polygon(value)
    return [tuple(map(_point, one)) for one in polygons if len(one) >= _LEAST_POINTS]


def _point(value: object) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2 or not all(map(_is_number, value)):
        raise _wrong_polygon(value)
    return float(value[0]), float(value[1])


def _wrong_polygon(came: object) -> DatasetError:
    return DatasetError(
        f"its metadata has {came!r:.60} among its polygons; wanted are lists of points [x, y]. "
        "Download it again."
    )


def _is_edge(value: object) -> bool:
    """Whether it is a number of any kind, if only nan or one beyond all pictures."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[int | float]:
    # Written this way round, a nan is refused as well.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MOST


def _scaled(box: Box, scale: float) -> Box:
    left, top, right, bottom = box
    return left * scale, top * scale, right * scale, bottom * scale


def _cut(box: Box, size: tuple[float, float]) -> Box:
    """What of the box lies in a picture of this size; the box as it is if that has no area.

    VCR's boxes are a detector's, which reach a little beyond the edge; published readers of VCR
    cut them as well.
    """
    left, top = max(box[0], 0.0), max(box[1], 0.0)
    right, bottom = min(box[2], float(size[0])), min(box[3], float(size[1]))
    # Of a nan this is false.
    return (left, top, right, bottom) if left < right and top < bottom else box


def _bounded(outline: Outline, scale: float, size: tuple[int, int]) -> Outline:
    width, height = size
    return tuple(
        (min(max(x * scale, 0.0), float(width)), min(max(y * scale, 0.0), float(height)))
        for x, y in outline
    )
