"""The outline of each shape: a polygon around the origin in units of its radius; y points down."""

import numpy as np
from jaxtyping import Float

Outline = Float[np.ndarray, "point 2"]

_CURVE_POINTS = 96


def _rounded(corners: list[tuple[float, float]], cut: float) -> Outline:
    """A polygon whose corners are replaced by small curves that start `cut` before each corner."""
    points = np.array(corners)
    steps = np.linspace(0, 1, 6)[:, None]
    pieces = []
    neighbors = (np.roll(points, 1, axis=0), points, np.roll(points, -1, axis=0))
    for before, corner, after in zip(*neighbors, strict=True):
        start = corner + (before - corner) * min(0.45, cut / np.linalg.norm(before - corner))
        end = corner + (after - corner) * min(0.45, cut / np.linalg.norm(after - corner))
        # A quadratic Bezier curve with the corner as its control point.
        pieces.append((1 - steps) ** 2 * start + 2 * steps * (1 - steps) * corner + steps**2 * end)
    return np.concatenate(pieces)


def _circle() -> Outline:
    turn = np.linspace(0, 2 * np.pi, _CURVE_POINTS, endpoint=False)
    return 0.95 * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def _star() -> Outline:
    turn = np.arange(10) * np.pi / 5
    reach = np.where(np.arange(10) % 2 == 0, 1.12, 0.50)
    return _rounded(list(zip(reach * np.sin(turn), -reach * np.cos(turn), strict=True)), cut=0.1)


def _heart() -> Outline:
    turn = np.linspace(0, 2 * np.pi, _CURVE_POINTS, endpoint=False)
    x = 16 * np.sin(turn) ** 3
    y = 5 * np.cos(2 * turn) + 2 * np.cos(3 * turn) + np.cos(4 * turn) - 13 * np.cos(turn)
    return np.stack([x, y + 2.2], axis=1) / 16.5


def _moon() -> Outline:
    """A crescent that opens to the right: a wide arc and, back, a flatter one to the same tips."""
    wide = np.linspace(-2.3, 2.3, 56)
    tip_x, tip_y = -np.cos(wide[-1]), np.sin(wide[-1])
    flat = np.linspace(1.9, -1.9, 40)[1:-1]
    radius = tip_y / np.sin(1.9)
    center = tip_x + radius * np.cos(1.9)
    outer = np.stack([-np.cos(wide), np.sin(wide)], axis=1)
    inner = np.stack([center - radius * np.cos(flat), radius * np.sin(flat)], axis=1)
    crescent = np.concatenate([outer, inner])
    return crescent + np.array([0.15, 0])


def _cross() -> Outline:
    arm = 0.36
    corners = [(-arm, -1), (arm, -1), (arm, -arm), (1, -arm), (1, arm), (arm, arm)]
    return _rounded(corners + [(-x, -y) for x, y in corners], cut=0.14)


OUTLINES: dict[str, Outline] = {
    "circle": _circle(),
    "square": _rounded([(-0.84, -0.84), (0.84, -0.84), (0.84, 0.84), (-0.84, 0.84)], cut=0.2),
    "triangle": _rounded([(0, -1.05), (1, 0.8), (-1, 0.8)], cut=0.2),
    "star": _star(),
    "heart": _heart(),
    "diamond": _rounded([(0, -1.1), (0.74, 0), (0, 1.1), (-0.74, 0)], cut=0.14),
    "cross": _cross(),
    "moon": _moon(),
}

REACH: dict[str, float] = {
    shape: float(np.linalg.norm(outline, axis=1).max()) for shape, outline in OUTLINES.items()
}
"""How far the outline gets from the object's center, in radii."""
