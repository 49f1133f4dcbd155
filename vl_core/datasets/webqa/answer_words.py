"""The words of an answer that count, brought to one form.

The lists of colors and shapes are our own: WebQA's scorer has others (36 colors and 69 shapes,
some of them misspelt), so figures differ from the official ones for that reason too.
"""

import re
import string

YES_NO = frozenset({"yes", "no"})
_COLORS = """
amber apricot aqua aquamarine azure beige black blond blonde blue bluish bronze brown brownish
brunette burgundy chrome copper coral cream crimson cyan ebony emerald fuchsia gold golden gray
grayish green greenish grey greyish indigo ivory jade khaki lavender lilac lime magenta mahogany
maroon mauve multicolor multicolored mustard navy ochre olive orange peach periwinkle pink plum
purple rainbow red reddish rose ruby rust salmon sapphire scarlet sepia silver tan taupe teal
terracotta transparent turquoise ultramarine vermilion violet white yellow yellowish
"""
_SHAPES = """
arc arch arched ball bell bow circle circular concave cone conical convex crescent cross cube cubic
cubical cuboid curve curved cylinder cylindrical decagon diamond disc disk dome domed dot ellipse
ellipsoid elliptical flat globe globular heart heptagon hexagon hexagonal horseshoe kite moon oblong
octagon octagonal oval ovoid parallelogram pentagon pentagonal pointed polygon prism pyramid
pyramidal rectangle rectangular rhombus ring round rounded semicircle semicircular sphere spherical
spiral square star straight teardrop tetrahedron torus trapezoid triangle triangular tube tubular
wavy zigzag
"""
_SMALL = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
COLORS, SHAPES = frozenset(_COLORS.split()), frozenset(_SHAPES.split())
_LARGE = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
NUMBERS = (
    {word: value for value, word in enumerate(_SMALL.split())}
    | {word: 10 * value for value, word in enumerate(_TENS.split(), start=2)}
    | _LARGE
)
_DROPPED = str.maketrans("", "", string.punctuation.replace(".", ""))
_NO_DECIMAL_POINT = re.compile(r"\.(?!\d)")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def words(text: str) -> list[str]:
    """The words in lower case without punctuation and articles, number words as digits.

    A point before a digit stays. A single word may be an article, a single character anything.
    Number words are taken one by one: "twenty two" is 20 and 2. Words are not brought to their
    stem ("stars" is not "star"), which the official scorer does with a language model (spaCy).
    """
    lowered = text.lower()
    if len(text.strip()) != 1:
        lowered = _NO_DECIMAL_POINT.sub("", lowered.translate(_DROPPED))
    if len(text.split()) > 1:
        lowered = _ARTICLES.sub(" ", lowered)
    return [str(NUMBERS.get(word, word)) for word in lowered.split()]


def whole_numbers(found: list[str]) -> list[str]:
    """Those of the words that are whole numbers, in one spelling; "2.5" is none."""
    return [str(int(word)) for word in found if word.isdecimal()]
