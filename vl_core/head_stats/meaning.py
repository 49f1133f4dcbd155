"""Whether a statistic means anything for a stack, and why not."""

import numpy as np

from vl_core.arrays import TokenMask
from vl_core.head_stats.grounding import OF_CLASS_TOKEN, OF_WORDS
from vl_core.head_stats.modalities import (
    CROSS_MODAL_MASS,
    DIRECTIONS,
    INTRA_MODAL_MASS,
    LIFTS,
    MASSES,
    MEAN_WEIGHTS,
    SPECIAL_SHARE,
    TEXT_TO_IMAGE_MASS,
    WITHOUT_SELF_MASS,
    WITHOUT_SELF_MEAN_WEIGHT,
)
from vl_core.head_stats.places import DIAGONAL, PREVIOUS_TOKEN, REACH
from vl_core.head_stats.spread import ENTROPY
from vl_core.head_stats.statistic import HeadStatistic
from vl_core.head_stats.tables import class_token
from vl_core.structure import is_structurally_zero, reachable_keys
from vl_core.trace import Stack, TokenTable
from vl_core.trace.nouns import Noun, common_noun, image_noun

WORD = Noun("word", "words")
# What stands before an answer, and so predicts its first word.
BEFORE = {
    "text": "a word, whose row counts as well",
    "image": "a {image}, whose row is no word's",
    "special": "a special token, whose row does not count",
}

# Which kinds of tokens a statistic needs: those that look and those that are looked at.
NEEDED = {
    statistic.key: kinds
    for statistics in (MASSES, MEAN_WEIGHTS, LIFTS)
    for statistic, kinds in zip(statistics, DIRECTIONS, strict=True)
} | {
    statistic.key: ("image", "image")
    for statistic in (WITHOUT_SELF_MASS, WITHOUT_SELF_MEAN_WEIGHT, REACH)
}
# Which kinds take part in those that need none of them.
TAKING_PART = {
    CROSS_MODAL_MASS.key: ("text", "text"),
    INTRA_MODAL_MASS.key: ("text", "text"),
    SPECIAL_SHARE.key: ("text", "special"),
}
# Those that are about all of a query's attention where it may look at nothing else.
OF_ALL = (
    {key: (kinds,) for key, kinds in NEEDED.items() if key != REACH.key}
    | {CROSS_MODAL_MASS.key: (("text", "image"), ("image", "text"))}
    | {INTRA_MODAL_MASS.key: (("text", "text"), ("image", "image"))}
)
OF_ONE_STREAM = (DIAGONAL, PREVIOUS_TOKEN, REACH, WITHOUT_SELF_MASS, WITHOUT_SELF_MEAN_WEIGHT)
TELLING = (TEXT_TO_IMAGE_MASS, REACH)  # what a stack is looked at with first, where it is defined


def telling_statistic(stack: Stack) -> HeadStatistic:
    """What to look at a stack with first: words at the picture, else patches far off, else spread.

    A vision tower has no words, a text tower no patches; every stack has an entropy. What the
    masks fix beforehand tells nothing.
    """
    return next((one for one in TELLING if _can_vary(one, stack)), ENTROPY)


def _can_vary(statistic: HeadStatistic, stack: Stack) -> bool:
    if why_undefined(statistic, stack):
        return False
    return not (why_zero(statistic, stack) or why_all(statistic, stack))


def why_undefined(statistic: HeadStatistic, stack: Stack) -> str:
    """Why a statistic cannot have a value in a stack of such tokens; empty if it can.

    Told by the kinds of tokens and the masks alone: nothing is computed.
    """
    asking, asked = NEEDED.get(statistic.key, ("", ""))
    called = {"text": "words", "image": common_noun(stack.queries, stack.keys).many}
    if asking and not _of_kind(stack.queries, asking).any():
        return f"It needs {called[asking]}, but no {called[asking]} look in this stack."
    if asked and not _of_kind(stack.keys, asked).any():
        return f"It needs {called[asked]}, but no {called[asked]} are looked at in this stack."
    if not stack.is_self_attention and statistic in OF_ONE_STREAM:
        return "It compares places in one stream; here one stream looks at another."
    return ""


def why_zero(statistic: HeadStatistic, stack: Stack) -> str:
    """Why a statistic is nothing in every head whatever was learned; empty if it need not be.

    So it is for patches and words in a causal model where the picture comes first.
    """
    asking, asked = NEEDED.get(statistic.key, ("", ""))
    if not asking or why_undefined(statistic, stack):
        return ""
    queries, keys = _of_kind(stack.queries, asking), _of_kind(stack.keys, asked)
    if not is_structurally_zero(stack, queries, keys):
        return ""
    return (
        f"In this stack no {_called(stack.queries, asking).one} may look at any "
        f"{_called(stack.keys, asked).one}: the mask forbids it, mostly "
        "because a token sees only what comes before it. So there is no such attention in any "
        "head, by construction, and nothing was learned."
    )


