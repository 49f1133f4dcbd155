"""A slow reader of multiple choice: it decides from the words, tags and objects what is true.

It knows the sentences and the scene, not the generator. What is too close to call raises the
oracle's DoubtError, also in a candidate that is wrong for another reason.
"""

import re

from tests.datasets.scenes import oracle
from tests.datasets.scenes.oracle import DoubtError, fits

RELATION = f"(?P<relation>{oracle.RELATION})"
NOUN = r"(?P<noun>[a-z ]+?)"


def text(words):
    """The words with each tag as "#3", its objects counted from 0."""
    return " ".join(
        word if isinstance(word, str) else "+".join(f"#{index}" for index in word) for word in words
    )


def tagged(scene, number):
    """The object of a tag's number."""
    return scene.objects[int(number)]


def answer_is_true(scene, question, answer):
    """Whether an answer, in its text, is a true one to the question."""
    if found := re.fullmatch(rf"what is {RELATION} #(?P<anchor>\d) \?", question):
        return _is_there(scene, found, answer)
    if found := re.fullmatch(
        r"which object is the (leftmost|rightmost|highest|lowest) \?", question
    ):
        one, noun = re.fullmatch(r"#(\d) , the ([a-z ]+) \.", answer).groups()
        is_it = oracle.outermost(scene, found[1]) is tagged(scene, one)
        return is_it and fits(tagged(scene, one), noun)
    if found := re.fullmatch(r"how do #(\d) and #(\d) compare \?", question):
        return _compares(scene, found.groups(), answer)
    if found := re.fullmatch(r"what do #(\d) and #(\d) share \?", question):
        value = re.fullmatch(r"both are ([a-z]+) \.", answer)[1]
        return all(fits(tagged(scene, one), value) for one in found.groups())
    raise DoubtError(f"no reading of {question!r}")


def _is_there(scene, found, answer):
    one, noun = re.fullmatch(r"#(\d) , the ([a-z ]+) \.", answer).groups()
    return fits(tagged(scene, one), noun) & _stands(scene, found["relation"], one, found["anchor"])


def _stands(scene, relation, one, anchor):
    held = oracle.stands(scene, relation, tagged(scene, one), tagged(scene, anchor))
    if held is None:
        raise DoubtError("too close to call")
    return held


def _compares(scene, pair, answer):
    one, noun, word = re.fullmatch(
        r"#(\d) , the ([a-z ]+) , is (larger|smaller) \.", answer
    ).groups()
    (other,) = set(pair) - {one}
    sizes = tagged(scene, one).size, tagged(scene, other).size
    if sizes[0] == sizes[1]:
        raise DoubtError("both of one size")
    is_larger = tagged(scene, one).radius > tagged(scene, other).radius
    return fits(tagged(scene, one), noun) and is_larger == (word == "larger")


def reason_is_true(scene, reason):
    """Whether all that a reason says is so."""
    if found := re.fullmatch(
        rf"because #(\d) , the ([a-z ]+) , is {RELATION} #(?P<anchor>\d) , the {NOUN} \.", reason
    ):
        stands = _stands(scene, found["relation"], found[1], found["anchor"])
        anchor = tagged(scene, found["anchor"])
        return stands and fits(tagged(scene, found[1]), found[2]) and fits(anchor, found["noun"])
    if found := re.fullmatch(
        rf"because #(\d) , the {NOUN} (?:on|at) the (left|right|top|bottom) , is (small|large) \.",
        reason,
    ):
        one = tagged(scene, found[1])
        return fits(one, found["noun"]) and fits(one, found[4]) and _half(scene, one, found[3])
    if found := re.fullmatch(
        r"because #(\d) is (?:an? )?([a-z]+) and #(\d) is (?:an? )?([a-z]+) \.", reason
    ):
        return fits(tagged(scene, found[1]), found[2]) and fits(tagged(scene, found[3]), found[4])
    raise DoubtError(f"no reading of {reason!r}")


def _half(scene, one, side):
    is_across = side in ("left", "right")
    place, length = (one.x, scene.width) if is_across else (one.y, scene.height)
    if abs(place - length / 2) < oracle.margin(length, 8):
        raise DoubtError("too close to the middle")
    return (place > length / 2) == (side in ("right", "bottom"))


def belongs(question, answer, reason):
    """Whether a reason speaks of the objects, and of the place, of its question and answer."""
    tags = set(re.findall(r"#\d", reason))
    asked = set(re.findall(r"#\d", question))
    answered = set(re.findall(r"#\d", answer))
    if question.startswith("how do"):
        return tags == asked - answered  # what the other one is like
    if question.startswith("what do"):
        return tags == asked
    relation = re.search(oracle.RELATION, reason)[0].removeprefix("to the ")
    superlatives = {
        "left of": "leftmost",
        "right of": "rightmost",
        "above": "highest",
        "below": "lowest",
    }
    is_asked = relation in question or superlatives[relation] in question
    return is_asked and answered | asked <= tags
