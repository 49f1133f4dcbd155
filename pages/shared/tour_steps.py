"""The stops of the tour: what each one says, where it is, and what is on show there.

Numbers never stand in the texts. They come from the traces and findings at hand, so that the tour
stays true whatever weights ship.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pages.shared import head_effects, requests, tour_figures
from pages.shared.requests import Request


@dataclass(frozen=True)
class Step:
    """One stop.

    text: what to do and to see, in a few sentences of Markdown. page: the page's file. figures: a
    sentence with numbers of the stop, or nothing. shows: the parts of the selection that matter
    here; all others are as the app opens, with the head that the tour follows. example: of the
    gallery. instead: what is in the picture's place.
    """

    title: str
    text: str
    page: str
    figures: Callable[[Request], str] = lambda _: ""
    shows: Mapping[str, object] = field(default_factory=dict)
    example: str = tour_figures.FIRST
    instead: str = ""

    @property
    def request(self) -> Request:
        """The picture and question of this stop."""
        return tour_figures.request(self.example, self.instead)


STEPS = (
    Step(
        "A picture, a question, an answer",
        "The model has never seen this scene. It cuts the picture into patches, reads the question "
        "word by word, and answers. In every layer several *heads* decide anew which words and "
        "patches look at which. Did one of them connect the words with the thing they name?",
        "pages/overview.py",
        figures=tour_figures.answer,
    ),
    Step(
        "Find the head in which words look at what they name",
        "Each cell is a head. Its number is the *grounding*: of the attention that a word gives to "
        "the picture, the share that falls on the object that the word names. The highest head is "
        "selected, and beside the map you see where its words look. Click other cells and compare.",
        "pages/heads.py",
        shows={"statistic": "grounding"},
        figures=tour_figures.grounding,
    ),
    Step(
        "Look through that head",
        "Bright patches are where the pinned word looks in this head. Point at other words: do "
        "they look at the same place? Then choose *Is looked at by* and point at a patch to see "
        "which words find it.",
        "pages/attention.py",
        figures=tour_figures.pinned,
    ),
    Step(
        "Take the picture away",
        "Now the model is shown a blank picture and asked the same. What it answers now, it "
        "guesses from the words. The map shows how much grounding each head owes to the picture: "
        "red heads have to see the object, heads near 0 do the same whatever the picture shows.",
        "pages/heads.py",
        shows={"statistic": "grounding", "view": "change"},
        instead=requests.BLANK,
        figures=tour_figures.left_without_picture,
    ),
    Step(
        "Does that head matter for the answer?",
        "Where a head looks is not yet what the answer is made of. So each head is taken out in "
        "turn, here for a question that takes counting, and the model asked again. Blue heads "
        "supported the answer. Is the head that looks at the right place among the strongest?",
        "pages/heads.py",
        shows={"statistic": head_effects.THIS_QUESTION},
        example="three-hearts",
        figures=tour_figures.effect,
    ),
    Step(
        "Follow words and patches through the layers",
        "Press *Play*: words and patches move from layer to layer. Click a word to see which "
        "patches come nearest to it; the curves below tell whether the two kinds come together or "
        "stay apart. Then end the tour and try it on your own: draw a new scene in the sidebar, "
        "ask about it, and see whether the same heads do the same.",
        "pages/hidden_states.py",
    ),
)