def why_all(statistic: HeadStatistic, stack: Stack, *, with_specials: bool = True) -> str:
    """Why a statistic is about all of the attention whatever was learned; empty if it need not be.

    So it is of words that look at another stream, where they find nothing but patches: a mass is 1
    in every head, and a mean weight the same in all heads of a layer.
    """
    directions = [
        (asking, asked)
        for asking, asked in OF_ALL.get(statistic.key, ())
        if _of_kind(stack.queries, asking).any() and _of_kind(stack.keys, asked).any()
    ]
    if not directions or why_undefined(statistic, stack):
        return ""
    for asking, asked in directions:
        reached = reachable_keys(stack, _of_kind(stack.queries, asking)) & ~stack.keys.is_padding
        if not with_specials:
            reached &= ~stack.keys.is_special
        if not reached.any() or (reached & ~_of_kind(stack.keys, asked)).any():
            return ""
    may = [
        f"a {_called(stack.queries, one).one} may look at nothing but "
        f"{_called(stack.keys, other).many}"
        for one, other in directions
    ]
    besides = "" if with_specials else " once special tokens are left out"
    return (
        f"In this stack {' and '.join(may)}{besides}. So all attention goes there in every head, "
        "by construction, and nothing was learned; the entropy is one that tells heads apart."
    )


def answer_as_text(statistic: HeadStatistic, stack: Stack) -> str:
    """How many of the text tokens that a statistic is about the model generated; empty if none.

    The words of an answer are text like those of the question.
    """
    sides = ((stack.queries, "look"), (stack.keys, "are looked at"))
    told = [
        f"{(one.is_text & one.is_generated).sum()} of the {one.is_text.sum()} text tokens that {do}"
        for kind, (one, do) in zip(_taking_part(statistic), sides, strict=True)
        if kind == "text" and (one.is_text & one.is_generated).any()
    ]
    if not told:
        return ""
    return f"The words of the answer count as text: {' and '.join(told)} were generated."


def rows_of_answer(statistic: HeadStatistic, stack: Stack) -> str:
    """Which rows a statistic takes for the words that the model generated; empty if for none.

    A word is predicted at one position and read at the next; the first of an answer is predicted
    at the end of the prompt, whose token is often special, so that its row is no word's.
    """
    tokens, (asking, _) = stack.queries, _taking_part(statistic)
    is_answer = tokens.is_text & tokens.is_generated
    if asking != "text" or not is_answer.any():
        return ""
    rows = "The row of each is the one at its own position, which reads it and predicts the next"
    before = int(is_answer.argmax()) - 1
    if before < 0 or tokens.is_padding[before]:
        return f"{rows}."
    place = BEFORE[tokens.kinds[before]].format(image=image_noun(tokens).one)
    return f"{rows}; the first is predicted at {place}."


def _taking_part(statistic: HeadStatistic) -> tuple[str, str]:
    return NEEDED.get(statistic.key) or TAKING_PART.get(statistic.key, ("", ""))


def why_missing(statistic: HeadStatistic, stack: Stack) -> str:
    """In a sentence, why a statistic has no value for any head of this stack."""
    if statistic in OF_CLASS_TOKEN:
        return image_noun(stack.keys).named(_why_no_class_token(statistic, stack))
    if statistic in OF_WORDS:
        return image_noun(stack.keys).named(
            "It needs words whose place in the picture is known, and patches inside those places; "
            "this example brings no such boxes, or the stack no such words and patches."
        )
    return (
        why_undefined(statistic, stack)
        or why_zero(statistic, stack)
        or "It is undefined for every head of this example."
    )


def _of_kind(tokens: TokenTable, kind: str) -> TokenMask:
    return tokens.is_text if kind == "text" else tokens.is_image


def _called(tokens: TokenTable, kind: str) -> Noun:
    return WORD if kind == "text" else image_noun(tokens)


def _why_no_class_token(statistic: HeadStatistic, stack: Stack) -> str:
    if not len(class_token(stack.queries)):
        return "It needs a class token that looks, but none looks in this stack."
    if not np.isnan(statistic.of(stack)).all():
        return "It is about the class token, which is left out without special tokens."
    return (
        "It needs objects that are asked about whose place in the picture is known, and patches "
        "inside and outside those places that the class token may look at."
    )
