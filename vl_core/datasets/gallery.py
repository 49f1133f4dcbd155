"""The pictures on show: eight scenes that no model was trained on, each with a question.

The first one is the worked example on which the app opens.
"""

import random
from dataclasses import dataclass
from pathlib import Path

from vl_core.datasets.scenes import Question, Scene, as_example, question, scene
from vl_core.example import Example

# The trace of the first entry ships with the project, so that the app opens without torch.
WORKED_EXAMPLE = Path(__file__).parents[2] / "models" / "worked_example.safetensors"


@dataclass(frozen=True, slots=True)
class GalleryEntry:
    """A scene and a question, both drawn from seeds; `name` is for URLs, `title` for people."""

    name: str
    title: str
    scene_seed: int
    size: tuple[int, int]
    question_type: str
    question_seed: int

    @property
    def scene(self) -> Scene:
        """What the picture shows."""
        return scene(self.scene_seed, self.size)

    @property
    def question(self) -> Question:
        """What is asked about it, with the answer and the objects that the words name."""
        asked = question(self.scene, self.question_type, random.Random(self.question_seed))
        if asked is None:
            raise ValueError(f"gallery entry {self.name}: this scene has no such question")
        return asked

    def example(self, longer_side: int = 512) -> Example:
        """The picture, its longer side as many pixels as given, and the question."""
        return as_example(self.scene, self.question, longer_side)


GALLERY = (
    GalleryEntry("star-by-moon", "The star by the moon", 10_015_341, (128, 96), "color", 4),
    GalleryEntry("three-hearts", "Counting hearts", 10_009_393, (96, 128), "count", 257),
    GalleryEntry(
        "left-of-circle", "Left of the circle", 10_000_380, (128, 80), "relation_query", 165
    ),
    GalleryEntry("red-star", "Looking for a red star", 10_003_391, (128, 128), "exist", 238),
    GalleryEntry("next-to-heart", "Close to the heart", 10_000_643, (128, 128), "nearest", 5),
    GalleryEntry("same-color", "Two of one color?", 10_002_695, (128, 64), "same", 366),
    GalleryEntry("highest", "Highest of all", 10_000_139, (80, 128), "extreme", 473),
    GalleryEntry("two-moons", "Two moons", 10_012_522, (128, 112), "relation_verify", 160),
)
