"""One object of a scene: what can be said of it, and where exactly it is."""

from dataclasses import dataclass
from math import cos, sin

import numpy as np

from vl_core.datasets.scenes.outlines import OUTLINES, Outline


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One shape; center and radius in scene pixels, the angle in radians, clockwise."""

    shape: str
    color: str
    size: str
    x: float
    y: float
    radius: float
    angle: float

    def outline(self, scale: float = 1.0) -> Outline:
        """The polygon that is drawn, in pixels of a picture `scale` times as large as the scene."""
        turned = np.array([[cos(self.angle), sin(self.angle)], [-sin(self.angle), cos(self.angle)]])
        center = np.array([self.x, self.y])
        return (OUTLINES[self.shape] @ turned * self.radius + center) * scale

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the outline, in scene pixels."""
        outline = self.outline()
        (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
        return float(left), float(top), float(right), float(bottom)
