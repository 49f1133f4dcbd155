"""Scenes as examples: what the app and the analyses work on."""

from vl_core.datasets.scenes.captions import Caption
from vl_core.datasets.scenes.layout import Scene
from vl_core.datasets.scenes.texts import Question
from vl_core.example import Example, Region

# Types whose questions lead from a second object to the one that they ask about.
LEADING = ("relation_query", "nearest")


def as_example(scene: Scene, said: Question | Caption, longer_side: int = 512) -> Example:
    """The rendered scene with a question or a caption, whose answer is whether it is true.

    Each phrase gives a region for every object that it names, with the phrase as its label. What
    a question only mentions to lead to another object is not asked about.
    """
    boxes = scene.boxes(longer_side).tolist()
    asked = _asked(said)
    regions = tuple(
        Region(
            said.text[phrase.start : phrase.end],
            tuple(boxes[index]),
            (phrase.start, phrase.end),
            asked is None or index in asked,
        )
        for phrase in said.phrases
        for index in phrase.objects
    )
    return Example(scene.render(longer_side), said.text, regions, _answer(said))


def _asked(said: Question | Caption) -> tuple[int, ...] | None:
    """The objects that are asked about; None for all that are named."""
    if isinstance(said, Question) and said.type in LEADING:
        return said.focus[:1]
    return None


def _answer(said: Question | Caption) -> str:
    if isinstance(said, Question):
        return said.answer
    return "yes" if said.matches else "no"
