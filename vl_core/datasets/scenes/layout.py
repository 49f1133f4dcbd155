"""Scenes: which objects there are and where they lie, drawn from a seed."""

import random
from dataclasses import dataclass
from math import hypot

import numpy as np
from jaxtyping import Bool, Float32
from PIL import Image

from vl_core.datasets.scenes import drawing
from vl_core.datasets.scenes.objects import SceneObject
from vl_core.datasets.scenes.outlines import REACH
from vl_core.datasets.scenes.words import COLORS, SHAPES, SIZES

CANVAS = 128
"""Length of a scene's longer side; coordinates are pixels of a picture of this size."""

_CANVAS_SHARES = {
    (128, 128): 45,
    (128, 112): 5,
    (112, 128): 5,
    (128, 96): 11,
    (96, 128): 11,
    (128, 80): 6,
    (80, 128): 6,
    (128, 64): 5.5,
    (64, 128): 5.5,
}
CANVAS_SIZES = tuple(_CANVAS_SHARES)
_CANVAS_WEIGHTS = tuple(_CANVAS_SHARES.values())

TRAINING_SEEDS = range(10_000_000)
UNSEEN_SEEDS = range(10_000_000, 2**31)

_RADII = {"small": (8.5, 11.0), "large": (15.0, 19.0)}
_GAP = 3.0  # pixels kept free between two objects, and between an object and the edge
_TILT = 0.3  # radians
# Few colors or shapes in a scene: its objects share them, and to tell them apart takes both.
_PALETTE_SIZES = (2, 3, 4, 5, 8)
_TRIES = 1000


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture shows; `background` seeds backdrop, texture, tints and grain."""

    width: int
    height: int
    objects: tuple[SceneObject, ...]
    background: int

    def render(self, longer_side: int = CANVAS) -> Image.Image:
        """The picture in RGB, the same one at every size."""
        return drawing.render(self.objects, self.background, self._frame(longer_side))

    def masks(self, longer_side: int = CANVAS) -> Bool[np.ndarray, "object row column"]:
        """The pixels of the rendered picture that each object covers at least half."""
        return drawing.masks(self.objects, self._frame(longer_side))

    def boxes(self, longer_side: int = CANVAS) -> Float32[np.ndarray, "object 4"]:
        """Left, top, right and bottom of each object, in pixels of the rendered picture."""
        boxes = np.array([one.box for one in self.objects], np.float32)
        return boxes * np.float32(self._frame(longer_side).scale)

    def _frame(self, longer_side: int) -> drawing.Frame:
        scale = longer_side / max(self.width, self.height)
        return drawing.Frame(round(self.width * scale), round(self.height * scale), scale)


def scene(seed: int, size: tuple[int, int] | None = None) -> Scene:
    """The scene of a seed: 2 to 6 objects that do not overlap.

    Without a size (width, height) the canvas is drawn as well, a square in nearly half the cases.
    Seeds in TRAINING_SEEDS are for training; everything else takes UNSEEN_SEEDS.
    Raises ValueError where a canvas is too small for its objects.
    """
    rng = random.Random(seed)
    drawn_size = rng.choices(CANVAS_SIZES, _CANVAS_WEIGHTS)[0]
    width, height = size or drawn_size
    background = rng.getrandbits(31)
    most = 6 if width * height > CANVAS * CANVAS // 2 else 5
    count = rng.randint(2, most)
    colors, shapes = _shared(rng, COLORS, count), _shared(rng, SHAPES, count)
    for attempt in range(_TRIES):
        # A crowd that does not fit is tried again with more small objects.
        sizes = [SIZES[rng.random() < 0.5 * 0.9**attempt] for _ in shapes]
        looks = list(zip(shapes, colors, sizes, strict=True))
        objects = _placed(rng, looks, width, height)
        if objects:
            return Scene(width, height, objects, background)
    raise ValueError(f"{count} objects do not fit on a canvas of {width} x {height} scene pixels")


def _shared(rng: random.Random, values: tuple[str, ...], count: int) -> list[str]:
    """`count` values out of a palette that is often smaller than all of them."""
    palette = rng.sample(values, rng.choice(_PALETTE_SIZES))
    return [rng.choice(palette) for _ in range(count)]


def _placed(
    rng: random.Random, looks: list[tuple[str, str, str]], width: int, height: int
) -> tuple[SceneObject, ...] | None:
    """Objects of these shapes, colors and sizes, or None if one of them found no free place."""
    radii = [rng.uniform(*_RADII[size]) for _, _, size in looks]
    taken: list[tuple[float, float, float]] = []
    placed: dict[int, SceneObject] = {}
    # The large ones come first: they need room.
    for index in sorted(range(len(looks)), key=lambda index: -radii[index]):
        shape, color, size = looks[index]
        reach = radii[index] * REACH[shape] + _GAP / 2
        spot = _free_spot(rng, taken, reach, width - _GAP, height - _GAP)
        if spot is None:
            return None
        taken.append((*spot, reach))
        x, y = spot[0] + _GAP / 2, spot[1] + _GAP / 2
        angle = rng.uniform(-_TILT, _TILT)
        placed[index] = SceneObject(shape, color, size, x, y, radii[index], angle)
    return tuple(placed[index] for index in range(len(looks)))


def _free_spot(
    rng: random.Random,
    taken: list[tuple[float, float, float]],
    reach: float,
    width: float,
    height: float,
) -> tuple[float, float] | None:
    """A center at least `reach` from each edge and from each disc (x, y, radius) that is taken."""
    if 2 * reach > min(width, height):
        return None
    for _ in range(30):
        x = reach + (width - 2 * reach) * rng.random()
        y = reach + (height - 2 * reach) * rng.random()
        if all(hypot(x - left, y - top) >= reach + other for left, top, other in taken):
            return x, y
    return None
