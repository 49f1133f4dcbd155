"""Generated scenes: pictures of a few shapes, with questions and captions whose truth is known.

A scene is drawn from a seed, and all that belongs to it (picture, boxes, masks, questions,
answers) can be made again from it anywhere.
"""

from vl_core.datasets.scenes.captions import Caption, caption, wrong_caption
from vl_core.datasets.scenes.examples import as_example
from vl_core.datasets.scenes.layout import (
    CANVAS,
    CANVAS_SIZES,
    TRAINING_SEEDS,
    UNSEEN_SEEDS,
    Scene,
    scene,
)
from vl_core.datasets.scenes.objects import SceneObject
from vl_core.datasets.scenes.questions import QUESTION_TYPES, question, suggestions
from vl_core.datasets.scenes.texts import Phrase, Question
from vl_core.datasets.scenes.words import ANSWERS, COLORS, SHAPES, SIZES, VOCABULARY

__all__ = [
    "ANSWERS",
    "CANVAS",
    "CANVAS_SIZES",
    "COLORS",
    "QUESTION_TYPES",
    "SHAPES",
    "SIZES",
    "TRAINING_SEEDS",
    "UNSEEN_SEEDS",
    "VOCABULARY",
    "Caption",
    "Phrase",
    "Question",
    "Scene",
    "SceneObject",
    "as_example",
    "caption",
    "question",
    "scene",
    "suggestions",
    "wrong_caption",
]
