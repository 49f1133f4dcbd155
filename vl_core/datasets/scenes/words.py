"""The words of the scenes' language: attributes, answers and everything a text may contain."""

SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "cross", "moon")
COLORS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "gray")
SIZES = ("small", "large")
NUMBERS = ("0", "1", "2", "3", "4", "5", "6")
ANSWERS = (*COLORS, *SHAPES, *SIZES, "yes", "no", *NUMBERS, "left", "right", "top", "bottom")

PLURALS = {shape: f"{shape}s" for shape in SHAPES} | {"cross": "crosses"}

PLACES = (
    *("harbor", "museum", "garden", "market", "castle", "bridge"),
    *("school", "island", "forest", "station", "temple", "valley"),
)

_QUESTIONS = """
what which how many is are does do you see can there a an the in on at of to and or have has with
number color shape size big half side left right top bottom leftmost rightmost highest lowest
picture object objects above below larger bigger smaller than look would say closest nearest same
as two one each other it its
"""
_CAPTIONS = "shows image scene photo drawing taken from this that not"
# For answer candidates with their reasons, and for sources, as VCR and WebQA have them.
_REASONS = """
because so compare compared share they nothing why both but different between closer no more fewer
equal next where answer lies located contains says source fact about when who all any some thing
things than
"""

# Other words for the same; they come last, as the weights of the older ones follow their order.
_PARAPHRASES = """
tell me name if true count find lie show further furthest over under higher lower topmost bottommost
item items little tiny huge grey violet turquoise disc discs box boxes rhombus rhombuses plus pluses
crescent crescents
"""

VOCABULARY = tuple(
    dict.fromkeys(
        (
            *"?.,:;'-!",
            *_QUESTIONS.split(),
            *_CAPTIONS.split(),
            *_REASONS.split(),
            *ANSWERS,
            *PLURALS.values(),
            *("two", "three", "four", "five", "six"),
            *PLACES,
            *_PARAPHRASES.split(),
        )
    )
)
"""Every word and punctuation mark of the texts, in lower case; a model's weights follow its order.

It covers questions and captions, and answer candidates, reasons and sources as well.
"""

TASK_WORDS = tuple(
    word
    for word in dict.fromkeys((*_REASONS.split(), *PLACES, *_PARAPHRASES.split()))
    if word not in {*_QUESTIONS.split(), *_CAPTIONS.split(), *ANSWERS}
)
"""Words that no plain question and no caption has: those of candidates, sources and paraphrases."""
