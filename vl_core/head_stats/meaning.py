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
from vl_core.structure import is_structurally_zero
from vl_core.trace import Stack, TokenTable

CALLED = {"text": "words", "image": "patches"}
ONE = {"text": "word", "image": "patch"}

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
OF_ONE_STREAM = (DIAGONAL, PREVIOUS_TOKEN, REACH, WITHOUT_SELF_MASS, WITHOUT_SELF_MEAN_WEIGHT)
TELLING = (TEXT_TO_IMAGE_MASS, REACH)  # what a stack is looked at with first, where it is defined


def telling_statistic(stack: Stack) -> HeadStatistic:
    """What to look at a stack with first: words at the picture, else patches far off, else spread.

    A vision tower has no words, a text tower no patches; every stack has an entropy.
    """
    return next((one for one in TELLING if not why_undefined(one, stack)), ENTROPY)


def why_undefined(statistic: HeadStatistic, stack: Stack) -> str:
    """Why a statistic cannot have a value in a stack of such tokens; empty if it can.

    Told by the kinds of tokens and the masks alone: nothing is computed.
    """
    asking, asked = NEEDED.get(statistic.key, ("", ""))
    if asking and not _of_kind(stack.queries, asking).any():
        return f"It needs {CALLED[asking]}, but no {CALLED[asking]} look in this stack."
    if asked and not _of_kind(stack.keys, asked).any():
        return f"It needs {CALLED[asked]}, but no {CALLED[asked]} are looked at in this stack."
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
        f"In this stack no {ONE[asking]} may look at any {ONE[asked]}: the mask forbids it, mostly "
        "because a token sees only what comes before it. So there is no such attention in any "
        "head, by construction, and nothing was learned."
    )


def answer_as_text(statistic: HeadStatistic, stack: Stack) -> str:
    """How many of the text tokens that a statistic is about the model generated; empty if none.

    The words of an answer are text like those of the question.
    """
    kinds = NEEDED.get(statistic.key) or TAKING_PART.get(statistic.key, ("", ""))
    sides = ((stack.queries, "look"), (stack.keys, "are looked at"))
    told = [
        f"{(one.is_text & one.is_generated).sum()} of the {one.is_text.sum()} text tokens that {do}"
        for kind, (one, do) in zip(kinds, sides, strict=True)
        if kind == "text" and (one.is_text & one.is_generated).any()
    ]
    if not told:
        return ""
    return f"The words of the answer count as text: {' and '.join(told)} were generated."


def why_missing(statistic: HeadStatistic, stack: Stack) -> str:
    """In a sentence, why a statistic has no value for any head of this stack."""
    if statistic in OF_CLASS_TOKEN:
        return _why_no_class_token(statistic, stack)
    if statistic in OF_WORDS:
        return (
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


def _why_no_class_token(statistic: HeadStatistic, stack: Stack) -> str:
    if not len(class_token(stack.queries)):
        return "It needs a class token that looks, but none looks in this stack."
    if not np.isnan(statistic.of(stack)).all():
        return "It is about the class token, which is left out without special tokens."
    return (
        "It needs objects that are asked about whose place in the picture is known, and patches "
        "inside and outside those places that the class token may look at."
    )
