"""Generated scenes: pictures of a few shapes, with questions and captions whose truth is known.

A scene is drawn from a seed, and all that belongs to it (picture, boxes, masks, questions,
answers) can be made again from it anywhere.
"""

from vl_core.datasets.scenes.captions import Caption, caption, wrong_caption
from vl_core.datasets.scenes.choices import CHOICE_KINDS, N_CANDIDATES, Choices, choices, spoken
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
from vl_core.datasets.scenes.paraphrases import paraphrased
from vl_core.datasets.scenes.questions import QUESTION_TYPES, question, suggestions
from vl_core.datasets.scenes.sources import Source, SourcedQuestion, sourced_question
from vl_core.datasets.scenes.task_sets import (
    ChoiceItem,
    QuestionItem,
    SourcedItem,
    choice_items,
    question_item,
    sourced_items,
)
from vl_core.datasets.scenes.texts import Phrase, Question
from vl_core.datasets.scenes.words import ANSWERS, COLORS, SHAPES, SIZES, VOCABULARY

__all__ = [
    "ANSWERS",
    "CANVAS",
    "CANVAS_SIZES",
    "CHOICE_KINDS",
    "COLORS",
    "N_CANDIDATES",
    "QUESTION_TYPES",
    "SHAPES",
    "SIZES",
    "TRAINING_SEEDS",
    "UNSEEN_SEEDS",
    "VOCABULARY",
    "Caption",
    "ChoiceItem",
    "Choices",
    "Phrase",
    "Question",
    "QuestionItem",
    "Scene",
    "SceneObject",
    "Source",
    "SourcedItem",
    "SourcedQuestion",
    "as_example",
    "caption",
    "choice_items",
    "choices",
    "paraphrased",
    "question",
    "question_item",
    "scene",
    "sourced_items",
    "sourced_question",
    "spoken",
    "suggestions",
    "wrong_caption",
]
